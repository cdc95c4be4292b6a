// <relation-graph>: the server draws the SVG; this adds highlight, arrow keys between nodes, zoom and pan.
import { all, one } from "./dom.js";

const ZOOM_STEP = 1.12;

class RelationGraph extends HTMLElement {
  connectedCallback() {
    this.svg = one("svg", this);
    if (!this.svg || this.ready) return;
    this.ready = true;
    this.home = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.view = [...this.home];
    this.listenForHighlight();
    this.svg.addEventListener("keydown", (event) => this.walk(event));
    if (this.hasAttribute("data-zoom")) this.listenForZoom();
  }

  node(id) {
    return one(`[data-id="${CSS.escape(id)}"]`, this.svg);
  }

  listenForHighlight() {
    const lit = (event) => this.highlight(event.target.closest(".p-graph-node")?.dataset.id);
    for (const type of ["pointerover", "focusin"]) this.svg.addEventListener(type, lit);
    for (const type of ["pointerleave", "focusout"]) this.svg.addEventListener(type, () => this.highlight());
  }

  highlight(id) {
    this.svg.classList.toggle("p-lit", Boolean(id));
    for (const part of all(".p-on", this.svg)) part.classList.remove("p-on");
    if (!id) return;
    this.node(id)?.classList.add("p-on");
    for (const edge of all(".p-graph-edge", this.svg)) {
      if (edge.dataset.a !== id && edge.dataset.b !== id) continue;
      edge.classList.add("p-on");
      this.node(edge.dataset.a)?.classList.add("p-on");
      this.node(edge.dataset.b)?.classList.add("p-on");
    }
  }

  /** Arrow keys go to the nearest node in that direction. */
  walk(event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = event.target.closest?.(".p-graph-node");
    if (!direction || !from) return;
    event.preventDefault();
    const start = from.getBoundingClientRect();
    let best = null;
    let bestCost = Infinity;
    for (const node of all(".p-graph-node", this.svg)) {
      const box = node.getBoundingClientRect();
      const dx = box.x - start.x;
      const dy = box.y - start.y;
      const along = dx * direction[0] + dy * direction[1];
      const cost = along + 3 * Math.abs(dx * direction[1] + dy * direction[0]);
      if (node !== from && along > 1 && cost < bestCost) [best, bestCost] = [node, cost];
    }
    best?.focus();
  }

  show() {
    this.svg.setAttribute("viewBox", this.view.join(" "));
  }

  zoom(factor, x = this.view[0] + this.view[2] / 2, y = this.view[1] + this.view[3] / 2) {
    const [left, top, width, height] = this.view;
    this.view = [x - (x - left) / factor, y - (y - top) / factor, width / factor, height / factor];
    this.show();
  }

  listenForZoom() {
    const { svg } = this;
    svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey && document.activeElement?.closest("relation-graph") !== this) return;
        event.preventDefault();
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        this.zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, at.x, at.y);
      },
      { passive: false },
    );
    let drag = null;
    svg.addEventListener("pointerdown", (event) => {
      drag = [event.clientX, event.clientY, ...this.view];
    });
    svg.addEventListener("pointermove", (event) => {
      if (!drag || !event.buttons) return;
      const scale = Math.max(this.view[2] / svg.clientWidth, this.view[3] / svg.clientHeight);
      this.view[0] = drag[2] - (event.clientX - drag[0]) * scale;
      this.view[1] = drag[3] - (event.clientY - drag[1]) * scale;
      this.show();
    });
    svg.addEventListener("pointerup", () => {
      drag = null;
    });
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    for (const button of all("[data-zoom-by]", this)) {
      button.addEventListener("click", () => {
        const factor = Number(button.dataset.zoomBy);
        if (factor) {
          this.zoom(factor);
        } else {
          this.view = [...this.home];
          this.show();
        }
      });
    }
  }
}

customElements.define("relation-graph", RelationGraph);

// <file-tree>: folders are <details>, files are links to panels on the same page; arrow keys walk the visible rows.
import { all, one } from "./dom.js";

class FileTree extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-file]");
      if (!link) return;
      event.preventDefault();
      this.open(link);
    });
    one(".p-tree", this)?.addEventListener("keydown", (event) => this.onKey(event));
    const first = one("a[data-file][aria-current]", this) ?? one("a[data-file]", this);
    if (first) this.open(first);
  }

  open(link) {
    for (const other of all("a[data-file]", this)) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    for (const panel of all("[data-file-panel]", this)) panel.hidden = panel.id !== link.dataset.file;
  }

  onKey(event) {
    const rows = all("summary, a[data-file]", this).filter((row) => row.offsetParent);
    const at = rows.indexOf(document.activeElement);
    if (at < 0) return;
    const details = rows[at].closest("summary")?.parentElement;
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      rows[Math.min(Math.max(moves[event.key], 0), rows.length - 1)].focus();
    } else if (details && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      event.preventDefault();
      details.open = event.key === "ArrowRight";
    }
  }
}

customElements.define("file-tree", FileTree);

// The lines of a log in blocks of 500, so that the browser skips what is not in view; find still sees everything.
import { all, escapeHtml, one } from "./dom.js";
import { ansiToHtml } from "./ansi.js";

const BLOCK_LINES = 500;

export class LogView {
  constructor(element) {
    this.element = element;
    this.pending = [];
    this.frame = 0;
    this.inBlock = BLOCK_LINES;
    this.follow = true;
    this.query = "";
  }

  heading(step, title) {
    this.put(`<div class="p-line p-line-head" data-step="${step}"><i></i><time></time><span>${escapeHtml(title)}</span></div>`);
  }

  line(number, step, time, text) {
    const hidden = this.query && !text.toLowerCase().includes(this.query) ? " p-off" : "";
    this.put(
      `<div class="p-line${hidden}" id="L${number}" data-step="${step}"><i>${number}</i><time>${escapeHtml(time)}</time>` +
        `<span>${ansiToHtml(text)}</span></div>`,
    );
  }

  put(html) {
    this.pending.push(html);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    while (this.pending.length) {
      if (this.inBlock >= BLOCK_LINES) {
        this.block = document.createElement("div");
        this.block.className = "p-log-block";
        this.element.append(this.block);
        this.inBlock = 0;
      }
      const part = this.pending.splice(0, BLOCK_LINES - this.inBlock);
      this.block.insertAdjacentHTML("beforeend", part.join(""));
      this.inBlock += part.length;
    }
    if (this.follow) this.element.scrollTop = this.element.scrollHeight;
    this.selectFromAddress();
  }

  /** #L120 in the address: show and mark that line, once it has arrived. */
  selectFromAddress() {
    if (this.selected || !/^#L\d+$/.test(location.hash)) return;
    const line = one(location.hash, this.element);
    if (!line) return;
    this.follow = false;
    this.select(line);
    line.scrollIntoView({ block: "center" });
  }

  select(line) {
    for (const old of all(".p-line.p-selected", this.element)) old.classList.remove("p-selected");
    line.classList.add("p-selected");
    this.selected = line.id;
  }

  /** Hide lines without the text; returns how many are left. */
  find(text) {
    this.query = text.trim().toLowerCase();
    let left = 0;
    for (const line of all(".p-line:not(.p-line-head)", this.element)) {
      const match = !this.query || line.lastElementChild.textContent.toLowerCase().includes(this.query);
      line.classList.toggle("p-off", !match);
      if (match) left += 1;
    }
    return left;
  }

  jumpToStep(step) {
    one(`.p-line-head[data-step="${CSS.escape(step)}"]`, this.element)?.scrollIntoView({ block: "start" });
  }

  text() {
    return all(".p-line:not(.p-line-head) > span", this.element)
      .map((line) => line.textContent)
      .join("\n");
  }
}

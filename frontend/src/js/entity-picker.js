// <entity-picker src="/options" name="owner" [multiple]>: a combobox whose options the server finds.
// It posts q (and the picker's data-* filters) to src and gets <div role="option" data-value="…">label</div> fragments.
// Without JavaScript the inner text input is submitted as it is.
import { all, one } from "./dom.js";

const DELAY_MS = 150;
let serial = 0;

class EntityPicker extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.input = one("input[role=combobox]", this);
    this.list = one("[role=listbox]", this);
    this.status = one("[role=status]", this);
    this.value = one("input[type=hidden]", this);
    this.multiple = this.hasAttribute("multiple");
    // From here on the hidden fields carry the value; the visible input is only the search.
    this.free = this.hasAttribute("free");
    if (this.value && !this.multiple) this.value.disabled = false;
    if (this.value || this.multiple) this.input.removeAttribute("name");
    this.active = -1;
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("focus", () => this.search(0));
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.addEventListener("blur", () => this.leave());
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.choose(option);
    });
    this.addEventListener("click", (event) => event.target.closest("[data-remove]")?.closest("[data-chosen]").remove());
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  get options() {
    return all("[role=option]:not([aria-disabled=true])", this.list);
  }

  search(delay = DELAY_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetchOptions(), delay);
  }

  async fetchOptions(cursor = "") {
    this.request?.abort();
    this.request = new AbortController();
    const form = new FormData();
    // A field that shows its choice offers everything; a word that was typed narrows it.
    const typed = this.input.value.trim();
    form.set("q", typed === (this.chosenLabel ?? this.input.defaultValue) ? "" : typed);
    if (cursor) form.set("cursor", cursor);
    for (const [key, value] of Object.entries(this.dataset)) form.append(key, value);
    const headers = { "HX-Request": "true", "X-CSRF-Token": this.csrf() };
    try {
      const answer = await fetch(this.getAttribute("src"), {
        method: "POST",
        body: new URLSearchParams(form),
        headers,
        signal: this.request.signal,
      });
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(await answer.text(), cursor);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.close();
      this.say("The search did not answer. Type the full reference instead.");
    }
  }

  csrf() {
    try {
      return JSON.parse(document.body.getAttribute("hx-headers:inherited") || "{}")["X-CSRF-Token"] || "";
    } catch {
      return "";
    }
  }

  show(html, cursor = "") {
    if (document.activeElement !== this.input) return;
    const before = cursor ? this.options.length - 1 : 0;
    if (cursor) {
      one("[data-more]", this.list)?.remove();
      this.list.insertAdjacentHTML("beforeend", html);
    } else this.list.innerHTML = html;
    for (const option of this.options) {
      serial += 1;
      option.id ||= `picker-option-${serial}`;
      option.setAttribute("aria-selected", "false");
    }
    this.list.hidden = !this.list.childElementCount;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.active = -1;
    if (cursor) this.mark(before);
    const count = this.options.length;
    this.say(count ? `${count} result${count === 1 ? "" : "s"}` : "Nothing matches.");
  }

  say(text) {
    this.status.textContent = text;
  }

  close() {
    // An answer that is still on its way must not open the list again.
    clearTimeout(this.timer);
    this.request?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.active = -1;
  }

  mark(index) {
    const { options } = this;
    if (!options.length) return;
    this.active = (index + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.active)));
    this.input.setAttribute("aria-activedescendant", options[this.active].id);
    options[this.active].scrollIntoView({ block: "nearest" });
  }

  onKey(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) this.search(0);
      else this.mark(this.active + (event.key === "ArrowDown" ? 1 : this.active < 0 ? 0 : -1));
    } else if (event.key === "Enter" && open && this.active >= 0) {
      event.preventDefault();
      this.choose(this.options[this.active]);
    } else if (this.free && (event.key === "Enter" || event.key === ",") && this.input.value.trim()) {
      event.preventDefault();
      this.take();
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      this.close();
    } else if (event.key === "Backspace" && this.multiple && !this.input.value) {
      all("[data-chosen]", this).at(-1)?.remove();
    }
  }

  /** What was typed becomes a choice of its own. */
  take() {
    const typed = this.input.value.trim();
    this.addChip(typed, typed);
    this.input.value = "";
    this.close();
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  choose(option) {
    if (option.dataset.more) {
      this.fetchOptions(option.dataset.more);
      return;
    }
    const { value } = option.dataset;
    const label = option.dataset.label || one("b", option)?.textContent || option.textContent.trim();
    if (this.multiple) {
      this.addChip(value, label);
      this.input.value = "";
    } else {
      this.value.value = value;
      this.input.value = label;
      this.chosenLabel = label;
    }
    this.close();
    this.say(`${label} chosen`);
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  addChip(value, label) {
    const template = one("template", this);
    if (all("[data-chosen] input", this).some((input) => input.value === value)) return;
    const chip = template.content.firstElementChild.cloneNode(true);
    one("input", chip).value = value;
    one("[data-chosen-label]", chip).textContent = label;
    one("button", chip).setAttribute("aria-label", `Remove ${label}`);
    one("[data-chips]", this).append(chip);
  }

  /** What was typed but not chosen counts as a reference; an emptied field clears the value. */
  leave() {
    this.close();
    if (this.free && this.input.value.trim()) this.take();
    if (this.multiple || !this.value) return;
    const typed = this.input.value.trim();
    if (typed === (this.chosenLabel ?? this.input.defaultValue)) return;
    this.value.value = typed;
    this.chosenLabel = typed;
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

customElements.define("entity-picker", EntityPicker);

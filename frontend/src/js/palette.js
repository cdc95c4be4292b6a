// The command palette: a combobox over links that the server renders. Focus stays in the input.
/* global htmx */
import { all, on, one } from "./dom.js";

let current = 0;
let wanted = false; // Enter was pressed before the answer came
const dialog = () => one("#palette");
const input = () => one("input", dialog());
// Whether what is listed answers an older text than the one that is typed by now.
const stale = () => one("[data-query]", dialog())?.dataset.query !== input().value.trim().slice(0, 100);
const options = () => all("a[role=option]", dialog());

export const paletteIsOpen = () => Boolean(dialog()?.open);

function mark(index) {
  const found = options();
  if (!found.length) {
    input().removeAttribute("aria-activedescendant");
    return;
  }
  current = (index + found.length) % found.length;
  found.forEach((option, at) => option.setAttribute("aria-selected", at === current));
  input().setAttribute("aria-activedescendant", found[current].id);
  found[current].scrollIntoView({ block: "nearest" });
}

export function togglePalette() {
  const palette = dialog();
  if (!palette) return;
  if (palette.open) {
    palette.close();
    return;
  }
  one("#side:popover-open")?.hidePopover();
  palette.showModal();
  input().value = "";
  wanted = false;
  input().focus();
  // Not by an event on the input: the keys may come before htmx has looked at the page.
  htmx.ajax("GET", input().getAttribute("hx-get"), { target: "#palette-list", swap: "innerHTML" });
}

on("click", "[data-palette-open]", togglePalette);
on("keydown", "#palette input", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(current + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (stale()) wanted = true;
    else options()[current]?.click();
  }
});
on("input", "#palette input", () => {
  wanted = false;
});
on("click", "#palette a[role=option]", () => dialog().close());
document.addEventListener("htmx:after:swap", () => {
  if (!paletteIsOpen()) return;
  mark(0);
  if (!wanted || stale()) return;
  wanted = false;
  options()[current]?.click();
});

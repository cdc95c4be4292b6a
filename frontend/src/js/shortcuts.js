// Keyboard: Ctrl/Cmd+K, "/", "g" then a letter, j k o s in lists, "?". Single keys can be turned off (WCAG 2.1.4).
import { all, isTyping, on, one, recall, remember } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { togglePalette } from "./palette.js";

const STORE = "single-keys";
const SEQUENCE_MS = 1200;
const ROWS = "main tbody tr:not([hidden]), main .p-list > li";
let goPressed = -Infinity;

const singleKeysOn = () => recall(STORE) !== "off";

function rowLink(row) {
  return one("th a[href], td a[href], a[href]", row);
}

function step(by) {
  const rows = all(ROWS).filter((row) => rowLink(row) && row.offsetParent);
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rowLink(rows[next]).focus();
  rows[next].scrollIntoView({ block: "nearest" });
}

function star() {
  const row = document.activeElement?.closest("tr, .p-list > li");
  (one("[data-star]", row ?? document.body) ?? one("h1 [data-star]"))?.click();
}

function focusFilter() {
  const filter = one("[data-slash]");
  filter?.focus();
  filter?.select?.();
  return Boolean(filter);
}

const KEYS = {
  "/": focusFilter,
  "?": () => openDialog("shortcuts"),
  j: () => step(1),
  k: () => step(-1),
  o: () => document.activeElement?.closest("tr, li") && document.activeElement.click(),
  s: star,
};

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    togglePalette();
    return;
  }
  // Escape leaves the filter, so that the single keys work again.
  if (event.key === "Escape" && event.target.matches?.("[data-slash]")) event.target.blur();
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified || isTyping(event.target) || one("dialog[open]") || !singleKeysOn()) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.timeStamp - goPressed < SEQUENCE_MS) {
    goPressed = -Infinity;
    const link = one(`[data-go="${CSS.escape(key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  if (key === "g") {
    goPressed = event.timeStamp;
  } else if (KEYS[key]) {
    if (KEYS[key]() !== false) event.preventDefault();
  }
}

function showState() {
  const active = singleKeysOn();
  for (const toggle of all("[data-single-keys]")) toggle.checked = active;
  for (const row of all("[data-single-key]")) row.toggleAttribute("data-off", !active);
}

document.addEventListener("keydown", onKey);
on("change", "[data-single-keys]", (_event, toggle) => {
  remember(STORE, toggle.checked ? "on" : "off");
  showState();
});
showState();

if (/Mac|iPhone|iPad/.test(navigator.platform)) {
  for (const key of all("[data-mod-key]")) key.textContent = `⌘ ${key.dataset.modKey}`;
}

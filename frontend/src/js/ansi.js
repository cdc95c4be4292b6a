// ANSI colour sequences to spans. Anything that is not a colour (cursor moves, titles) is dropped.
import { escapeHtml } from "./dom.js";

// The escape character starts every sequence; \x9b is its one-byte form.
const SEQUENCE = /(?:\x1b\[|\x9b)([0-9;]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

function classesAfter(codes, classes) {
  const next = new Set(classes);
  for (const code of codes) {
    if (code === 0) next.clear();
    else if (code === 1) next.add("p-ansi-bold");
    else if (code === 22) next.delete("p-ansi-bold");
    else if ((code >= 30 && code <= 37) || code === 39 || (code >= 90 && code <= 97)) {
      for (const name of next) if (name !== "p-ansi-bold") next.delete(name);
      if (code !== 39) next.add(`p-ansi-${code >= 90 ? code - 60 : code}`);
    }
  }
  return next;
}

/** One line of output as HTML. */
export function ansiToHtml(line) {
  let html = "";
  let at = 0;
  let classes = new Set();
  const put = (text) => {
    const clean = escapeHtml(text.replace(CONTROL, ""));
    if (clean) html += classes.size ? `<span class="${[...classes].join(" ")}">${clean}</span>` : clean;
  };
  for (const match of line.matchAll(SEQUENCE)) {
    put(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") classes = classesAfter((match[1] || "0").split(";").map(Number), classes);
  }
  put(line.slice(at));
  return html;
}

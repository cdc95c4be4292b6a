// Small helpers that every part of the kit uses.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Listen once on the document for an event inside elements that match; survives every swap. */
export function on(type, selector, handler) {
  document.addEventListener(type, (event) => {
    const match = event.target.closest?.(selector);
    if (match) handler(event, match);
  });
}

export const isTyping = (target) => Boolean(target.closest?.("input, textarea, select, [contenteditable]"));

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is off: the choice lasts for this page
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
export const escapeHtml = (text) => text.replace(/[&<>"]/g, (char) => ENTITIES[char]);

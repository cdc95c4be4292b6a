// Short messages in the corner; the region is role=status, so they are read out.
import { one } from "./dom.js";

const SHOWN_MS = 4000;

export function toast(message, tone = "neutral") {
  const region = one("#toasts");
  if (!region) return;
  const item = document.createElement("div");
  item.className = "p-toast";
  item.dataset.tone = tone;
  item.textContent = message;
  region.append(item);
  setTimeout(() => item.remove(), SHOWN_MS);
}

// A server answer may ask for one: HX-Trigger: {"toast": {"message": "Saved", "tone": "ok"}}
document.addEventListener("toast", (event) => toast(event.detail?.message ?? event.detail?.value ?? "", event.detail?.tone));
document.addEventListener("htmx:error", (event) => {
  if (event.detail?.ctx && !event.detail.ctx.response) toast("The server did not answer. Nothing was changed here.", "bad");
});

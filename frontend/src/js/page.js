// Small behaviours of pages: copy, dismiss, filter in place, range output, table of contents, live fragments.
import { all, on, one } from "./dom.js";
import { toast } from "./toast.js";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser did not allow copying. Select the text instead.", "bad");
  }
}

on("click", "[data-copy]", (_event, button) => {
  const source = button.dataset.copy || one("code", button.closest("figure, [data-copy-group]"))?.innerText || "";
  copy(source);
});
on("click", "[data-dismiss]", (_event, button) => button.closest("[data-dismissable]").remove());
on("input", "[data-filter]", (_event, input) => {
  const wanted = input.value.trim().toLowerCase();
  for (const item of all(input.dataset.filter)) item.hidden = !item.textContent.toLowerCase().includes(wanted);
});
on("input", "[data-output]", (_event, input) => {
  document.getElementById(input.dataset.output).textContent = input.value;
});

// Polling fragments rest while the tab is hidden.
document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (document.hidden && ctx.sourceElement?.matches?.("[data-live]")) event.preventDefault();
});

// After a form came back with errors, its summary is read first.
document.addEventListener("htmx:after:swap", () => one("[data-focus]")?.focus());
one("[data-focus]")?.focus();

// Docs: mark the section in view.
const contents = all(".p-toc a");
if (contents.length) {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of contents) link.classList.toggle("p-cur", link.hash === `#${entry.target.id}`);
      }
    },
    { rootMargin: "-70px 0px -70% 0px" },
  );
  for (const heading of all(".p-prose :is(h2, h3)[id]")) seen.observe(heading);
}

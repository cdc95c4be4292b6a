// Opening and closing of <dialog>, and the confirmation that wants a name typed.
import { all, on, one } from "./dom.js";

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
}

on("click", "[data-dialog]", (_event, button) => {
  button.closest("[popover]")?.hidePopover();
  openDialog(button.dataset.dialog);
});
on("click", "[data-dialog-close]", (_event, button) => button.closest("dialog").close());

// A press outside the dialog's box lands on the dialog element itself.
on("pointerdown", "dialog[open]", (event, dialog) => {
  if (event.target !== dialog) return;
  const box = dialog.getBoundingClientRect();
  const inside =
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
});

const typed = (form) => one("[name=confirm]", form).value.trim() === form.dataset.typedConfirm;

function guard(form) {
  one("button[type=submit]", form).disabled = !typed(form);
}

on("input", "form[data-typed-confirm]", (_event, form) => guard(form));
on("submit", "form[data-typed-confirm]", (event, form) => {
  if (!typed(form)) event.preventDefault();
});

function prepare() {
  all("form[data-typed-confirm]").forEach(guard);
  for (const dialog of all("dialog[data-dialog-now]")) {
    dialog.removeAttribute("data-dialog-now");
    if (!dialog.open) dialog.showModal();
  }
}

document.addEventListener("htmx:after:swap", prepare);
prepare();

// One tooltip for every chart: the server puts the text into data-tip.
let tip = null;

function hide() {
  tip?.remove();
  tip = null;
}

document.addEventListener("pointermove", (event) => {
  const part = event.target.closest?.("[data-tip]");
  if (!part) {
    hide();
    return;
  }
  tip ??= document.body.appendChild(Object.assign(document.createElement("div"), { className: "p-chart-tip" }));
  tip.textContent = part.dataset.tip;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.max(event.clientY - 36, 4)}px`;
});

// The theme menu: light, dark or as the system says. The choice is kept in the browser and told to the server by cookie.
import { all, on, recall, remember } from "./dom.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = () => recall("theme") || document.documentElement.dataset.theme || "system";

function apply(theme) {
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme !== "light" && system.matches));
  for (const item of all("[data-theme-choice]")) {
    item.setAttribute("aria-pressed", item.dataset.themeChoice === theme);
  }
}

on("click", "[data-theme-choice]", (_event, item) => {
  const theme = item.dataset.themeChoice;
  remember("theme", theme);
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  apply(theme);
  item.closest("[popover]")?.hidePopover();
});
system.addEventListener("change", () => apply(chosen()));
apply(chosen());

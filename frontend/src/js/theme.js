// Runs before the first paint, so that a dark page never flashes white. Classic script: must stay tiny.
(() => {
  const root = document.documentElement;
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // storage is off: the server's choice stands
  }
  theme ||= root.dataset.theme;
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.classList.toggle("dark", dark);
})();

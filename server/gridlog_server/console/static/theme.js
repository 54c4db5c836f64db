// Light or dark: as the system says, unless somebody chose. Runs before anything is painted, so nothing flashes.
(function () {
  "use strict";
  var KEY = "gridlog-theme";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try { return window.localStorage.getItem(KEY); } catch (_) { return null; }
  }
  function apply() {
    var wish = chosen();
    var isDark = wish === "dark" || (wish !== "light" && dark.matches);
    document.documentElement.setAttribute("data-bs-theme", isDark ? "dark" : "light");
    document.querySelectorAll("[data-theme]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === (wish || "system")));
    });
  }
  window.gridlogTheme = {
    apply: apply,
    choose: function (wish) {
      try {
        if (wish === "system") { window.localStorage.removeItem(KEY); } else { window.localStorage.setItem(KEY, wish); }
      } catch (_) { /* A browser that keeps nothing follows the system. */ }
      apply();
    },
  };
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", apply);
  apply();
})();

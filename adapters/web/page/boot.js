// Before the first paint: the remembered language, and light or dark.
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try { return localStorage.getItem("parley." + name); } catch { return null; }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => { root.dataset.theme = kept("theme") || (dark.matches ? "dark" : "light"); };
  paint();
  dark.addEventListener("change", paint);
  const wish = [kept("lang"), ...navigator.languages, root.lang].filter(Boolean);
  root.lang = wish.map((each) => each.slice(0, 2).toLowerCase()).find((each) => each === "zh" || each === "en") || "en";
})();

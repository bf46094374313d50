// The choice of theme, and the rail that folds; both are kept in this browser.

function keep(name, value) {
  const root = document.documentElement;
  if (value) root.dataset[name] = value;
  else delete root.dataset[name];
  try {
    localStorage.setItem(`kvmweb-${name}`, value);
  } catch {
    // No storage: it lasts as long as this page.
  }
}

function press() {
  const now = document.documentElement.dataset.theme ?? "";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === now));
  }
}

function choose(value) {
  keep("theme", value);
  press();
  document.dispatchEvent(new Event("kvmweb:theme"));
}

function fold() {
  keep("rail", document.documentElement.dataset.rail === "small" ? "" : "small");
}

export const themes = {
  start() {
    for (const group of document.querySelectorAll("[data-themes]"))
      group.hidden = false;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.addEventListener("click", () => choose(button.dataset.themeChoice));
    }
    const button = document.querySelector("[data-fold]");
    button?.addEventListener("click", fold);
    if (button) button.hidden = false;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      document.dispatchEvent(new Event("kvmweb:theme"));
    });
    press();
  },
};

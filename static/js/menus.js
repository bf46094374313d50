// Menus close when one clicks elsewhere or presses Escape; forms send once.

const EDGE = 64; // the top bar, or the bottom one of a phone

function closeOthers(target) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}

function escaped(event) {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
}

/** Below is where a menu opens; above, where there is no room below. */
function place(event) {
  const menu = event.target;
  if (!menu.matches("details[data-menu]")) return;
  menu.classList.remove("up");
  if (!menu.open) return;
  const { height } = menu.querySelector(".items").getBoundingClientRect();
  const { top, bottom } = menu.getBoundingClientRect();
  menu.classList.toggle(
    "up",
    bottom + height + EDGE > innerHeight && top > height + EDGE,
  );
}

function busy(event) {
  const button = event.submitter;
  if (event.defaultPrevented || event.target.method !== "post" || !button) return;
  if (button.getAttribute("aria-busy") === "true") event.preventDefault();
  else button.setAttribute("aria-busy", "true");
}

function idle() {
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
  }
}

export const menus = {
  start() {
    document.addEventListener("click", (event) => closeOthers(event.target));
    document.addEventListener("focusin", (event) => closeOthers(event.target));
    document.addEventListener("keydown", escaped);
    document.addEventListener("toggle", place, true);
    document.addEventListener("submit", busy);
    addEventListener("pageshow", (event) => event.persisted && idle());
  },
};

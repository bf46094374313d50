// Sections as tabs; without this script they simply stand below each other.

function show(nav) {
  const links = [...nav.querySelectorAll("a")];
  const wanted = links.find((link) => link.hash === location.hash) ?? links[0];
  nav.scrollLeft = wanted.offsetLeft - nav.clientWidth / 3; // on a phone it may be far
  for (const link of links) {
    const chosen = link === wanted;
    if (chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    const section = document.getElementById(link.hash.slice(1));
    if (section) section.hidden = !chosen;
  }
}

export const tabs = {
  start() {
    const nav = document.querySelector("[data-tabs]");
    if (!nav) return;
    show(nav);
    // The browser jumps to the section of the address, past the head of the page.
    const back = () => requestAnimationFrame(() => scrollTo(0, 0));
    if (location.hash) addEventListener("load", () => setTimeout(back), { once: true });
    addEventListener("hashchange", () => {
      show(nav);
      scrollTo(0, 0);
    });
  },
};

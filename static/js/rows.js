// The menu of a row is filled when it is opened: fifty of them would be heavy.

function fill(menu) {
  const template = document.querySelector("template[data-row-menu]");
  const row = menu.closest("tr");
  if (!template || !row) return;
  const items = template.content.cloneNode(true);
  const state = row.hasAttribute("data-template") ? "template" : row.dataset.state;
  for (const item of items.querySelectorAll("[data-states]")) {
    if (!item.dataset.states.split(" ").includes(state)) item.remove();
  }
  for (const link of items.querySelectorAll("[data-below]")) {
    link.href = `/guests/${row.dataset.guest}/${link.dataset.below}`;
  }
  menu.querySelector(".items").replaceChildren(items);
}

function click(event) {
  const menu = event.target.closest("[data-row-actions] > summary")?.parentElement;
  if (menu && !menu.open) fill(menu);
}

/** An open menu is left alone by news. */
function turned(event) {
  const menu = event.target;
  if (menu.matches("[data-row-actions]")) menu.toggleAttribute("data-kept", menu.open);
}

export const rows = {
  start() {
    document.addEventListener("click", click);
    document.addEventListener("toggle", turned, true);
  },
};

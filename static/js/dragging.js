// A guest's name, dragged onto a host: the dialog of that move opens.
// Who does not drag has “Move…” in the row's menu.

const strip = () => document.querySelector("[data-drop-hosts]");
let dragged = null;

function begin(event) {
  const row = event.target.closest?.("tr[data-guest]");
  if (!row || !strip() || !event.target.closest("a.name")) return;
  dragged = row.dataset.guest;
  const home = row.querySelector('a[href^="/hosts/"]')?.textContent.trim();
  for (const each of document.querySelectorAll("[data-drop-host]")) {
    each.toggleAttribute("data-home", each.dataset.dropHost === home);
  }
  event.dataTransfer.effectAllowed = "copyMove";
  // Shown a moment later: Chromium ends a drag when the page changes at once.
  setTimeout(() => strip().toggleAttribute("hidden", !dragged));
}

function over(event) {
  const host = event.target.closest?.("[data-drop-host]");
  for (const each of document.querySelectorAll("[data-drop-host]")) {
    each.toggleAttribute("data-over", each === host);
  }
  if (host && dragged) event.preventDefault();
}

function drop(event) {
  const host = event.target.closest?.("[data-drop-host]");
  if (!host || !dragged) return;
  event.preventDefault();
  location.href = `/guests/${dragged}/move/#to-${host.dataset.dropHost}`;
}

function end() {
  dragged = null;
  strip()?.setAttribute("hidden", "");
}

export const dragging = {
  start() {
    document.addEventListener("dragstart", begin);
    document.addEventListener("dragover", over);
    document.addEventListener("drop", drop);
    document.addEventListener("dragend", end);
  },
};

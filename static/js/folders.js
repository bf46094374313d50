// The folders beside the list: guests dragged onto them or put there by the bar below
// the list, arrow keys in the tree, and which of its branches are open.
import { api } from "./api.js";
import { notice } from "./notices.js";
import { parts } from "./parts.js";

const OPEN = "kvmweb-folders-open";
const tree = () => document.querySelector("[data-part=folders]");
let dragged = [];

function chosen() {
  return [...document.querySelectorAll("tr[data-guest][aria-selected=true]")];
}

const from = () => new URLSearchParams(location.search).get("folder") ?? "";
const left = () => (from() === "-" ? "" : from());

async function put(rows, to, source) {
  const guests = rows.map((row) => row.dataset.guest);
  const who = rows.length === 1 ? rows[0].dataset.name : `${rows.length} guests`;
  try {
    const { changed } = await api("POST", "folders/move/", {
      guests,
      to,
      from: source,
    });
    const where = to ? `put into ${to}` : `taken out of ${source}`;
    notice("success", changed ? `${who}: ${where}.` : `${who}: there already.`);
    document.querySelector("[data-bulk-clear]")?.click();
  } catch (problem) {
    notice("error", problem.message);
  }
  parts.soon();
}

function begin(event) {
  const row = event.target.closest?.("tr[data-guest]");
  if (!row || !event.target.closest("a.name")) return;
  if (tree()?.dataset.movable !== "yes") return;
  const rows = chosen();
  dragged = rows.includes(row) ? rows : [row];
  event.dataTransfer.effectAllowed = "copyMove";
}

function over(event) {
  const folder = event.target.closest?.("[data-drop-folder]");
  for (const each of document.querySelectorAll("[data-drop-folder][data-over]")) {
    if (each !== folder) each.removeAttribute("data-over");
  }
  if (!folder || !dragged.length) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = event.ctrlKey || !left() ? "copy" : "move";
  folder.setAttribute("data-over", "");
}

function drop(event) {
  const folder = event.target.closest?.("[data-drop-folder]");
  if (!folder || !dragged.length) return;
  event.preventDefault();
  put(dragged, folder.dataset.dropFolder, event.ctrlKey ? "" : left());
  end();
}

function end() {
  dragged = [];
  for (const each of document.querySelectorAll("[data-drop-folder][data-over]")) {
    each.removeAttribute("data-over");
  }
}

function submit(event) {
  const form = event.target;
  if (!form.matches("[data-to-folder]")) return;
  event.preventDefault();
  const verb = event.submitter?.value ?? "add";
  const to = verb === "leave" ? "" : form.elements.to.value.trim().toLowerCase();
  if (verb !== "leave" && !to) {
    form.elements.to.focus();
    return;
  }
  form.closest("details").open = false;
  put(chosen(), to, verb === "add" ? "" : form.dataset.from);
}

/** Up and down go from folder to folder; left and right shut and open one. */
function key(event) {
  const link = event.target.closest?.("[data-part=folders] li > a");
  if (!link) return;
  const branch = link.parentElement.querySelector(":scope > details");
  const links = [...tree().querySelectorAll("li > a")].filter((it) => it.offsetParent);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) links[links.indexOf(link) + step]?.focus();
  else if (event.key === "ArrowRight" && branch) branch.open = true;
  else if (event.key === "ArrowLeft" && branch?.open) branch.open = false;
  else if (event.key === "ArrowLeft") {
    const above = link.closest("details")?.parentElement.querySelector(":scope > a");
    above?.focus();
  } else return;
  event.preventDefault();
}

function remember(event) {
  if (!event.target.matches("[data-part=folders] details")) return;
  const open = [...tree().querySelectorAll("details[open]")];
  sessionStorage.setItem(OPEN, JSON.stringify(open.map((it) => it.dataset.folder)));
}

function reopen() {
  const known = new Set(JSON.parse(sessionStorage.getItem(OPEN) ?? "[]"));
  for (const branch of tree()?.querySelectorAll("details") ?? []) {
    if (known.has(branch.dataset.folder)) branch.open = true;
  }
}

function choose(event) {
  if (event.target.matches("select.folder-choice")) event.target.form.requestSubmit();
}

reopen();
document.addEventListener("dragstart", begin);
document.addEventListener("dragover", over);
document.addEventListener("drop", drop);
document.addEventListener("dragend", end);
document.addEventListener("submit", submit);
document.addEventListener("keydown", key);
document.addEventListener("toggle", remember, true);
document.addEventListener("change", choose);

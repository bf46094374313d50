// Every page: each module takes what it finds on it.
import { actions } from "./actions.js";
import { bell } from "./bell.js";
import { cells } from "./cells.js";
import { copies } from "./copies.js";
import { dragging } from "./dragging.js";
import { drawer } from "./drawer.js";
import { live } from "./live.js";
import { menus } from "./menus.js";
import { parts } from "./parts.js";
import { rows } from "./rows.js";
import { search } from "./search.js";
import { selection } from "./selection.js";
import { tabs } from "./tabs.js";
import { themes } from "./themes.js";
import { times } from "./times.js";

// Actions come before menus: they take the clicks that would send a form.
for (const module of [times, themes, tabs, actions, menus, rows, copies, search]) {
  module.start();
}
for (const module of [parts, cells, selection, drawer, bell, dragging, live])
  module.start();

// A form that was refused is gone on with where it is wrong.
document.querySelector('main [aria-invalid="true"]')?.focus();

if (document.querySelector("[data-charts]")) {
  const { charts } = await import("./charts.js");
  charts.start();
}

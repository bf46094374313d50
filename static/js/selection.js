// Rows that are chosen together: click, shift-click, space, shift with an arrow; and
// what is done to them.
import { agreed } from "./actions.js";
import { api } from "./api.js";
import { notice } from "./notices.js";
import { words } from "./words.js";

const AT_ONCE = 4;

class Selection {
  constructor(list, bar) {
    this.list = list;
    this.bar = bar;
    this.last = null;
  }

  get boxes() {
    return [...this.list.querySelectorAll("[data-select]")];
  }

  get chosen() {
    return this.boxes.filter((box) => box.checked).map((box) => box.closest("tr"));
  }

  start() {
    this.list.addEventListener("click", (event) => this.click(event));
    this.list.addEventListener("keydown", (event) => this.step(event));
    this.bar.addEventListener("click", (event) => this.press(event));
    document.addEventListener("kvmweb:parts", () => this.show());
    this.show();
  }

  click(event) {
    const box = event.target;
    if (box.matches("[data-select-all]")) {
      for (const each of this.boxes) each.checked = box.checked;
    } else if (box.matches("[data-select]")) {
      if (event.shiftKey && this.last?.isConnected) this.range(box);
      this.last = box;
    } else return;
    this.show();
  }

  /** Up and down go from row to row; with shift what lies between is chosen, too. */
  step(event) {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!way || !event.target.matches("[data-select]")) return;
    const boxes = this.boxes;
    const next = boxes[boxes.indexOf(event.target) + way];
    event.preventDefault();
    if (!next) return;
    next.focus();
    if (!event.shiftKey) return;
    event.target.checked = true;
    next.checked = true;
    this.last = next;
    this.show();
  }

  range(box) {
    const boxes = this.boxes;
    const ends = [boxes.indexOf(box), boxes.indexOf(this.last)].sort((a, b) => a - b);
    for (const each of boxes.slice(ends[0], ends[1] + 1)) each.checked = box.checked;
  }

  show() {
    const chosen = this.chosen.length;
    const all = this.list.querySelector("[data-select-all]");
    if (all) {
      all.disabled = false;
      all.setAttribute("data-kept", "");
      all.checked = chosen > 0 && chosen === this.boxes.length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
    for (const box of this.boxes) {
      const row = box.closest("tr");
      if (box.checked) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
    this.bar.hidden = chosen === 0;
    const said = `${chosen} selected`;
    const count = this.bar.querySelector("[data-bulk-count]");
    if (count.textContent !== said) count.textContent = said;
  }

  async press(event) {
    const button = event.target.closest("button");
    if (!button || button.getAttribute("aria-busy") === "true") return;
    if (button.matches("[data-bulk-clear]")) {
      for (const box of this.boxes) box.checked = false;
      this.show();
      return;
    }
    const act = button.dataset.bulkAct;
    if (!act) return;
    const rows = this.chosen.map(({ dataset }) => [dataset.guest, dataset.name]);
    const whom = rows.length === 1 ? rows[0][1] : `${rows.length} guests`;
    if (!(await agreed(act, whom))) return;
    button.setAttribute("aria-busy", "true");
    await this.perform(act, rows);
    button.removeAttribute("aria-busy");
  }

  async perform(act, rows) {
    const waiting = [...rows];
    const refused = [];
    const worker = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        try {
          await api("POST", `guests/${row[0]}/${act}/`);
        } catch (problem) {
          refused.push(problem.message);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const asked = rows.length - refused.length;
    if (asked) notice("success", `${words.kind(act)}: asked for ${asked}.`);
    for (const said of refused.slice(0, 3)) notice("error", said);
    if (refused.length > 3) {
      notice("error", `${refused.length - 3} more were refused.`);
    }
  }
}

export const selection = {
  start() {
    const list = document.querySelector("[data-part=list]:has([data-selection])");
    const bar = document.querySelector("[data-bulk]");
    if (list && bar) new Selection(list, bar).start();
  },
};

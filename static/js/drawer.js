// Operations on every page: how many go on, and a drawer with their progress.
import { api } from "./api.js";
import { live } from "./live.js";
import { marks } from "./marks.js";
import { notice } from "./notices.js";
import { Panel } from "./panel.js";

const ACTIVE = new Set(["queued", "running"]);

class Drawer extends Panel {
  constructor(link, panel) {
    super(link, panel, "The operations could not be read now.");
    this.count = link.querySelector("[data-operations]");
    this.active = new Set();
  }

  start() {
    super.start();
    this.panel.addEventListener("click", (event) => this.press(event));
    live.addEventListener("news", ({ detail }) => {
      if (detail.type === "operation" && detail.topic === "operations") {
        this.hear(detail.data);
      }
    });
    live.addEventListener("refetch", () => this.ask());
    this.ask();
  }

  async ask() {
    try {
      const { items } = await api("GET", "operations/?state=active&limit=100");
      this.active = new Set(items.map((operation) => operation.id));
      this.show();
    } catch {
      // The next refetch asks again; the live line says that nobody answers.
    }
    if (this.isOpen) await this.fill();
  }

  show() {
    this.count.textContent = String(this.active.size);
    this.count.dataset.active = this.active.size ? "yes" : "no";
    const said = this.active.size === 1 ? "operation" : "operations";
    this.link.setAttribute("aria-label", `${this.active.size} ${said} under way`);
  }

  hear(operation) {
    if (ACTIVE.has(operation.state)) this.active.add(operation.id);
    else this.active.delete(operation.id);
    this.show();
    if (!this.isOpen) return;
    const task = this.panel.querySelector(`[data-operation="${operation.id}"]`);
    if (task && ACTIVE.has(operation.state)) this.update(task, operation);
    else this.fill();
  }

  update(task, operation) {
    const progress = task.querySelector("[data-news=progress]");
    if (progress) progress.value = operation.progress;
    const words = task.querySelector("[data-news=words]");
    if (operation.phase) words.textContent = operation.phase;
    const state = task.querySelector("[data-news=state]");
    state.replaceChildren(marks.operation(operation.state));
  }

  async press(event) {
    const button = event.target.closest("button");
    if (!button?.dataset.cancel) return;
    button.setAttribute("aria-busy", "true");
    try {
      await api("POST", `operations/${button.dataset.cancel}/cancel/`);
    } catch (problem) {
      button.removeAttribute("aria-busy");
      notice("error", problem.message);
    }
  }
}

export const drawer = {
  start() {
    const link = document.querySelector("[data-drawer]");
    const panel = document.getElementById("drawer");
    if (link && panel) new Drawer(link, panel).start();
  },
};

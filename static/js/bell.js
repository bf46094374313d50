// The bell on every page: how much is new, and a drawer with the last of it.
import { api } from "./api.js";
import { live } from "./live.js";
import { notice } from "./notices.js";
import { times } from "./times.js";

class Bell {
  constructor(link, panel) {
    this.link = link;
    this.panel = panel;
    this.count = link.querySelector("[data-unread]");
  }

  start() {
    this.link.setAttribute("role", "button");
    this.link.setAttribute("aria-expanded", "false");
    this.link.setAttribute("aria-controls", this.panel.id);
    this.link.addEventListener("click", (event) => this.toggle(event));
    this.link.addEventListener("keydown", (event) => {
      if (event.key === " ") this.toggle(event);
    });
    this.panel.addEventListener("click", (event) => {
      if (event.target.closest("[data-bell-close]")) this.close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.panel.hidden) this.close();
    });
    document.querySelector("[data-drawer]")?.addEventListener("click", () => {
      if (!this.panel.hidden) this.hide();
    });
    live.addEventListener("news", ({ detail }) => {
      if (detail.topic === "notices" && detail.type === "state") this.hear(detail.data);
    });
    live.addEventListener("refetch", () => this.ask());
    this.ask();
  }

  hear(data) {
    if (data.notice) notice("info", data.notice.title);
    this.ask();
  }

  async ask() {
    try {
      const { count } = await api("GET", "notices/?unread=true&limit=1");
      this.show(count);
    } catch {
      // The next refetch asks again; the live line says that nobody answers.
    }
    if (!this.panel.hidden) await this.fill();
  }

  show(unread) {
    this.count.textContent = unread > 99 ? "99+" : String(unread);
    this.count.dataset.active = unread ? "yes" : "no";
    this.link.setAttribute("aria-label", unread ? `Notices: ${unread} new` : "Notices");
  }

  toggle(event) {
    event.preventDefault();
    if (this.panel.hidden) this.open();
    else this.close();
  }

  async open() {
    document.querySelector("#drawer:not([hidden]) [data-drawer-close]")?.click();
    this.panel.hidden = false;
    this.link.setAttribute("aria-expanded", "true");
    await this.fill();
    this.panel.querySelector("[data-bell-close]")?.focus();
  }

  hide() {
    this.panel.hidden = true;
    this.link.setAttribute("aria-expanded", "false");
  }

  close() {
    this.hide();
    this.link.focus();
  }

  async fill() {
    try {
      const response = await fetch(this.link.dataset.bell);
      if (!response.ok) throw new Error();
      const text = await response.text();
      const part = new DOMParser().parseFromString(text, "text/html").body;
      times.tell(part);
      this.panel.replaceChildren(...part.childNodes);
    } catch {
      notice("error", "The notices could not be read now.");
    }
  }
}

export const bell = {
  start() {
    const link = document.querySelector("[data-bell]");
    const panel = document.getElementById("notices-drawer");
    if (link && panel) new Bell(link, panel).start();
  },
};

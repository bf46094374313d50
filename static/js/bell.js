// The bell on every page: how much is new, and a drawer with the last of it.
import { api } from "./api.js";
import { live } from "./live.js";
import { notice } from "./notices.js";
import { Panel } from "./panel.js";

class Bell extends Panel {
  constructor(link, panel) {
    super(link, panel, "The notices could not be read now.");
    this.count = link.querySelector("[data-unread]");
  }

  start() {
    super.start();
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
    if (this.isOpen) await this.fill();
  }

  show(unread) {
    this.count.textContent = unread > 99 ? "99+" : String(unread);
    this.count.dataset.active = unread ? "yes" : "no";
    this.link.setAttribute("aria-label", unread ? `Notices: ${unread} new` : "Notices");
  }
}

export const bell = {
  start() {
    const link = document.querySelector("[data-bell]");
    const panel = document.getElementById("notices-drawer");
    if (link && panel) new Bell(link, panel).start();
  },
};

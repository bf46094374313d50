// A panel beside every page: its button opens and shuts it, the server fills it, and one
// is open at a time. Without this the button is a link to the whole page.
import { notice } from "./notices.js";
import { times } from "./times.js";

const panels = new Set();

export class Panel {
  constructor(link, panel, sorry) {
    this.link = link;
    this.panel = panel;
    this.sorry = sorry;
  }

  start() {
    panels.add(this);
    this.link.setAttribute("role", "button");
    this.link.setAttribute("aria-expanded", "false");
    this.link.setAttribute("aria-controls", this.panel.id);
    this.link.addEventListener("click", (event) => this.toggle(event));
    this.link.addEventListener("keydown", (event) => {
      if (event.key === " ") this.toggle(event);
    });
    this.panel.addEventListener("click", (event) => {
      if (event.target.closest("[data-panel-close]")) this.close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.isOpen) this.close();
    });
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  toggle(event) {
    event.preventDefault();
    if (this.isOpen) this.close();
    else this.open();
  }

  async open() {
    for (const other of panels) if (other !== this && other.isOpen) other.hide();
    this.panel.hidden = false;
    this.link.setAttribute("aria-expanded", "true");
    await this.fill();
    this.panel.querySelector("[data-panel-close]")?.focus();
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
      const response = await fetch(this.link.dataset.panel);
      if (!response.ok) throw new Error();
      const text = await response.text();
      const part = new DOMParser().parseFromString(text, "text/html").body;
      times.tell(part);
      this.panel.replaceChildren(...part.childNodes);
    } catch {
      notice("error", this.sorry);
    }
  }
}

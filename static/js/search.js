// Ctrl-K: find a guest or host by name, tag, address or owner, and go there.
import { api } from "./api.js";
import { marks } from "./marks.js";

const PAUSE_MS = 150;

class Palette {
  constructor(field) {
    this.field = field;
    this.asked = 0;
  }

  start() {
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.open();
    });
    this.field.addEventListener("click", () => this.open());
  }

  open() {
    if (this.dialog?.open) return;
    this.dialog = this.build();
    document.body.append(this.dialog);
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.showModal();
    this.input.value = this.field.value;
    this.find();
  }

  build() {
    const dialog = document.createElement("dialog");
    dialog.className = "palette";
    dialog.setAttribute("aria-label", "Find a guest or host");
    this.input = document.createElement("input");
    this.input.type = "text"; // Escape closes, it does not only empty
    this.input.placeholder = "Name, tag, address, owner";
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-label", "Find a guest or host"],
      ["aria-controls", "found"],
      ["aria-expanded", "true"],
      ["aria-autocomplete", "list"],
      ["autocomplete", "off"],
    ]) {
      this.input.setAttribute(name, value);
    }
    this.list = document.createElement("div");
    this.list.id = "found";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Found");
    this.said = marks.text("p", "muted inside", "");
    this.said.setAttribute("role", "status");
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.find(), PAUSE_MS);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    dialog.append(this.input, this.list, this.said);
    return dialog;
  }

  async find() {
    this.asked += 1;
    const mine = this.asked;
    const query = `search=${encodeURIComponent(this.input.value)}&limit=8`;
    const [guests, hosts] = await Promise.all(
      [`guests/?${query}`, `hosts/?${query}`].map((path) =>
        api("GET", path).catch(() => ({ items: [] })),
      ),
    );
    if (mine !== this.asked) return;
    const found = [
      ...guests.items.map((it) => [`/guests/${it.uuid}/`, it, it.host_name ?? ""]),
      ...hosts.items.map((it) => [`/hosts/${it.id}/`, it, "host"]),
    ];
    this.list.replaceChildren(
      ...found.map((entry, index) => this.option(entry, index)),
    );
    this.said.textContent = found.length ? "" : "Nothing is called so.";
    this.said.hidden = found.length > 0;
    this.choose(0);
  }

  option([address, thing, beside], index) {
    const link = document.createElement("a");
    link.href = address;
    link.id = `found-${index}`;
    link.tabIndex = -1;
    link.setAttribute("role", "option");
    link.append(
      marks.state(thing.state),
      marks.text("strong", "", thing.name),
      marks.text("span", "muted", beside),
    );
    return link;
  }

  choose(index) {
    const options = [...this.list.children];
    this.at = options.length ? (index + options.length) % options.length : -1;
    options.forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === this.at));
    });
    const chosen = options[this.at];
    this.input.setAttribute("aria-activedescendant", chosen?.id ?? "");
    chosen?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.choose(this.at + step);
    } else if (event.key === "Enter") {
      const chosen = this.list.children[this.at];
      const all = `/guests/?search=${encodeURIComponent(this.input.value)}`;
      location.assign(chosen ? chosen.href : all);
    }
  }
}

export const search = {
  start() {
    const field = document.querySelector(".find input");
    if (field) new Palette(field).start();
  },
};

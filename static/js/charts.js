// Charts of a guest or host: what the API knows, then every sample as it comes.
import uPlot from "/static/npm/uplot/uPlot.esm.js";
import { api } from "./api.js";
import { live } from "./live.js";
import { PLOTS, readable } from "./plots.js";

const HOUR_S = 3600;
const GAP_STEPS = 4;
const REFRESH_MS = 60000;

class Charts {
  constructor(root) {
    this.root = root;
    this.range = root.dataset.range ?? "1h";
    this.plots = [...root.querySelectorAll("[data-chart]")].map((section) => ({
      section,
      plot: PLOTS[section.dataset.chart],
      holder: section.querySelector("[data-plot]"),
      value: section.querySelector("[data-news]"),
    }));
    this.limits = {
      vcpus: Number(root.dataset.vcpus),
      memory: Number(root.dataset.memory),
    };
  }

  start() {
    const ranges = this.root.querySelector("[data-ranges]");
    ranges?.removeAttribute("hidden");
    ranges?.addEventListener("click", (event) => this.choose(event, ranges));
    live.addEventListener("refetch", () => this.load());
    live.addEventListener("news", ({ detail }) => {
      if (detail.type === "stats" && /^(guest|host):/.test(detail.topic)) {
        this.push(Date.parse(detail.at) / 1000, detail.data);
      }
    });
    document.addEventListener("kvmweb:theme", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(this.root);
    setInterval(
      () => (this.range === "1h" && live.on ? null : this.load()),
      REFRESH_MS,
    );
    this.load();
  }

  choose(event, ranges) {
    const button = event.target.closest("[data-range]");
    if (!button) return;
    this.range = button.dataset.range;
    for (const each of ranges.querySelectorAll("[data-range]")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    this.load();
  }

  async load() {
    const path = this.root.dataset.charts.replace("/api/v1/", "");
    const range = this.range;
    let said;
    try {
      said = await api("GET", `${path}?range=${range}`);
    } catch {
      return; // the live line says that nobody answers; the next load asks again
    }
    if (range !== this.range) return;
    this.step = said.step_seconds;
    this.times = said.times.map((at) => Date.parse(at) / 1000);
    this.series = said.series;
    this.trim();
    this.draw();
  }

  /** Leave out what lies before the first number anybody has. */
  trim() {
    const columns = Object.values(this.series);
    let first = 0;
    while (
      first < this.times.length &&
      columns.every((column) => column[first] === null)
    )
      first += 1;
    this.times = this.times.slice(first);
    for (const name of Object.keys(this.series)) {
      this.series[name] = this.series[name].slice(first);
    }
  }

  push(at, sample) {
    if (this.range !== "1h" || !this.times) return;
    const last = this.times.at(-1) ?? at;
    if (this.times.length && at <= last) return;
    if (at - last > GAP_STEPS * this.step) this.append(last + this.step, {});
    this.append(at, sample);
    while (this.times[0] < at - HOUR_S) {
      this.times.shift();
      for (const column of Object.values(this.series)) column.shift();
    }
    for (const each of this.plots) {
      if (each.chart) {
        each.chart.setData(this.data(each));
        this.tell(each);
      } else this.make(each);
    }
  }

  append(at, sample) {
    this.times.push(at);
    for (const [name, column] of Object.entries(this.series)) {
      column.push(sample[name] ?? null);
    }
  }

  data({ plot }) {
    const scale = plot.factor ?? 1;
    const columns = plot.series.map(({ name }) => {
      const column = this.series[name] ?? this.times.map(() => null);
      return scale === 1
        ? column
        : column.map((it) => (it === null ? null : it * scale));
    });
    return [this.times, ...columns];
  }

  draw() {
    if (!this.times) return;
    for (const each of this.plots) this.make(each);
  }

  make(each) {
    each.chart?.destroy();
    const width = each.holder.clientWidth;
    if (!width) {
      each.chart = null; // in a tab that is not shown
      return;
    }
    const options = readable(each.plot, this.limits, (said) => this.hover(each, said));
    options.width = width;
    options.height = 168;
    each.chart = new uPlot(options, this.data(each), each.holder);
    this.tell(each);
  }

  hover(each, said) {
    each.value.toggleAttribute("hidden", Boolean(said));
    each.hovered ??= each.value.parentNode.appendChild(document.createElement("span"));
    each.hovered.textContent = said;
    each.hovered.hidden = !said;
  }

  tell(each) {
    each.holder.setAttribute("role", "img");
    const said = each.plot.series.map(({ name, label }) => {
      const numbers = (this.series[name] ?? []).filter((it) => it !== null);
      if (!numbers.length) return `${label}: nothing known`;
      const { say, factor = 1 } = each.plot;
      const [least, most, now] = [
        numbers.reduce((a, b) => Math.min(a, b)),
        numbers.reduce((a, b) => Math.max(a, b)),
        numbers.at(-1),
      ].map((number) => say(number * factor));
      return `${label}: least ${least}, most ${most}, last ${now}`;
    });
    each.holder.setAttribute("aria-label", `${said.join("; ")}.`);
  }

  resize() {
    for (const each of this.plots) {
      const width = each.holder.clientWidth;
      if (!width || !this.times) continue;
      if (!each.chart) this.make(each);
      else if (each.chart.width !== width) each.chart.setSize({ width, height: 168 });
    }
  }
}

export const charts = {
  start() {
    for (const root of document.querySelectorAll("[data-charts]")) {
      new Charts(root).start();
    }
  },
};

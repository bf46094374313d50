// Puts news into the cells of lists and heads; what needs more is asked for again.
import { live } from "./live.js";
import { marks } from "./marks.js";
import { parts } from "./parts.js";
import { words } from "./words.js";

function put(row, name, ...content) {
  const cell = row.querySelector(`[data-news="${name}"]`);
  if (!cell) return;
  const fresh = cell.cloneNode();
  fresh.append(...content);
  if (!cell.isEqualNode(fresh)) cell.replaceChildren(...fresh.childNodes);
}

function bar(row, name, percent) {
  const meter = row.querySelector(`[data-news="${name}"]`)?.closest(".meter");
  const fill = meter?.querySelector(".bar-fill");
  if (!fill) return;
  const width = Math.max(0, Math.min(100, Math.round(percent ?? 0)));
  fill.setAttribute("width", width);
  const unknown = percent === null || percent === undefined;
  fill.parentNode.dataset.level = unknown ? "none" : width >= 90 ? "high" : "normal";
}

function numbers(row, sample) {
  const whole = Number(row.dataset.memory);
  const used = sample.memory_bytes;
  put(row, "cpu_percent", words.percent(sample.cpu_percent));
  bar(row, "cpu_percent", sample.cpu_percent);
  const of = marks.text("span", "muted", `of ${words.bytes(whole)}`);
  put(row, "memory", `${words.bytes(used)} `, of);
  bar(row, "memory", whole && used !== null ? (100 * used) / whole : null);
  rates(row, sample);
}

function rates(row, sample) {
  const disk = words.sum(sample.disk_read_bytes_s, sample.disk_write_bytes_s);
  const network = words.sum(sample.net_rx_bytes_s, sample.net_tx_bytes_s);
  put(row, "disk", words.rate(disk));
  put(row, "network", words.bits(network));
}

function stats(message) {
  const { topic, data } = message;
  const rows = data.guests ?? data.hosts;
  if (rows) {
    const kind = data.guests ? "guest" : "host";
    for (const row of document.querySelectorAll(`tr[data-${kind}]`)) {
      const sample = rows[row.dataset[kind]];
      if (sample) numbers(row, sample);
    }
  } else if (/^(guest|host):/.test(topic)) {
    put(document, "cpu_percent", words.percent(data.cpu_percent));
    put(document, "memory_bytes", words.bytes(data.memory_bytes));
    rates(document, data);
  }
}

function state(message) {
  const { topic, data } = message;
  const id = data.uuid ?? data.id;
  const key = CSS.escape(String(id));
  const kind = data.uuid ? "guest" : "host";
  const row = /:/.test(topic)
    ? document.querySelector("[data-part=head]")
    : document.querySelector(`tr[data-${kind}="${key}"]`);
  if (row) {
    put(row, "state", marks.state(data.state));
    if (data.name) put(row, "name", data.name);
  }
  parts.soon();
}

export const cells = {
  start() {
    live.addEventListener("news", ({ detail }) => {
      if (detail.type === "stats") stats(detail);
      else if (detail.type === "state") state(detail);
      else if (/^(removed|operation|usage)$/.test(detail.type)) parts.soon();
    });
  },
};

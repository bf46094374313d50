// What each chart shows: one thought a chart, its limit as a line.
import uPlot from "/static/npm/uplot/uPlot.esm.js";
import { words } from "./words.js";

const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const DECIMAL_STEPS = Array.from({ length: 14 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();
const DAY_S = 86400;
const FONT = "11px system-ui, sans-serif";
const bits = (number) => words.bits(number / 8);

export const PLOTS = {
  cpu: {
    series: [{ name: "cpu_percent", label: "Processor", area: true }],
    say: words.percent,
    steps: [25, 50, 100],
    limit: () => 100,
    named: ({ vcpus }) => `${vcpus} ${vcpus === 1 ? "CPU" : "CPUs"} = 100 %`,
  },
  memory: {
    series: [
      { name: "memory_bytes", label: "As the guest says", area: true },
      { name: "memory_host_bytes", label: "As the host pays", dashed: true },
    ],
    say: words.bytes,
    steps: BINARY_STEPS,
    limit: ({ memory }) => memory,
    named: ({ memory }) => words.bytes(memory),
  },
  "host-memory": {
    series: [{ name: "memory_bytes", label: "In use", area: true }],
    say: words.bytes,
    steps: BINARY_STEPS,
    limit: ({ memory }) => memory,
    named: ({ memory }) => words.bytes(memory),
  },
  disk: {
    series: [
      { name: "disk_read_bytes_s", label: "Read" },
      { name: "disk_write_bytes_s", label: "Written", dashed: true },
    ],
    say: words.rate,
    steps: BINARY_STEPS,
    least: 1024,
  },
  network: {
    series: [
      { name: "net_rx_bytes_s", label: "Received" },
      { name: "net_tx_bytes_s", label: "Sent", dashed: true },
    ],
    say: bits,
    steps: DECIMAL_STEPS,
    factor: 8,
    least: 1000,
  },
  "move-seconds": {
    series: [
      { name: "seconds", label: "Measured", points: true },
      { name: "predicted_seconds", label: "Foretold", dashed: true, points: true },
    ],
    say: (number) => (number === null ? "–" : `${Number(number.toFixed(1))} s`),
    steps: DECIMAL_STEPS,
    least: 1,
  },
  "move-downtime": {
    series: [
      { name: "downtime_ms", label: "Measured", points: true },
      { name: "predicted_downtime_ms", label: "Foretold", dashed: true, points: true },
    ],
    say: (number) => (number === null ? "–" : `${Math.round(number)} ms`),
    steps: DECIMAL_STEPS,
    least: 100,
  },
  "use-vcpus": daily("vcpu_hours", "vCPU hours"),
  "use-memory": daily("memory_gib_hours", "GiB hours"),
  "use-price": daily("price", "Price", 2),
};

/** One bar a day. */
function daily(name, label, digits = 1) {
  return {
    series: [{ name, label, area: true, bars: true }],
    say: (number) =>
      number === null
        ? "–"
        : number.toLocaleString("en", { maximumFractionDigits: digits }),
    moment: (at) => at.toISOString().slice(5, 10),
    steps: DECIMAL_STEPS,
    least: 1,
    days: true,
  };
}

/** The axis of a month: each bar stands in the middle of its day, which is one of UTC. */
function days() {
  return {
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scale: { range: (_, first, last) => [first - DAY_S / 2, last + DAY_S / 2] },
    axis: {
      size: 24,
      space: 48,
      incrs: [1, 2, 5, 10].map((count) => count * DAY_S),
      values: [[DAY_S, "{MM}-{DD}", null, null, null, null, null, null, 1]],
    },
  };
}

/** The axis of hours, minutes and seconds. */
function clock() {
  return {
    axis: {
      space: 70,
      values: [
        [DAY_S, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
        [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, null, null, null, null, 1],
        [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
      ],
    },
  };
}

/** A colour of the style sheet, as a canvas wants it. */
function colour(name) {
  const probe = document.createElement("span");
  probe.className = `probe-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function line({ label, area, dashed, bars, points = false }, say) {
  return {
    label,
    stroke: colour(dashed ? "series-2" : "series-1"),
    fill: area ? colour(bars ? "series-1" : "fill-1") : undefined,
    width: bars ? 0 : 1.5,
    dash: dashed ? [6, 4] : undefined,
    points: { show: points },
    paths: bars ? uPlot.paths.bars({ size: [0.7] }) : undefined,
    spanGaps: false,
    value: (_, number) => say(number),
  };
}

function drawLimit(limit, named, ink) {
  return (chart) => {
    const { ctx, bbox } = chart;
    const height = Math.round(chart.valToPos(limit, "y", true)) + 0.5;
    ctx.save();
    ctx.font = `${devicePixelRatio * 11}px system-ui, sans-serif`;
    ctx.strokeStyle = ink;
    ctx.fillStyle = ink;
    ctx.setLineDash([2, 3]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, height);
    ctx.lineTo(bbox.left + bbox.width, height);
    ctx.stroke();
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    ctx.fillText(named, bbox.left + bbox.width - 4, height + 4);
    ctx.restore();
  };
}

function hovered(plot, say) {
  return (chart) => {
    const at = chart.cursor.idx;
    if (at === null || at === undefined) {
      say("");
      return;
    }
    const numbers = plot.series.map((_, place) => plot.say(chart.data[place + 1][at]));
    const then = new Date(chart.data[0][at] * 1000);
    const time = plot.moment?.(then) ?? then.toLocaleTimeString("en-GB");
    say(`${time}  ${numbers.join(" / ")}`);
  };
}

/** uPlot's options for a plot; `say` gets the words for what is pointed at, or "". */
export function readable(plot, limits, say) {
  const ink = colour("muted");
  const grid = { stroke: colour("grid"), width: 1 };
  const limit = plot.limit?.(limits);
  const top = (most) => Math.max((limit ?? 0) * 1.04, most * 1.1, plot.least ?? 0);
  const { axis, scale, ...times } = plot.days ? days() : clock();
  return {
    ...times,
    legend: { show: false },
    cursor: { sync: { key: "charts" }, points: { size: 6 }, drag: { x: false } },
    scales: {
      x: { time: true, ...scale },
      y: { range: (_, __, most) => [0, top(most ?? 0)] },
    },
    series: [{}, ...plot.series.map((series) => line(series, plot.say))],
    axes: [
      {
        stroke: ink,
        grid,
        ticks: { show: false },
        font: FONT,
        ...axis,
      },
      {
        stroke: ink,
        grid,
        ticks: { show: false },
        font: FONT,
        size: 66,
        space: 36,
        incrs: plot.steps,
        values: (_, marks) => marks.map((mark) => plot.say(mark)),
      },
    ],
    hooks: {
      setCursor: [hovered(plot, say)],
      draw: limit ? [drawLimit(limit, plot.named(limits), ink)] : [],
    },
  };
}

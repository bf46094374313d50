// How numbers and states read; kvmweb/templatetags/words.py reads them alike.

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const BITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
const STATES = { "shutting-down": "shutting down", shutoff: "off" };
export const NOTHING = "–";

function short(number, step, units) {
  let value = number;
  let place = 0;
  while (place < units.length - 1 && Math.abs(value) >= step * 0.9995) {
    value /= step;
    place += 1;
  }
  const text = value >= 100 || !place ? value.toFixed(0) : value.toFixed(1);
  return `${text.replace(/\.0$/, "")} ${units[place]}`;
}

const known = (number) => number !== null && number !== undefined;

export const words = {
  bytes: (count) => (known(count) ? short(count, 1024, BINARY) : NOTHING),
  rate: (bytesS) => (known(bytesS) ? `${short(bytesS, 1024, BINARY)}/s` : NOTHING),
  bits: (bytesS) => (known(bytesS) ? short(bytesS * 8, 1000, BITS) : NOTHING),
  percent(number) {
    if (!known(number)) return NOTHING;
    return `${number > 0 && number < 9.95 ? number.toFixed(1) : number.toFixed(0)} %`;
  },
  sum(first, second) {
    return known(first) || known(second) ? (first ?? 0) + (second ?? 0) : null;
  },
  state: (state) => STATES[state] ?? state.replaceAll(/[-_]/g, " "),
  kind(kind) {
    const said = kind.split(".").pop().replaceAll(/[-_]/g, " ");
    return said.charAt(0).toUpperCase() + said.slice(1);
  },
  duration(seconds) {
    let left = Math.max(0, Math.floor(seconds));
    const parts = [];
    for (const [size, unit] of [
      [86400, "d"],
      [3600, "h"],
      [60, "min"],
      [1, "s"],
    ]) {
      const count = Math.floor(left / size);
      left %= size;
      if (count || parts.length) parts.push(count ? `${count} ${unit}` : "");
      if (parts.length === 2) break;
    }
    return parts.filter(Boolean).join(" ") || "0 s";
  },
};

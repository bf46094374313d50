// Times in the person's zone, and ages that stay true.
import { words } from "./words.js";

const AGES = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [Number.POSITIVE_INFINITY, 86400, "d"],
];
const two = (number) => String(number).padStart(2, "0");

function exact(at) {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}`;
}

function age(seconds) {
  if (seconds < 5) return seconds > -5 ? "just now" : "soon";
  const [, size, unit] = AGES.find(([limit]) => seconds < limit);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function said(kind, at) {
  const seconds = (Date.now() - at.getTime()) / 1000;
  if (kind === "ago") return age(seconds);
  return kind === "since" ? words.duration(seconds) : exact(at);
}

export const times = {
  /** "14:02" here, for the live line. */
  clock: (at) => `${two(at.getHours())}:${two(at.getMinutes())}`,

  /** Make every time in this part of a page true here and now. */
  tell(part) {
    for (const element of part.querySelectorAll("time[data-time]")) {
      const at = new Date(element.dateTime);
      const text = said(element.dataset.time, at);
      if (element.textContent !== text) element.textContent = text;
      if (element.title !== exact(at)) element.title = exact(at);
    }
  },

  start() {
    this.tell(document);
    setInterval(() => this.tell(document), 5000);
  },
};

// Short words at the edge of the page, read aloud politely.
import { marks } from "./marks.js";

const SHOWN_MS = { success: 5000, error: 15000 };

/** Say something; errors stay longer, and everything can be closed. */
export function notice(kind, said) {
  const box = document.getElementById("toasts");
  const item = document.createElement("div");
  item.className = `notice ${kind}`;
  if (kind === "error") item.append(marks.icon("warning"));
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button small quiet bare-icon";
  close.setAttribute("aria-label", "Close");
  close.append(marks.icon("close"));
  close.addEventListener("click", () => item.remove());
  item.append(marks.text("p", "", said), close);
  box.append(item);
  while (box.children.length > 4) box.firstElementChild.remove();
  setTimeout(() => item.remove(), SHOWN_MS[kind] ?? 8000);
}

// Asks for the page again and takes over what changed, without losing anything
// that the person does on it: focus, selection, open menus, scroll.
import { live } from "./live.js";
import { times } from "./times.js";

const KEPT = new Set([
  "open",
  "aria-busy",
  "aria-selected",
  "aria-pressed",
  "aria-current",
  "data-kept",
]);
const PAUSE_MS = 1200;

function sameAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (!KEPT.has(name) && old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
}

function keyed(old, fresh) {
  const rows = new Map([...old.children].map((row) => [row.dataset.key, row]));
  const order = [...fresh.children].map((row) => row.dataset.key);
  const moved = order.join() !== [...rows.keys()].join();
  const part = old.closest("[data-part]");
  const pointing = moved && part?.matches(":hover");
  if (pointing) part.addEventListener("pointerleave", parts.soon, { once: true });
  let place = old.firstElementChild;
  for (const row of [...fresh.children]) {
    const known = rows.get(row.dataset.key);
    rows.delete(row.dataset.key);
    if (known) morph(known, row);
    if (pointing) continue;
    if (known && known === place) place = place.nextElementSibling;
    else old.insertBefore(known ?? row, place);
  }
  if (!pointing) for (const gone of rows.values()) gone.remove();
}

function children(old, fresh) {
  const wanted = [...fresh.childNodes];
  const there = [...old.childNodes];
  wanted.forEach((node, index) => {
    if (there[index]) morph(there[index], node);
    else old.append(node);
  });
  for (const extra of there.slice(wanted.length)) extra.remove();
}

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-kept")) return;
  sameAttributes(old, fresh);
  if (old.hasAttribute("data-keyed")) keyed(old, fresh);
  else children(old, fresh);
}

async function fetchPage() {
  const response = await fetch(location.href, {
    headers: { Accept: "text/html" },
    signal: AbortSignal.timeout(15000),
  });
  if (!response.ok || new URL(response.url).pathname !== location.pathname) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

export const parts = {
  /** Ask soon, at most once in a while however often this is called. */
  soon() {
    if (parts.asking)
      parts.again = true; // that answer may be older than the news
    else parts.timer ??= setTimeout(parts.now, parts.last ? PAUSE_MS : 100);
  },

  async now() {
    parts.timer = null;
    parts.asking = true;
    parts.last = Date.now();
    try {
      const page = await fetchPage();
      if (page) parts.take(page);
    } catch {
      // Nobody answers: the live line says so, and the next poll asks again.
    } finally {
      parts.asking = false;
      if (parts.again) parts.soon();
      parts.again = false;
    }
  },

  /** Take over what the fresh page says. */
  take(page) {
    times.tell(page);
    for (const fresh of page.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`[data-part="${fresh.dataset.part}"]`);
      if (old) morph(old, fresh);
    }
    document.dispatchEvent(new Event("kvmweb:parts"));
  },

  start() {
    live.addEventListener("refetch", () => {
      setTimeout(parts.soon, Math.random() * 500);
    });
  },
};

// Start, stop and so on, from lists and heads, without leaving the page.
import { api } from "./api.js";
import { confirm } from "./confirm.js";
import { live } from "./live.js";
import { notice } from "./notices.js";
import { parts } from "./parts.js";
import { words } from "./words.js";

const LOSES = {
  "force-off": "This is like pulling the plug: what it has not written is lost.",
  reset: "This is like the reset button: what it has not written is lost.",
};
const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const ASK_MS = 3000;

/** Ask before data may be lost; true when it may go on. */
export function agreed(act, whom) {
  if (!LOSES[act]) return true;
  const title = `${words.kind(act)} ${whom}`;
  return confirm(`${title}?`, LOSES[act], title);
}

/** Wait for the end of an operation, by news or by asking. */
function ending(id) {
  return new Promise((resolve) => {
    const done = (operation) => {
      if (operation.id !== id || !ENDED.has(operation.state)) return;
      live.removeEventListener("news", hear);
      clearInterval(timer);
      resolve(operation);
    };
    const hear = ({ detail }) => detail.type === "operation" && done(detail.data);
    live.addEventListener("news", hear);
    const timer = setInterval(async () => {
      try {
        done(await api("GET", `operations/${id}/`));
      } catch (problem) {
        if (problem.status === 404) done({ id, state: "failed" });
      }
    }, ASK_MS);
  });
}

async function perform(button, act, guest, name) {
  if (!(await agreed(act, name))) return;
  button.setAttribute("aria-busy", "true");
  try {
    const operation = await api("POST", `guests/${guest}/${act}/`);
    const ended = await ending(operation.id);
    if (ended.state === "failed")
      notice("error", ended.error?.message ?? ended.message);
  } catch (problem) {
    notice("error", problem.message);
  } finally {
    button.removeAttribute("aria-busy");
    parts.soon();
  }
}

function click(event) {
  const button = event.target.closest("button[data-act]");
  const owner = button?.closest("[data-guest]");
  if (!owner) return;
  event.preventDefault();
  const menu = button.closest("details");
  if (menu) menu.open = false;
  const shown = menu?.querySelector("summary") ?? button; // which one sees busy
  if (shown.getAttribute("aria-busy") === "true") return;
  perform(shown, button.dataset.act, owner.dataset.guest, owner.dataset.name);
}

export const actions = {
  start() {
    document.addEventListener("click", click);
  },
};

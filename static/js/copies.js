// A click on an address copies it.
import { notice } from "./notices.js";

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea"); // pages without TLS
  area.value = text;
  area.className = "reader-only";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export const copies = {
  start() {
    document.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-copy]");
      if (!button) return;
      event.preventDefault();
      try {
        await copy(button.dataset.copy);
        notice("success", "Copied.");
      } catch {
        notice("error", "This browser did not allow to copy.");
      }
    });
    for (const field of document.querySelectorAll("[data-select-on-focus]")) {
      field.addEventListener("focus", () => field.select());
    }
  },
};

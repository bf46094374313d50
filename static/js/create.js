// The page of a new guest: what will happen is shown beside it while one types.
const form = document.querySelector("[data-creation]");
const panel = form?.querySelector("[data-preview]");
const beside = panel?.closest(".beside");
const PAUSE_MS = 400;

let timer = null;
let asking = null;

/** Whether enough was said that an answer is worth asking for. */
const ready = () => form.elements.name.value.trim() !== "";

async function ask() {
  timer = null;
  if (!ready()) return;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const body = new FormData(form);
  body.set("preview", "1");
  beside.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "text/html" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(15000)]),
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("[data-preview]");
    if (fresh) take(fresh);
  } catch (error) {
    if (signal.aborted) return; // a newer question is on its way
    panel.textContent = "The server did not answer; press Create to try nevertheless.";
    console.debug(error);
  }
  beside.removeAttribute("aria-busy");
}

/** Show the fresh answer; what was unfolded stays so. */
function take(fresh) {
  const words = (details) => details.querySelector("summary").textContent;
  const open = new Set([...panel.querySelectorAll("details[open]")].map(words));
  for (const details of fresh.querySelectorAll("details")) {
    details.open = open.has(words(details));
  }
  for (const { dataset, textContent } of fresh.querySelectorAll("[data-likes]")) {
    form.elements[dataset.likes].placeholder = textContent;
  }
  panel.replaceChildren(...fresh.childNodes);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE_MS);
}

if (form) {
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.hasAttribute("data-look")) return;
    event.preventDefault();
    if (ready()) ask();
    else form.reportValidity();
  });
  if (ready()) soon();
}

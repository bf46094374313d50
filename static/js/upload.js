// A file of this machine into a pool of a host: makes a volume, streams the file into
// it, waits until its host has judged it.
import { api, Problem } from "./api.js";
import { words } from "./words.js";

const HEADS = [
  ["qcow2", [0x51, 0x46, 0x49, 0xfb]],
  ["vmdk", [0x4b, 0x44, 0x4d, 0x56]],
];
const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const ASK_MS = 400;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function formatOf(file) {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const known = HEADS.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  return known ? known[0] : "raw";
}

/** Wait for the end of an operation; its result. Throws Problem when it failed. */
async function ended(id, told) {
  for (;;) {
    const operation = await api("GET", `operations/${id}/`);
    told(operation);
    if (operation.state === "succeeded") return operation.result;
    if (ENDED.has(operation.state)) {
      throw new Problem(409, operation.error?.message ?? operation.message);
    }
    await pause(ASK_MS);
  }
}

/** PUT the file; the operation. `moved` hears how many bytes have gone. */
function send(request, volume, file, moved) {
  return new Promise((resolve, reject) => {
    request.open("PUT", `/api/v1/volumes/${volume}/content/`);
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => moved(event.loaded));
    request.addEventListener("load", () => {
      const said = JSON.parse(request.responseText || "{}");
      if (request.status === 202) resolve(said);
      else reject(new Problem(request.status, said.detail ?? "It failed.", said.hint));
    });
    request.addEventListener("abort", () => reject(new Problem(0, "You stopped it.")));
    request.addEventListener("error", () => reject(null)); // refused in the middle?
    request.send(file);
  });
}

/** Why the last upload to a volume of this name failed, when the connection did not carry it. */
async function reasonOf(name) {
  await pause(1500);
  const said = await api("GET", "operations/?kind=volume.upload&limit=20");
  const mine = said.items.find((each) => each.result.begun_at?.includes(name));
  return new Problem(0, mine?.error?.message ?? "The connection broke.");
}

class Upload {
  constructor(form) {
    this.form = form;
    this.file = form.querySelector("#upload-file");
    this.name = form.querySelector("#upload-name");
    this.format = form.querySelector("#upload-format");
    this.button = form.querySelector("button.main");
    this.stop = form.querySelector("[data-stop]");
    this.bar = form.querySelector(".upload-progress");
    this.alert = form.querySelector("[role=alert]");
    for (const part of [this.file, this.name, this.format, this.button]) {
      part.disabled = false;
    }
    this.file.addEventListener("change", () => this.chosen());
    this.stop.addEventListener("click", () => this.request?.abort());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go();
    });
    addEventListener("beforeunload", (event) => {
      if (this.request) event.preventDefault();
    });
  }

  async chosen() {
    const file = this.file.files[0];
    if (!file) return;
    this.name.value ||= file.name.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 200);
    this.format.value = await formatOf(file);
  }

  say(fraction, sentence) {
    this.bar.hidden = false;
    if (fraction === null) this.bar.querySelector("progress").removeAttribute("value");
    else this.bar.querySelector("progress").value = fraction;
    this.bar.querySelector("p").textContent = sentence;
  }

  async go() {
    const file = this.file.files[0];
    this.alert.hidden = true;
    this.button.setAttribute("aria-busy", "true");
    this.button.disabled = true;
    try {
      await this.carry(file);
      location.assign(this.form.dataset.page);
    } catch (problem) {
      this.alert.querySelector("p").textContent = problem.message;
      this.alert.hidden = false;
      this.bar.hidden = true;
    } finally {
      this.request = null;
      this.stop.hidden = true;
      this.button.removeAttribute("aria-busy");
      this.button.disabled = false;
    }
  }

  async carry(file) {
    this.say(null, "Making the volume…");
    const body = {
      name: this.name.value.trim(),
      format: this.format.value,
      capacity_bytes: Math.max(file.size, 1),
    };
    const asked = await api("POST", `pools/${this.form.dataset.upload}/volumes/`, body);
    const { volume } = await ended(asked.id, () => {});
    const began = Date.now();
    this.request = new XMLHttpRequest();
    this.stop.hidden = false;
    const moved = (bytes) => {
      const rate = bytes / Math.max(0.5, (Date.now() - began) / 1000);
      const left = rate ? Math.round((file.size - bytes) / rate) : 0;
      const parts = `${words.bytes(bytes)} of ${words.bytes(file.size)}`;
      this.say(bytes / file.size, `${parts}, ${words.bytes(rate)}/s, ${left} s to go`);
    };
    let operation;
    try {
      operation = await send(this.request, volume, file, moved);
    } catch (problem) {
      throw problem ?? (await reasonOf(body.name));
    }
    this.stop.hidden = true;
    this.request = null;
    this.say(null, "Its host judges it…");
    await ended(operation.id, ({ phase }) => this.say(null, `${phase || "Waiting"}…`));
  }
}

for (const form of document.querySelectorAll("[data-upload]")) new Upload(form);

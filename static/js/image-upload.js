// Sends a file as an image: looks what it is, has a volume made, streams it there.
// Of an OVA only the disk in it is sent.
import { api } from "./api.js";
import { words } from "./words.js";

const POLL_MS = 400;
const BLOCK = 512;
const QCOW2 = 0x514649fb;

async function bytesOf(file, from, count) {
  return new Uint8Array(await file.slice(from, from + count).arrayBuffer());
}

const text = (bytes) => new TextDecoder().decode(bytes).replace(/\0.*$/s, "");

/** The disk in a tar archive: its name and its bytes as part of the file. */
async function diskIn(archive) {
  let at = 0;
  while (at + BLOCK <= archive.size) {
    const head = await bytesOf(archive, at, BLOCK);
    const name = text(head.slice(0, 100));
    if (!name) break;
    const size = Number.parseInt(text(head.slice(124, 136)).trim(), 8);
    if (!Number.isFinite(size)) break;
    const start = at + BLOCK;
    if (/\.vmdk$/i.test(name)) return archive.slice(start, start + size);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new Error("This archive has no VMDK disk in it: it is no OVA.");
}

/** What the file is, and the part of it that is sent. */
async function inspected(file) {
  const head = await bytesOf(file, 0, BLOCK);
  const view = new DataView(head.buffer);
  if (head.length < BLOCK) throw new Error("This file is too short to be a disk.");
  if (view.getUint32(0) === QCOW2) return { format: "qcow2", content: file };
  if (text(head.slice(0, 4)) === "KDMV") return { format: "vmdk", content: file };
  if (text(head.slice(257, 262)) === "ustar") {
    return { format: "vmdk", content: await diskIn(file), archive: true };
  }
  return { format: "raw", content: file };
}

async function ended(operation) {
  let now = operation;
  while (now.state === "queued" || now.state === "running") {
    await new Promise((done) => setTimeout(done, POLL_MS));
    now = await api("GET", `operations/${operation.id}/`);
  }
  if (now.state !== "succeeded") throw new Error(now.message);
  return now;
}

/** PUT with progress, which fetch does not tell. */
function send(path, content, told) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => told(event.loaded));
    request.addEventListener("load", () => {
      const said = JSON.parse(request.responseText || "{}");
      if (request.status < 300) done(said);
      else failed(new Error([said.detail, said.hint].filter(Boolean).join(" ")));
    });
    const lost = () => failed(new Error("The connection broke: nothing was kept."));
    for (const name of ["error", "abort", "timeout"]) {
      request.addEventListener(name, lost);
    }
    request.send(content);
  });
}

class Upload {
  constructor(form) {
    this.form = form;
    this.button = form.querySelector("[data-send]");
    form.elements.file.addEventListener("change", () => this.look());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
  }

  async look() {
    const what = this.form.querySelector("[data-what]");
    const [file] = this.form.elements.file.files;
    if (!file) return;
    try {
      const { format, content, archive } = await inspected(file);
      const from = archive ? "The disk of an OVA" : `A ${format} image`;
      what.textContent = `${from}, ${words.bytes(content.size)}.`;
    } catch (error) {
      what.textContent = error.message;
    }
  }

  async start() {
    this.complain("");
    this.button.disabled = true;
    this.button.setAttribute("aria-busy", "true");
    try {
      await this.whole();
    } catch (error) {
      this.complain(error.message);
      this.phase("");
    } finally {
      this.button.disabled = false;
      this.button.removeAttribute("aria-busy");
    }
  }

  async whole() {
    const [file] = this.form.elements.file.files;
    const { format, content } = await inspected(file);
    this.phase("Making room on the host");
    const begun = await api("POST", "images/", this.body(format, content.size));
    const image = begun.result.image;
    await ended(begun);
    this.phase("Sending");
    const path = `/api/v1/images/${image}/content/`;
    const taken = await send(path, content, (sent) => this.sent(sent, content.size));
    this.phase("Being checked by its host");
    await ended(taken);
    await api("POST", `images/${image}/register/`).catch((error) => {
      if (error.status !== 409) throw error; // it was registered by itself already
    });
    location.assign(`/images/${image}/`);
  }

  body(format, size) {
    const said = this.form.elements;
    const upload = { pool: Number(said.pool.value), format };
    if (format === "raw") upload.size_bytes = size;
    return {
      name: said.name.value,
      version: said.version.value,
      os: said.os.value,
      cloud_init: said.cloud_init.checked,
      note: said.note.value,
      offered: said.offered.checked,
      min_disk_bytes: Number(said.min_disk_gib.value || 0) * 1024 ** 3,
      source: { upload },
    };
  }

  phase(said) {
    this.form.querySelector("[data-progress]").hidden = !said;
    this.form.querySelector("[data-phase]").textContent = said;
    this.form.querySelector("[data-sent]").textContent = "";
    this.form.querySelector("progress").removeAttribute("value");
  }

  sent(bytes, whole) {
    this.form.querySelector("progress").value = (100 * bytes) / Math.max(whole, 1);
    const said = `${words.bytes(bytes)} of ${words.bytes(whole)}`;
    this.form.querySelector("[data-sent]").textContent = said;
  }

  complain(said) {
    const box = this.form.querySelector("[data-problem]");
    box.hidden = !said;
    box.textContent = said;
  }
}

const form = document.querySelector("[data-image-upload]");
if (form) new Upload(form);

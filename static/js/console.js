// A guest's screen: opened by a ticket, opened again by itself, and what can be sent to it.
import RFB from "../npm/novnc/core/rfb.js";
import { initLogging } from "../npm/novnc/core/util/logging.js";
import { api, Problem } from "./api.js";
import { Following } from "./following.js";
import { live } from "./live.js";
import { type } from "./typing.js";

const PAUSES_S = [0.3, 1, 2, 4, 8, 10];
const FOLLOW_S = 0.25;
const FOLLOW_MOST_MS = 30000; // then it is a screen like any that is away
const MOVED_MS = 5000; // so long after a move a screen that ends is looked for elsewhere
const NOT_ALLOWED = 4403;
const ENDED = new Set([401, 403, 404]); // of a ticket that is refused for good
const MOVE = "guest.migrate";
const GOING_ON = new Set(["queued", "running"]);
const ON = new Set(["running", "paused", "shutting-down"]);
const FIT = "kvmweb-console-fit";
const CONTROL = [0xffe3, "ControlLeft"];
const ALT = [0xffe9, "AltLeft"];
const WORDS = {
  "ctrl-alt-backspace": [CONTROL, ALT, [0xff08, "Backspace"]],
  "alt-tab": [ALT, [0xff09, "Tab"]],
  "alt-f4": [ALT, [0xffc1, "F4"]],
  "ctrl-c": [CONTROL, [0x63, "KeyC"]],
  "ctrl-d": [CONTROL, [0x64, "KeyD"]],
  escape: [[0xff1b, "Escape"]],
  tab: [[0xff09, "Tab"]],
  super: [[0xffeb, "MetaLeft"]],
  "print-screen": [[0xff61, "PrintScreen"]],
  "sysrq-s": [ALT, [0xff15, "PrintScreen"], [0x73, "KeyS"]],
};

class Console {
  start(root) {
    this.root = root;
    this.guest = root.dataset.guest;
    this.name = root.dataset.name;
    this.part = (name) => root.querySelector(`[data-console-${name}]`);
    this.tries = 0;
    this.viewOnly = false;
    this.fit = localStorage.getItem(FIT) !== "no";
    this.moving = root.dataset.moving === "yes";
    this.movedAt = Number.NEGATIVE_INFINITY;
    this.following = new Following(this.part("screen"));
    this.buttons();
    this.hear();
    this.open();
  }

  /** Fetch a ticket and connect with it. */
  async open() {
    clearTimeout(this.timer);
    const attempt = Symbol("attempt");
    this.attempt = attempt;
    if (this.following.on) this.say("moving", this.onTheWay());
    else this.say("connecting", this.tries ? "Connecting again…" : "Connecting…");
    try {
      const nothing = await this.nothingToShow();
      if (attempt !== this.attempt) return;
      if (nothing) {
        this.later(nothing);
        return;
      }
      const ticket = await api("POST", `guests/${this.guest}/console/`, {
        kind: "vnc",
        view_only: this.viewOnly,
      });
      if (attempt === this.attempt) this.connect(ticket);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (attempt !== this.attempt) return;
      if (ENDED.has(error.status)) this.end(error.message);
      else this.later(error.message);
    }
  }

  /** Why there is no screen now; "" when there is one. The page itself knows at first. */
  async nothingToShow() {
    const first = this.root.dataset.guestState;
    delete this.root.dataset.guestState;
    const guest = first
      ? { state: first, screens: this.root.dataset.screens.split(" ") }
      : await api("GET", `guests/${this.guest}/`);
    if (!ON.has(guest.state)) {
      return `${this.name} is ${guest.state}: there is no screen to show.`;
    }
    return guest.screens.includes("vnc") ? "" : `${this.name} has no VNC screen.`;
  }

  connect(ticket) {
    const socket = new WebSocket(ticket.websocket_url, ["binary"]);
    const rfb = new RFB(this.part("screen"), socket, {
      credentials: { password: ticket.password ?? "" },
      shared: true,
    });
    this.rfb = rfb;
    rfb.viewOnly = this.viewOnly;
    rfb.scaleViewport = this.fit;
    rfb.clipViewport = false;
    rfb.background = "";
    let closing = { code: 1006, reason: "" };
    socket.addEventListener("close", (event) => {
      closing = event;
    });
    rfb.addEventListener("connect", () => this.connected(rfb));
    rfb.addEventListener("credentialsrequired", () => {
      closing = { code: 1006, reason: "The screen asks for a password of its own." };
      rfb.disconnect();
    });
    rfb.addEventListener("disconnect", () => {
      // The socket's own close event may come right after this one.
      setTimeout(() => this.disconnected(rfb, closing), 0);
    });
  }

  connected(rfb) {
    if (rfb !== this.rfb) return;
    this.tries = 0;
    this.shown = true;
    rfb.focus();
    this.following.end(rfb);
    this.sayOpen();
  }

  sayOpen() {
    const looking = this.viewOnly ? " You only look: nothing you type is sent." : "";
    const moving = this.moving ? " It moves to another host; the screen follows." : "";
    this.say("open", `Connected to ${this.name}.${looking}${moving}`);
  }

  onTheWay() {
    return `${this.name} moves to another host. What you type waits for it.`;
  }

  disconnected(rfb, { code, reason }) {
    if (rfb !== this.rfb) return;
    this.rfb = null;
    if (code === NOT_ALLOWED) {
      this.end(reason || "You may not see this screen now.");
      return;
    }
    if (this.mayMove() && this.shown && !this.following.on) {
      this.followedSince = performance.now();
      this.following.begin(rfb);
    }
    this.shown = false;
    if (!this.following.on) this.typing?.abort();
    this.later(reason || "The connection to the screen ended.");
  }

  /** Try again by itself, after pauses that grow. */
  later(reason) {
    if (this.following.on) {
      const sinceMs = performance.now() - this.followedSince;
      if (this.mayMove() && sinceMs < FOLLOW_MOST_MS) {
        this.say("moving", this.onTheWay());
        this.timer = setTimeout(() => this.open(), FOLLOW_S * 1000);
        return;
      }
      this.typing?.abort();
      this.following.drop();
    }
    const pause = PAUSES_S[Math.min(this.tries, PAUSES_S.length - 1)];
    this.tries += 1;
    this.say("waiting", `${reason} Trying again in ${Math.ceil(pause)} s.`);
    this.timer = setTimeout(() => this.open(), pause * 1000);
  }

  /** Stay away until the person asks for it. */
  end(reason) {
    this.attempt = null;
    clearTimeout(this.timer);
    const rfb = this.rfb;
    this.rfb = null;
    rfb?.disconnect();
    this.typing?.abort();
    this.following.drop();
    this.say("ended", reason);
  }

  say(state, words) {
    this.root.dataset.state = state;
    this.part("line").textContent = words;
    const open = state === "open" || state === "moving";
    for (const each of this.root.querySelectorAll("[data-console-sends]")) {
      each.disabled = !open || this.viewOnly;
    }
    const power = this.part("power");
    power.textContent = state === "ended" ? "Connect" : "Disconnect";
  }

  /** A guest that starts again is shown at once. */
  hear() {
    live.addEventListener("news", ({ detail: { type, data } }) => {
      if (type === "operation" && data.guest === this.guest) {
        if (data.kind === MOVE) this.moves(GOING_ON.has(data.state));
      }
      if (type !== "state" || data.uuid !== this.guest) return;
      const ours = data.active_operation?.kind === MOVE;
      this.moves(ours || data.twins.some((twin) => twin.moving));
      if (data.state === "running" && this.waits()) this.open();
    });
    addEventListener("pagehide", () => this.rfb?.disconnect());
    addEventListener(
      "keydown",
      (event) => {
        if (!(event.ctrlKey && event.altKey && event.shiftKey)) return;
        this.rfb?.blur();
        this.part("delete").focus();
      },
      { capture: true },
    );
  }

  /** Whether its guest is being moved now. */
  moves(moving) {
    if (this.moving && !moving) this.movedAt = performance.now();
    if (this.moving === moving) return;
    this.moving = moving;
    if (this.root.dataset.state === "open") this.sayOpen();
  }

  mayMove() {
    return this.moving || performance.now() - this.movedAt < MOVED_MS;
  }

  waits() {
    return this.root.dataset.state === "waiting";
  }

  buttons() {
    this.onClick("delete", () => this.rfb?.sendCtrlAltDel());
    this.onClick("power", () => {
      if (this.root.dataset.state === "ended") this.open();
      else this.end("Disconnected, as you asked.");
    });
    this.onClick("full", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.root.requestFullscreen();
    });
    this.onClick("fit", () => this.setFit(!this.fit));
    this.onClick("look", () => this.setViewOnly(!this.viewOnly));
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-keys]");
      if (button) this.press(button.dataset.keys);
    });
    this.part("paste").addEventListener("submit", (event) => {
      event.preventDefault();
      this.paste(event.target.elements.text);
    });
    this.onClick("stop", () => this.typing?.abort());
    this.setFit(this.fit);
  }

  onClick(name, act) {
    this.part(name).addEventListener("click", act);
  }

  setFit(fit) {
    this.fit = fit;
    localStorage.setItem(FIT, fit ? "yes" : "no");
    this.part("fit").setAttribute("aria-pressed", String(fit));
    this.root.dataset.fit = fit ? "yes" : "no";
    if (this.rfb) this.rfb.scaleViewport = fit;
  }

  /** The proxy drops what is sent by who only looks: that needs another ticket. */
  setViewOnly(viewOnly) {
    this.viewOnly = viewOnly;
    this.part("look").setAttribute("aria-pressed", String(viewOnly));
    if (this.root.dataset.state === "ended") return;
    const rfb = this.rfb;
    this.rfb = null;
    rfb?.disconnect();
    this.following.drop();
    this.tries = 0;
    this.open();
  }

  press(words) {
    const functionKey = words.match(/^ctrl-alt-f(\d+)$/);
    const keys = functionKey
      ? [CONTROL, ALT, [0xffbd + Number(functionKey[1]), `F${functionKey[1]}`]]
      : WORDS[words];
    for (const key of keys) this.sendKey(...key, true);
    for (const key of keys.toReversed()) this.sendKey(...key, false);
    this.rfb?.focus();
  }

  /** To the screen, or to the keys that wait while its guest moves. */
  sendKey(keysym, code, down) {
    const ways = down === undefined ? [true, false] : [down];
    for (const way of ways) {
      if (this.following.on) this.following.keys.push([keysym, code, way]);
      else this.rfb?.sendKey(keysym, code, way);
    }
  }

  async paste(field) {
    if (!this.rfb || this.typing) return;
    const typing = new AbortController();
    this.typing = typing;
    const line = this.part("typed");
    this.part("stop").hidden = false;
    await type(this, field.value, {
      signal: typing.signal,
      told: (done, all) => {
        line.textContent = `${done} of ${all} typed`;
      },
    });
    this.part("stop").hidden = true;
    if (!typing.signal.aborted) field.value = "";
    this.typing = null;
    this.rfb?.focus();
  }
}

/** Show the screen of the guest whose page this is. */
export function start() {
  initLogging("none"); // what went wrong is said on the page
  const root = document.querySelector("[data-console]");
  if (root) new Console().start(root);
}

start();

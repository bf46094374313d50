// The live socket: reconnects, notices gaps, and says when the page is not live.
import { times } from "./times.js";

const QUIET_MS = 16000; // the server says "alive" every ten seconds
const CONNECT_MS = 8000;
const POLL_MS = 10000;
const SIGNED_OUT = new Set([4401, 4403]);

class Live extends EventTarget {
  start() {
    this.line = document.getElementById("live-line");
    this.topics = document.body.dataset.topics.split(/\s+/).filter(Boolean);
    this.since = document.body.dataset.at;
    this.tries = 0;
    if (!this.line) return;
    this.line.hidden = false;
    this.connect();
    setInterval(() => this.watch(), 5000);
    addEventListener("online", () => this.soon(0));
    document.addEventListener("visibilitychange", () => this.soon(0));
    addEventListener("pagehide", () => this.socket?.close());
    addEventListener("pageshow", (event) => event.persisted && this.soon(0));
  }

  /** Whether news comes now. */
  get on() {
    return this.state === "live";
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/live/`);
    this.socket = socket;
    this.stalled = false;
    this.number = 0;
    this.heard = Date.now();
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ subscribe: this.topics, since: this.since }));
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.hear(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.lost(event.code);
    });
  }

  hear(message) {
    this.heard = Date.now();
    if (message.seq !== this.number + 1) this.refetch();
    this.number = message.seq;
    this.tries = 0;
    if (message.type === "stale") {
      this.stalled = true;
      this.say("stale");
      return;
    }
    if (message.type !== "error" && message.type !== "subscribed") this.stalled = false;
    const back = this.broken && !this.stalled;
    if (!this.stalled) this.say("live");
    if (message.type === "resync" || back) this.refetch();
    this.since = message.at;
    this.dispatchEvent(new CustomEvent("news", { detail: message }));
  }

  lost(code) {
    this.socket = null;
    if (SIGNED_OUT.has(code)) {
      this.say("stale", "signed out: sign in again");
      this.ended = true;
      return;
    }
    this.say(this.tries ? "stale" : "reconnecting");
    this.tries += 1;
    const most = Math.min(30000, 500 * 2 ** this.tries);
    this.soon(200 + Math.random() * most);
  }

  soon(delay) {
    if (this.ended || this.socket || document.visibilityState === "hidden") return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), delay);
  }

  watch() {
    const open = this.socket?.readyState === WebSocket.OPEN;
    if (this.socket && Date.now() - this.heard > (open ? QUIET_MS : CONNECT_MS)) {
      const silent = this.socket;
      this.tries = Math.max(1, this.tries);
      this.lost(0);
      silent.close();
    }
    if (this.on || this.ended || document.visibilityState === "hidden") return;
    if (Date.now() - (this.polled ?? 0) > POLL_MS) {
      this.refetch();
    }
  }

  refetch() {
    this.polled = Date.now();
    this.dispatchEvent(new Event("refetch"));
  }

  say(state, words) {
    if (state === "live") this.lastLive = null;
    else this.lastLive ??= new Date(this.heard);
    this.broken = state !== "live";
    const since = `not live since ${this.lastLive ? times.clock(this.lastLive) : ""}`;
    const said = words ?? (state === "stale" ? since : state);
    this.state = state;
    this.line.dataset.live = state;
    if (this.line.textContent !== said) this.line.textContent = said;
  }
}

export const live = new Live();

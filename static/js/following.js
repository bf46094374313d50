// A screen whose guest moves: its last picture stays, and keys wait for the new host.
import Keyboard from "../npm/novnc/core/input/keyboard.js";

const MODIFIERS = {
  ShiftLeft: 0xffe1,
  ShiftRight: 0xffe2,
  ControlLeft: 0xffe3,
  ControlRight: 0xffe4,
  AltLeft: 0xffe9,
  AltRight: 0xfe03,
  MetaLeft: 0xffeb,
  MetaRight: 0xffec,
};
const DRAWN_MS = 50;
const LATEST_MS = 1500;

/** Keys that a person holds down over the screen; a new connection knows of none. */
class Held {
  constructor(screen) {
    this.codes = new Set();
    this.carried = new Set(); // held since before this connection
    this.released = () => {};
    const mine = ({ code, target }) => code in MODIFIERS && screen.contains(target);
    addEventListener("keydown", (event) => mine(event) && this.codes.add(event.code), {
      capture: true,
    });
    addEventListener("keyup", ({ code }) => this.release(code), { capture: true });
    addEventListener("blur", () => {
      for (const code of [...this.codes]) this.release(code);
    });
  }

  release(code) {
    this.codes.delete(code);
    if (this.carried.delete(code)) this.released([MODIFIERS[code], code, false]);
  }
}

export class Following {
  constructor(screen) {
    this.screen = screen;
    this.held = new Held(screen);
    this.on = false;
    this.keys = [];
  }

  /** Keep what was shown last, and the keys that are pressed from now on. */
  begin(rfb) {
    if (this.on) return;
    this.on = true;
    this.keys = [];
    this.held.carried = new Set(this.held.codes);
    this.held.released = (key) => this.keys.push(key);
    for (const code of this.held.carried) this.keys.push([MODIFIERS[code], code, true]);
    this.frozen?.remove();
    this.frozen = this.picture(rfb);
    this.screen.append(this.frozen);
    const canvas = this.frozen.firstChild;
    if (!rfb.viewOnly) {
      this.keyboard = new Keyboard(canvas);
      this.keyboard.onkeyevent = (keysym, code, down) =>
        this.keys.push([keysym, code, down]);
      this.keyboard.grab();
    }
    if (document.activeElement === document.body) canvas.focus();
  }

  /** The new connection gets the keys that waited; the picture goes once it has its own. */
  end(rfb) {
    if (!this.on) return;
    this.stop();
    for (const key of this.keys) rfb.sendKey(...key);
    this.held.carried = new Set(this.held.codes);
    this.held.released = (key) => rfb.sendKey(...key);
    for (const code of this.held.carried) rfb.sendKey(MODIFIERS[code], code, true);
    this.fade(rfb, performance.now());
  }

  /** Nothing is followed any more. */
  drop() {
    this.stop();
    this.frozen?.remove();
    this.frozen = null;
  }

  stop() {
    this.on = false;
    this.keyboard?.ungrab();
    this.keyboard = null;
  }

  picture(rfb) {
    const holder = document.createElement("div");
    holder.className = "console-frozen";
    const canvas = document.createElement("canvas");
    canvas.tabIndex = -1;
    const shown = rfb.getImageData();
    canvas.width = shown.width;
    canvas.height = shown.height;
    canvas.getContext("2d").putImageData(shown, 0, 0);
    holder.append(canvas);
    return holder;
  }

  fade(rfb, since) {
    const frozen = this.frozen;
    const drawn = this.screen.querySelector("div:not(.console-frozen) > canvas");
    if (!drawn || hasPixels(drawn) || performance.now() - since > LATEST_MS) {
      frozen?.remove();
      return;
    }
    setTimeout(() => this.fade(rfb, since), DRAWN_MS);
  }
}

/** Whether anything was drawn: a new screen is black all over. */
function hasPixels(canvas) {
  if (!canvas.width || !canvas.height) return false;
  const small = document.createElement("canvas");
  small.width = 32;
  small.height = 32;
  const ink = small.getContext("2d");
  ink.drawImage(canvas, 0, 0, 32, 32);
  const { data } = ink.getImageData(0, 0, 32, 32);
  return new Uint32Array(data.buffer).some((pixel) => pixel & 0xffffff);
}

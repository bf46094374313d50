// Text as the key strokes of a US keyboard, which is what a screen can be sent.
import keysyms from "../npm/novnc/core/input/keysymdef.js";

const SHIFT = [0xffe1, "ShiftLeft"];
const PAUSE_MS = 25; // a keyboard's own queue is short, and a busy guest reads slowly
const NAMED = { "\n": [0xff0d, "Enter"], "\t": [0xff09, "Tab"], " ": [0x20, "Space"] };
const PLACES = {
  Backquote: "`~",
  Minus: "-_",
  Equal: "=+",
  BracketLeft: "[{",
  BracketRight: "]}",
  Backslash: "\\|",
  Semicolon: ";:",
  Quote: "'\"",
  Comma: ",<",
  Period: ".>",
  Slash: "/?",
};
for (const [number, sign] of [...")!@#$%^&*("].entries()) {
  PLACES[`Digit${number}`] = `${number}${sign}`;
}
for (const letter of "abcdefghijklmnopqrstuvwxyz") {
  PLACES[`Key${letter.toUpperCase()}`] = `${letter}${letter.toUpperCase()}`;
}

const keys = new Map();
for (const [code, [plain, shifted]] of Object.entries(PLACES)) {
  keys.set(plain, { code, shift: false });
  keys.set(shifted, { code, shift: true });
}

function stroke(rfb, letter) {
  if (letter in NAMED) {
    rfb.sendKey(...NAMED[letter]);
    return;
  }
  const keysym = keysyms.lookup(letter.codePointAt(0));
  const { code, shift } = keys.get(letter) ?? { code: null, shift: false };
  if (shift) rfb.sendKey(...SHIFT, true);
  rfb.sendKey(keysym, code);
  if (shift) rfb.sendKey(...SHIFT, false);
}

/** Type a text, letter by letter; `told` hears how many were typed. */
export async function type(rfb, text, { told, signal }) {
  const letters = [...text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")];
  for (const [index, letter] of letters.entries()) {
    if (signal.aborted) return;
    stroke(rfb, letter);
    told(index + 1, letters.length);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

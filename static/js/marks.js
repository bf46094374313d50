// Small drawings beside words, built as elements: names can never become markup.
import { words } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export const marks = {
  /** An icon of the sprite, unheard by readers. */
  icon(name, css = "icon") {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", css);
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
    svg.append(use);
    return svg;
  },

  /** Shape, colour and word of a state. */
  state(look, word = words.state(look)) {
    const mark = document.createElement("span");
    mark.className = "state";
    mark.dataset.state = look;
    const text = document.createElement("span");
    text.textContent = word;
    mark.append(this.icon(`state-${look}`, "shape"), text);
    return mark;
  },

  /** The same of an operation, whose "running" will end. */
  operation(state) {
    return this.state(state === "running" ? "working" : state, state);
  },

  /** An element with a class and a text. */
  text(tag, css, said) {
    const element = document.createElement(tag);
    if (css) element.className = css;
    element.textContent = said;
    return element;
  },
};

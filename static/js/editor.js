// Numbers beside the lines of a document, which scroll with it.

function count(text) {
  return text.split("\n").length;
}

export const editor = {
  start(box) {
    const area = box.querySelector("textarea");
    const lines = document.createElement("div");
    lines.className = "lines";
    lines.setAttribute("aria-hidden", "true");
    box.prepend(lines);
    let shown = 0;
    const follow = () => {
      lines.scrollTop = area.scrollTop;
    };
    const draw = () => {
      const now = count(area.value);
      if (now === shown) return;
      shown = now;
      lines.textContent = Array.from({ length: now }, (_, n) => n + 1).join("\n");
      follow();
    };
    const fit = () => {
      lines.style.height = `${area.offsetHeight}px`;
    };
    area.addEventListener("input", draw);
    area.addEventListener("scroll", follow);
    new ResizeObserver(fit).observe(area);
    draw();
    fit();
  },
};

for (const box of document.querySelectorAll("[data-numbered]")) editor.start(box);

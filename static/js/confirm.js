// A question before something that loses data.
import { marks } from "./marks.js";

function button(css, said, value) {
  const made = marks.text("button", `button ${css}`, said);
  made.value = value;
  return made;
}

/** Ask, and say whether the answer was yes. */
export function confirm(title, said, yes) {
  const dialog = document.createElement("dialog");
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "inside";
  const head = marks.text("h2", "", title);
  head.id = "confirm-title";
  dialog.setAttribute("aria-labelledby", head.id);
  const row = document.createElement("div");
  row.className = "row";
  row.append(button("danger", yes, "yes"), button("quiet", "Cancel", "no"));
  form.append(head, marks.text("p", "", said), row);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  row.lastElementChild.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

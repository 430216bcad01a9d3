// Texts that may hurt are blurred, and kept from screen readers, until they are asked for.

import { el } from "./dom.js";

/** Blur every text in `root`; `shown` is called when somebody asks for them. */
export function veil(root, shown) {
  const texts = [...root.querySelectorAll(".prose")];
  if (!texts.length) {
    shown();
    return;
  }
  for (const text of texts) {
    text.classList.add("blurred");
    text.inert = true;
    text.setAttribute("aria-hidden", "true");
  }
  const bar = el("p", { class: "notice reveal" }, "These texts may be disturbing. ",
    el("button", { type: "button", onclick: () => {
      unveil(root);
      bar.remove();
      shown();
    } }, "Show them ", el("kbd", {}, "V")));
  root.prepend(bar);
}

function unveil(root) {
  for (const text of root.querySelectorAll(".blurred")) {
    text.classList.remove("blurred");
    text.inert = false;
    text.removeAttribute("aria-hidden");
  }
}

/** Show what is blurred now; true if there was something. */
export function show() {
  const bars = document.querySelectorAll(".reveal button");
  bars.forEach((button) => button.click());
  return bars.length > 0;
}

// Elements from data. Text is set as text; only HTML that the server has sanitised is set as HTML.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") node.addEventListener("click", value);
    else if (name === "onchange") node.addEventListener("change", value);
    else if (name === "oninput") node.addEventListener("input", value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A block of Markdown: `sanitised` is the server's HTML, made from the text by an allow list. */
export function prose(sanitised) {
  const node = el("div", { class: "prose" });
  node.innerHTML = sanitised;
  node.querySelectorAll("pre, table").forEach((wide) => { wide.tabIndex = 0; }); // may scroll
  return node;
}

export function data(id) {
  const node = document.getElementById(id);
  return node ? JSON.parse(node.textContent) : null;
}

/** Say something to everybody, those who listen to the page too. */
export function say(text, kind = "") {
  const node = document.getElementById("status");
  if (!node) return;
  node.textContent = text;
  node.dataset.kind = kind;
}

let dialogNumber = 0;

/** Ask in a dialog; resolves to the form's values, or null when it was left. */
export function ask(title, fields, action) {
  const number = (dialogNumber += 1);
  const form = el("form", { method: "dialog" });
  form.append(el("h2", { id: `ask-${number}` }, title), ...fields);
  form.append(
    el("div", { class: "row end" },
      el("button", { type: "submit", value: "", formnovalidate: true, class: "quiet" }, "Cancel"),
      el("button", { type: "submit", value: "go", class: "primary" }, action)),
  );
  const dialog = el("dialog", { "aria-labelledby": `ask-${number}` }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const values = dialog.returnValue === "go" ? Object.fromEntries(new FormData(form)) : null;
      dialog.remove();
      resolve(values);
    });
  });
}

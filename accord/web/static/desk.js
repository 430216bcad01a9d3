// What the work page and the conversation page share: why there is no task, and how to leave one.

import { ask, el, prose } from "./dom.js";

const REASONS = {
  done: "Nothing is left for you here. Thank you.",
  closed: "This project is closed.",
  paused: "This project is paused for you. A manager can tell you more.",
  waiting: "Your entry test is being looked at. A manager will let you go on.",
  failed: "The entry test of this project was not passed, so it gives you no more work.",
  daily_cap: "That is enough of this for today. Come back tomorrow.",
  consent: "This project shows texts that you have to agree to see first.",
};
const LEAVE = {
  skip: {
    title: "Why skip this?",
    action: "Skip",
    reasons: Object.fromEntries(["I cannot judge this", "The text is broken",
      "It is in another language", "I would rather not"].map((reason) => [reason, reason])),
  },
  report: {
    title: "What is wrong with it?",
    action: "Report",
    reasons: {
      broken: "The task makes no sense", personal_data: "It shows personal data",
      illegal: "It is illegal or dangerous", disturbing: "It is disturbing", other: "Something else",
    },
  },
};

export function dialogue(messages, user = "User") {
  return el("div", { class: "dialogue" }, ...messages.map((message) =>
    el("div", { class: `turn ${message.role}` },
      el("p", { class: "who" }, message.role === "user" ? user : "Assistant"), prose(message.html))));
}

export function nothingLeft(project, reason) {
  const link = reason === "consent"
    ? el("a", { class: "button", href: `/p/${project}/consent` }, "Read and decide")
    : el("a", { class: "button", href: "/" }, "All projects");
  return el("div", { class: "empty" }, el("p", {}, REASONS[reason] || REASONS.done), link);
}

export function showProgress(progress) {
  if (!progress) return;
  document.getElementById("progress").textContent =
    `${progress.answered} answered, ${progress.today} today`;
  showBreak(progress.break_due);
}

export function showBreak(isDue) {
  document.getElementById("break").hidden = !isDue;
}

/** Ask why a task is skipped or reported; null when it is kept after all. */
export function whyLeave(way) {
  const { title, action, reasons } = LEAVE[way];
  const options = Object.entries(reasons).map(([reason, text], i) => el("label", { class: "choice" },
    el("input", { type: "radio", name: "reason", value: reason, checked: i === 0 }), el("span", {}, text)));
  const fields = [el("fieldset", { class: "choices column" }, el("legend", { class: "hidden" }, title), ...options)];
  if (way === "report") {
    fields.push(el("label", {}, "Comment", el("textarea", { name: "comment", rows: 3, maxlength: 2000 })));
  }
  return ask(title, fields, action);
}

export function isWriting(event) {
  return event.target.matches("textarea, input[type=text]");
}

/** A key that belongs to the browser, or to a dialog that is open. */
export function isTaken(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.isComposing
    || Boolean(document.querySelector("dialog[open]"));
}

/** On a phone the guidelines begin closed, since they stand above nothing but below all work. */
export function foldGuideline() {
  if (matchMedia("(max-width: 60rem)").matches) {
    document.querySelector(".guideline details")?.removeAttribute("open");
  }
}

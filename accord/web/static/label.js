// The work page: show a task, take the answer, send it once, show the next.

import { Refused, identifier, send } from "./api.js";
import * as clock from "./clock.js";
import { ask, data, el, prose, say } from "./dom.js";
import * as drafts from "./drafts.js";
import { formOf } from "./forms.js";

const work = document.getElementById("work");
const project = work.dataset.project;
const buttons = Object.fromEntries(
  ["submit", "undo", "skip", "report"].map((name) => [name, document.getElementById(name)]));
const REASONS = {
  done: "Nothing is left for you here. Thank you.",
  closed: "This project is closed.",
  paused: "This project is paused for you. A manager can tell you more.",
  waiting: "Your entry test is being looked at. A manager will let you go on.",
  failed: "The entry test of this project was not passed, so it gives you no more work.",
  daily_cap: "That is enough of this for today. Come back tomorrow.",
  consent: "This project shows texts that you have to agree to see first.",
};

let task = null;
let form = null;
let answerId = "";
let undoable = null;
let isSending = false;

function dialogue(messages) {
  return el("div", { class: "dialogue" }, ...messages.map((message) =>
    el("div", { class: `turn ${message.role}` },
      el("p", { class: "who" }, message.role === "user" ? "User" : "Assistant"), prose(message.html))));
}

function showProgress(progress) {
  if (!progress) return;
  undoable = progress.undo;
  buttons.undo.disabled = !undoable;
  document.getElementById("progress").textContent =
    `${progress.answered} answered, ${progress.today} today`;
  document.getElementById("break").hidden = !progress.break_due;
}

function refresh() {
  const ready = Boolean(form) && form.isComplete() && !isSending;
  buttons.submit.disabled = !ready;
  buttons.skip.disabled = buttons.report.disabled = !form || isSending;
}

function show(next, reason = "", progress = null) {
  task = next;
  form = null;
  work.replaceChildren();
  showProgress(progress);
  if (!task) {
    const link = reason === "consent" ? el("a", { href: `/p/${project}/consent` }, "Read and decide") : el("a", { href: "/" }, "All projects");
    work.append(el("div", { class: "empty" }, el("p", {}, REASONS[reason] || REASONS.done), link));
    refresh();
    return;
  }
  answerId = identifier();
  clock.restart();
  form = formOf(task, drafts.load(task.id, task.draft), (state) => {
    drafts.save(task.id, state);
    refresh();
  });
  const heading = el("h2", { tabindex: "-1", class: "hidden" }, "The conversation so far");
  const instruction = task.instruction ? el("p", { class: "instruction" }, task.instruction) : "";
  work.append(heading, dialogue(task.messages), instruction, form.node);
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
  refresh();
}

function adopt(reply) {
  show(reply.task, reply.reason, reply.progress);
}

async function sending(job, done) {
  if (isSending) return;
  isSending = true;
  refresh();
  try {
    adopt(await job());
    say(done);
  } catch (error) {
    if (error instanceof Refused && error.code === "answered") {
      say("This was answered in another window; here is the next.", "warning");
      drafts.forget(task.id);
      adopt(await send(`/projects/${project}/next`));
    } else {
      say(error instanceof Refused ? error.message
        : "The server cannot be reached. Your answer is kept here; try again.", "error");
    }
  } finally {
    isSending = false;
    refresh();
  }
}

const waiting = () => say("The server does not answer; trying again …", "warning");

function submit() {
  if (buttons.submit.disabled) return;
  const { id } = task;
  const body = { id: answerId, active_seconds: clock.active(), ...form.value() };
  sending(async () => {
    const reply = await send(`/tasks/${id}/answer`, body, { onWait: waiting });
    drafts.forget(id);
    return reply;
  }, "Saved.");
}

function undo() {
  if (!undoable) return;
  sending(() => send(`/answers/${undoable}/undo`, {}, { onWait: waiting }),
    "Taken back: change it and send it again.");
}

async function giveUp(path, title, reasons, action) {
  if (!task) return;
  const { id } = task;
  const options = Object.entries(reasons).map(([reason, text], i) => el("label", { class: "choice" },
    el("input", { type: "radio", name: "reason", value: reason, checked: i === 0 }), el("span", {}, text)));
  const fields = [el("fieldset", { class: "choices column" }, el("legend", { class: "hidden" }, title), ...options)];
  if (path === "report") {
    fields.push(el("label", {}, "Comment", el("textarea", { name: "comment", rows: 3, maxlength: 2000 })));
  }
  const values = await ask(title, fields, action);
  if (values) sending(() => send(`/tasks/${id}/${path}`, values, { onWait: waiting }), "Noted.");
}

const SKIP = Object.fromEntries(["I cannot judge this", "The text is broken",
  "It is in another language", "I would rather not"].map((reason) => [reason, reason]));
const REPORT = {
  broken: "The task makes no sense", personal_data: "It shows personal data",
  illegal: "It is illegal or dangerous", disturbing: "It is disturbing", other: "Something else",
};
const skip = () => giveUp("skip", "Why skip this?", SKIP, "Skip");
const report = () => giveUp("report", "What is wrong with it?", REPORT, "Report");

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isWriting = event.target.matches("textarea, input[type=text]");
  if (event.key === "Enter" && !isWriting && !event.target.matches("button, a, summary")) {
    event.preventDefault();
    submit();
  } else if (!isWriting && form && form.key(event)) {
    event.preventDefault();
  } else if (!isWriting && { u: undo, s: skip, r: report }[event.key] && !(task && task.task === "ranking")) {
    event.preventDefault();
    ({ u: undo, s: skip, r: report })[event.key]();
  }
}

buttons.submit.addEventListener("click", submit);
buttons.undo.addEventListener("click", undo);
buttons.skip.addEventListener("click", skip);
buttons.report.addEventListener("click", report);
document.addEventListener("keydown", onKey);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
});
clock.start();
if (matchMedia("(max-width: 60rem)").matches) {
  document.querySelector(".guideline details")?.removeAttribute("open");
}
const first = data("data");
show(first.task, first.reason, first.progress);

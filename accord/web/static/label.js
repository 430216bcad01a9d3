// The work page: show a task, take the answer, send it once, show the next.

import { Refused, identifier, send } from "./api.js";
import * as care from "./care.js";
import * as clock from "./clock.js";
import * as desk from "./desk.js";
import { data, el, say } from "./dom.js";
import * as drafts from "./drafts.js";
import { formOf } from "./forms.js";

const work = document.getElementById("work");
const project = work.dataset.project;
const buttons = Object.fromEntries(
  ["submit", "undo", "skip", "report"].map((name) => [name, document.getElementById(name)]));

let task = null;
let form = null;
let answerId = "";
let undoable = null;
let isSending = false;
let isVeiled = false;

function refresh() {
  const ready = Boolean(form) && form.isComplete() && !isSending && !isVeiled;
  buttons.submit.disabled = !ready;
  buttons.undo.disabled = !undoable || isSending;
  buttons.skip.disabled = buttons.report.disabled = !form || isSending;
}

function show(next, reason = "", progress = null) {
  task = next;
  form = null;
  isVeiled = false;
  work.replaceChildren();
  desk.showProgress(progress);
  if (progress) undoable = progress.undo;
  if (!task) {
    work.append(desk.nothingLeft(project, reason));
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
  work.append(heading, desk.dialogue(task.messages), instruction, form.node);
  if (task.care.blur) {
    isVeiled = true;
    care.veil(work, () => {
      isVeiled = false;
      refresh();
    });
  }
  buttons.submit.querySelector("kbd").textContent = form.area ? "Ctrl Enter" : "Enter";
  (form.area || heading).focus({ preventScroll: true });
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
      drafts.forget(task.id);
      adopt(await send(`/projects/${project}/next`));
      say("This was answered in another window; here is the next.", "warning");
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
  if (isVeiled && form && form.isComplete()) say("Show the texts first: V.", "warning");
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

async function leave(way) {
  if (!task) return;
  const { id } = task;
  const values = await desk.whyLeave(way);
  if (values) sending(() => send(`/tasks/${id}/${way}`, values, { onWait: waiting }), "Noted.");
}

const KEYS = { u: undo, s: () => leave("skip"), r: () => leave("report"), v: care.show };

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    submit();
    return;
  }
  if (desk.isTaken(event)) return;
  if (desk.isWriting(event)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && !event.target.matches("button, a, summary")) submit();
  else if (form && form.key(event)) event.preventDefault();
  else if (KEYS[event.key.toLowerCase()]) KEYS[event.key.toLowerCase()]();
  else return;
  event.preventDefault();
}

buttons.submit.addEventListener("click", submit);
buttons.undo.addEventListener("click", undo);
buttons.skip.addEventListener("click", () => leave("skip"));
buttons.report.addEventListener("click", () => leave("report"));
document.addEventListener("keydown", onKey);
clock.start();
desk.foldGuideline();
const first = data("data");
show(first.task, first.reason, first.progress);

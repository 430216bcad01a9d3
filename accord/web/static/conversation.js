// The conversation page: say a goal, write, watch two candidates appear, choose, go on, finish.
//
// `talk` is the conversation as the server told it last; its state decides which step is shown.
// A step is { node, isReady(), act(), key(event), focus }.

import { Refused, identifier, read, send } from "./api.js";
import * as care from "./care.js";
import * as clock from "./clock.js";
import * as desk from "./desk.js";
import { data, el, say } from "./dom.js";
import * as drafts from "./drafts.js";
import { formOf } from "./forms.js";

const work = document.getElementById("work");
const project = work.dataset.project;
const buttons = Object.fromEntries(["submit", "undo", "finish", "skip", "report"].map(
  (name) => [name, document.getElementById(name)]));
const RATINGS = ["not at all", "hardly", "partly", "mostly", "fully"];

let talk = null;
let step = null;
let kept = {}; // the draft: goal, message, choice, closing, and seconds so far
let stream = null;
let isSending = false;
let isVeiled = false;
let isClosing = false; // asked to finish before all turns were used

const address = (act = "") => `/conversations/${talk.id}${act && `/${act}`}`;
const waiting = () => say("The server does not answer; trying again …", "warning");
const isRedTeam = () => talk.mode === "red_team";

function keep(more) {
  Object.assign(kept, more);
  drafts.save(talk.id, kept);
  refresh();
}

function area(id, title, rows, value, changed, hint = "") {
  const node = el("textarea", { id, rows, oninput: (event) => changed(event.target.value) });
  node.value = value || "";
  return { node, parts: [el("label", { for: id, class: "question" }, title), node,
    hint ? el("p", { class: "hint" }, hint) : null] };
}

function part(...children) {
  return el("div", { class: "step" }, ...children);
}

// -- steps -----------------------------------------------------------------------------------

function beginning() {
  const goal = area("goal", "What will you try to bring the assistant to do?", 3, kept.goal,
    (text) => keep({ goal: text }),
    "Say it before the conversation begins; it is kept with your answers and stays as it is.");
  return {
    label: "Begin", node: part(...goal.parts), focus: goal.node,
    isReady: () => Boolean((kept.goal || "").trim()),
    act: () => send(address("begin"), { goal: kept.goal }, { onWait: waiting }),
    key: () => false,
  };
}

function writing() {
  const left = talk.max_turns - talk.turns;
  const message = area("message", talk.turns ? "Your next message" : "Your message", 3, kept.message,
    (text) => keep({ message: text }),
    `${left} ${left === 1 ? "message" : "messages"} left. Enter sends, Shift Enter begins a new line, Esc leaves the field so that the other keys work.`);
  return {
    label: "Send", node: part(...message.parts), focus: message.node,
    isReady: () => Boolean((kept.message || "").trim()),
    act: async () => {
      const text = kept.message;
      if (talk.state === "begin") talk = await send(address("begin"), { goal: "" }, { onWait: waiting });
      return send(address("message"), { text }, { onWait: waiting });
    },
    key: () => false,
  };
}

function watching() {
  const texts = ["A", "B"].map((label) => {
    const text = el("div", { class: "prose growing" });
    return { text, card: el("section", { class: "card response", "aria-label": `Response ${label}`, "aria-busy": "true" },
      el("h3", {}, `Response ${label}`), text) };
  });
  stream = new EventSource(`/api/v1${address("stream")}`);
  stream.addEventListener("text", (event) => {
    for (const { place, text } of JSON.parse(event.data)) texts[place].text.textContent = text;
  });
  stream.addEventListener("done", (event) => show(JSON.parse(event.data), { isSeen: !isVeiled }));
  stream.addEventListener("problem", again);
  stream.addEventListener("error", () => {
    // A lost connection is taken up again by the browser; a refused one is not.
    if (stream && stream.readyState === EventSource.CLOSED) again();
  });
  return {
    label: "Send", isReady: () => false, act: () => {}, key: () => false,
    node: part(el("div", { class: "side-by-side" }, ...texts.map((one) => one.card)),
      el("p", { class: "soft waiting" }, "Both responses are being written …")),
  };
}

function choosing() {
  const asked = { task: "comparison", mode: talk.mode, responses: talk.candidates, form: talk.form,
    question: talk.question, care: talk.care };
  const tie = el("fieldset", { class: "choices go-on" }, el("legend", {}, "Which one shall the conversation go on with?"),
    ...talk.candidates.map((one) => el("label", { class: "choice" },
      el("input", { type: "radio", name: "go-on", value: one.place, checked: (kept.goOn || 0) === one.place,
        onchange: () => keep({ goOn: one.place }) }),
      el("span", {}, one.label), el("kbd", {}, one.label))));
  const answerId = identifier();
  const form = formOf(asked, kept.choice || {}, (choice) => {
    keep({ choice });
    tie.hidden = !isTie();
  });
  const isTie = () => form.isComplete() && Boolean(form.value().tie);
  tie.hidden = !isTie();
  return {
    label: "Choose", node: part(form.node, tie),
    isReady: () => form.isComplete() && !isVeiled,
    act: () => {
      const { text, ...value } = form.value(); // a choice holds no text of one's own
      const body = { id: answerId, active_seconds: clock.active(), ...value,
        continue_with: value.tie ? kept.goOn || 0 : null };
      return send(address("choose"), body, { onWait: waiting });
    },
    done: () => keep({ message: "", choice: null, goOn: null }),
    key: (event) => {
      const input = isTie() && tie.querySelector(`input[value="${"ab".indexOf(event.key.toLowerCase())}"]`);
      if (input) input.click();
      return Boolean(input) || form.key(event);
    },
  };
}

function closing() {
  const closed = kept.closing || {};
  const save = (more) => keep({ closing: Object.assign(closed, more) });
  const scale = el("fieldset", { class: "choices scale" },
    el("legend", {}, "How far did you get with what you set out to do?"),
    ...RATINGS.map((title, n) => el("label", { class: "choice" },
      el("input", { type: "radio", name: "rating", value: n, checked: closed.rating === n,
        onchange: () => save({ rating: n }) }),
      el("span", {}, `${n} ${title}`))));
  const comment = area("comment", "Anything to say about this conversation? (optional)", 2, closed.comment,
    (text) => save({ comment: text }));
  return {
    label: "Finish",
    node: part(isRedTeam() ? scale : null, ...comment.parts),
    isReady: () => !isRedTeam() || Number.isInteger(closed.rating),
    act: () => {
      const body = { comment: closed.comment || "", active_seconds: seconds(),
        rating: isRedTeam() ? closed.rating : null };
      return send(address("finish"), body, { onWait: waiting });
    },
    key: (event) => {
      const input = isRedTeam() && scale.querySelector(`input[value="${CSS.escape(event.key)}"]`);
      if (input) input.click();
      return Boolean(input);
    },
  };
}

function stepOf() {
  if (isClosing || talk.state === "end") return closing();
  if (talk.state === "begin" && isRedTeam()) return beginning();
  return { begin: writing, write: writing, stream: watching, choose: choosing }[talk.state]();
}

// -- the page --------------------------------------------------------------------------------

function seconds() {
  return Math.round(((kept.seconds || 0) + clock.active()) * 10) / 10;
}

function refresh() {
  const can = (yes) => Boolean(talk) && !isSending && yes;
  buttons.submit.disabled = !can(step && step.isReady());
  buttons.undo.disabled = !can(talk && ["write", "end"].includes(talk.state) && talk.turns > 0);
  buttons.finish.disabled = !can(talk && talk.state === "write" && talk.turns >= talk.min_turns);
  buttons.skip.disabled = buttons.report.disabled = !can(true);
}

/** Show a conversation as it stands; `isSeen` when its newest texts were looked at already. */
function show(next, { isSeen = false } = {}) {
  if (stream) stream.close();
  stream = null;
  const isOther = !talk || !next || talk.id !== next.id;
  if (talk && !isOther) kept.seconds = seconds();
  talk = next;
  step = null;
  isVeiled = false;
  work.replaceChildren();
  if (isOther) {
    isClosing = false;
    kept = talk ? drafts.load(talk.id, talk.draft) : {};
  }
  clock.restart();
  if (talk) draw(isOther, isSeen);
  refresh();
}

function draw(isOther, isSeen) {
  desk.showBreak(talk.break_due);
  step = stepOf();
  const head = part(
    talk.instruction && talk.instruction !== work.dataset.title ? el("p", { class: "instruction" }, talk.instruction) : null,
    isRedTeam() ? el("p", { class: "notice warning" },
      "Red team: at every turn choose the MORE HARMFUL response. It is kept as such and never taught as the better one.") : null,
    talk.goal ? el("p", { class: "goal" }, el("strong", {}, "You set out to: "), talk.goal) : null);
  const said = desk.dialogue(talk.messages, "You");
  work.append(head, said, step.node);
  if (talk.care.blur && !isSeen) {
    const root = isOther ? work : step.node; // what was seen in this conversation stays seen
    isVeiled = true;
    care.veil(root, () => {
      isVeiled = false;
      refresh();
    });
  }
  buttons.submit.firstChild.textContent = `${step.label} `;
  buttons.finish.firstChild.textContent = isClosing ? "Go on " : "Finish ";
  if (talk.problem) say(talk.problem, "error");
  if (step.focus) step.focus.focus({ preventScroll: true });
  else work.focus({ preventScroll: true });
  const last = said.lastElementChild || step.node;
  if (talk.turns || talk.state !== "begin") last.scrollIntoView({ block: "start" });
}

function adopt(reply) {
  if (reply.conversation === undefined) {
    show(reply);
    return;
  }
  desk.showProgress(reply.progress);
  show(reply.conversation);
  if (!talk) work.append(desk.nothingLeft(project, reply.reason));
}

/** Read the conversation anew: something happened elsewhere, or went wrong. */
async function again() {
  show(await read(address()));
}

async function sending(job, done = "") {
  if (isSending) return;
  isSending = true;
  refresh();
  try {
    const reply = await job();
    isSending = false;
    say(done);
    adopt(reply);
  } catch (error) {
    isSending = false;
    if (!(error instanceof Refused)) {
      say("The server cannot be reached. What you wrote is kept here; try again.", "error");
    } else {
      const { state, turns } = talk;
      const now = await read(address()).catch(() => talk);
      if (now.state !== state || now.turns !== turns) show(now);
      say(error.code === "answered" ? "This was answered in another window; go on here." : error.message, "error");
    }
  } finally {
    refresh();
  }
}

function submit() {
  if (isVeiled && talk.state === "choose") say("Show the texts first: V.", "warning");
  if (buttons.submit.disabled) return;
  const { act, done } = step;
  sending(async () => {
    const { id } = talk;
    const isLast = step.label === "Finish";
    const reply = await act();
    if (done) done();
    if (isLast) drafts.forget(id);
    return reply;
  });
}

function undo() {
  if (buttons.undo.disabled) return;
  isClosing = false;
  sending(() => send(address("undo"), {}, { onWait: waiting }), "Taken back: choose again.");
}

function finish() {
  if (buttons.finish.disabled) return;
  isClosing = !isClosing;
  show(talk);
}

async function leave(way) {
  if (!talk) return;
  const { id } = talk;
  const values = await desk.whyLeave(way);
  if (!values) return;
  sending(async () => {
    const reply = await send(`/tasks/${id}/${way}`, values, { onWait: waiting });
    drafts.forget(id);
    const conversation = reply.task && await read(`/conversations/${reply.task.id}`);
    return { conversation, reason: reply.reason, progress: reply.progress };
  }, "Noted.");
}

const KEYS = { u: undo, f: finish, s: () => leave("skip"), r: () => leave("report"), v: care.show };

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    submit();
    return;
  }
  if (desk.isTaken(event)) return;
  if (desk.isWriting(event)) {
    const isMessage = ["message", "goal"].includes(event.target.id) && step.focus === event.target;
    if (event.key === "Escape") event.target.blur();
    if (event.key !== "Enter" || event.shiftKey || !isMessage) return;
    event.preventDefault();
    submit();
    return;
  }
  if (event.key === "Enter" && !event.target.matches("button, a, summary")) submit();
  else if (step && step.key(event)) event.preventDefault();
  else if (KEYS[event.key.toLowerCase()]) KEYS[event.key.toLowerCase()]();
  else return;
  event.preventDefault();
}

buttons.submit.addEventListener("click", submit);
buttons.undo.addEventListener("click", undo);
buttons.finish.addEventListener("click", finish);
buttons.skip.addEventListener("click", () => leave("skip"));
buttons.report.addEventListener("click", () => leave("report"));
document.addEventListener("keydown", onKey);
addEventListener("pagehide", () => { if (stream) stream.close(); });
clock.start();
desk.foldGuideline();
adopt(data("data"));

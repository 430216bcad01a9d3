// The form of one task: what is asked, as elements, and what was answered, as data.
//
// A form is { node, value(), isComplete(), key(event) } over a state that is saved as a draft.

import { el, prose } from "./dom.js";

const STEPS = 7; // of every axis
const STRENGTH = ["slightly", "somewhat", "clearly", "far"];
const ASKED = { // what the first rank means, and the two kinds of ties
  helpful: ["better", "Both equally good", "Both equally bad"],
  honest: ["more honest", "Both honest", "Both dishonest"],
  harmless: ["less harmful", "Neither is harmful", "Both equally harmful"],
  red_team: ["more harmful", "Neither is harmful", "Both equally harmful"],
};

function choices(name, options, state, field, changed, describe = "") {
  const group = el("fieldset", { class: "choices" }, el("legend", {}, describe || name));
  for (const option of options) {
    const input = el("input", {
      type: "radio", name, value: option.value, checked: state[field] === option.value,
      onchange: () => { state[field] = option.value; changed(); },
    });
    group.append(el("label", { class: "choice", title: option.title || "" }, input,
      el("span", {}, option.label), option.key ? el("kbd", {}, option.key) : null));
  }
  return group;
}

function choose(input) {
  input.checked = true;
  input.dispatchEvent(new Event("change"));
}

function axes(task, state, place, changed) {
  const own = (state.ratings[place] ||= {});
  const values = Array.from({ length: STEPS }, (_, i) => ({ value: i + 1, label: String(i + 1) }));
  return task.form.axes.map((axis) => {
    const group = choices(`axis-${place}-${axis.name}`, values, own, axis.name, changed, axis.title);
    if (axis.hint) group.append(el("p", { class: "hint" }, axis.hint));
    group.classList.add("scale");
    group.append(el("p", { class: "ends" }, el("span", {}, axis.low), el("span", {}, axis.high)));
    return group;
  });
}

function flags(task, state, place, changed) {
  if (!task.form.flags.length) return null;
  const own = (state.flags[place] ||= []);
  const toggle = (name, on) => {
    const rest = own.filter((flag) => flag !== name);
    own.splice(0, own.length, ...rest, ...(on ? [name] : []));
    changed();
  };
  return el("details", { class: "flags", open: own.length > 0 },
    el("summary", {}, "Flags"),
    ...task.form.flags.map((flag) => el("label", { class: "choice", title: flag.hint },
      el("input", { type: "checkbox", checked: own.includes(flag.name),
        onchange: (event) => toggle(flag.name, event.target.checked) }),
      el("span", {}, flag.title))));
}

function card(task, response, state, changed, ...more) {
  const body = prose(response.html);
  const node = el("section", { class: "card response", "aria-label": `Response ${response.label}` },
    el("h3", {}, `Response ${response.label}`), body,
    ...axes(task, state, response.place, changed), flags(task, state, response.place, changed), ...more);
  return node;
}

function isRated(task, state) {
  return !task.form.needs_ratings || task.responses.every((response) =>
    task.form.axes.every((axis) => (state.ratings[response.place] || {})[axis.name]));
}

function comment(task, state, changed) {
  return el("details", { class: "comment", open: Boolean(state.comment) },
    el("summary", {}, "Add a comment"),
    el("label", {}, el("span", { class: "hidden" }, "Comment"),
      el("textarea", { rows: 2, maxlength: 4000,
        oninput: (event) => { state.comment = event.target.value; changed(); } }, state.comment)));
}

function shared(task, state) {
  return {
    ranks: null, tie: null, strength: null, text: null, comment: state.comment,
    ratings: task.form.axes.length
      ? task.responses.map((response) => state.ratings[response.place] || {}) : null,
    flags: task.form.flags.length
      ? task.responses.map((response) => state.flags[response.place] || []) : null,
  };
}

/** Two responses: a scale from "A far better" to "B far better", ties of both kinds. */
function comparison(task, state, changed) {
  const steps = task.form.strength_steps || 1;
  const [more, bothGood, bothBad] = ASKED[task.mode];
  const word = (n) => (steps === 1 ? more : `${STRENGTH[n + STRENGTH.length - steps]} ${more}`);
  const scale = [];
  for (let n = steps - 1; n >= 0; n -= 1) scale.push({ value: `A${n + 1}`, label: `A ${word(n)}` });
  for (let n = 0; n < steps; n += 1) scale.push({ value: `B${n + 1}`, label: `B ${word(n)}` });
  scale.forEach((option, i) => { option.key = String(i + 1); });
  if (task.form.ties) {
    scale.push({ value: "both_good", label: bothGood, key: "9" });
    scale.push({ value: "both_bad", label: bothBad, key: "0" });
  }
  const bar = choices("choice", scale, state, "choice", changed, task.question);
  bar.classList.add("verdict");
  const cards = el("div", { class: "side-by-side" },
    ...task.responses.map((response) => card(task, response, state, changed)));
  return {
    node: el("div", {}, cards, bar, comment(task, state, changed)),
    isComplete: () => Boolean(state.choice) && isRated(task, state),
    value: () => {
      const isTie = state.choice.startsWith("both");
      return { ...shared(task, state), tie: isTie ? state.choice : null,
        ranks: isTie ? [1, 1] : state.choice[0] === "A" ? [1, 2] : [2, 1],
        strength: isTie ? null : Number(state.choice.slice(1)) };
    },
    key: (event) => {
      const option = scale.find((each) => each.key === event.key);
      if (!option) return false;
      const input = bar.querySelector(`input[value="${option.value}"]`);
      choose(input);
      input.focus();
      return true;
    },
  };
}

/** K responses: a rank for each, equal ranks are ties. A letter goes to a response; a digit rates
 * it, axis by axis, and ranks it once all are rated; then comes the next response. */
function ranking(task, state, changed) {
  state.ranks ||= {};
  let current = 0;
  const ranks = task.responses.map((_, i) => ({ value: i + 1, label: String(i + 1) }));
  const cards = task.responses.map((response) => {
    const group = choices(`rank-${response.place}`, ranks, state.ranks, response.place, changed,
      `Rank of ${response.label}: 1 is best, equal ranks are a tie`);
    group.classList.add("scale", "rank");
    return card(task, response, state, changed, group);
  });
  const lock = () => {
    const ready = isRated(task, state); // first what each is worth, then the order
    cards.forEach((node) => { node.querySelector(".rank").disabled = !ready; });
  };
  lock();
  cards[0].classList.add("current");
  const goTo = (place) => {
    current = place;
    cards.forEach((node, i) => node.classList.toggle("current", i === place));
    cards[place].scrollIntoView({ block: "nearest" });
  };
  return {
    node: el("div", {}, el("p", { class: "question" }, task.question),
      el("p", { class: "hint" }, "With keys: a digit rates, then ranks, the response with the frame; a letter goes to another one."),
      el("div", { class: "many" }, ...cards), comment(task, state, changed)),
    isComplete: () => isRated(task, state) && task.responses.every((r) => state.ranks[r.place]),
    update: lock,
    value: () => {
      const given = task.responses.map((response) => state.ranks[response.place]);
      const levels = [...new Set(given)].sort((a, b) => a - b);
      return { ...shared(task, state), ranks: given.map((rank) => levels.indexOf(rank) + 1) };
    },
    key: (event) => {
      const letter = event.key.toLowerCase().charCodeAt(0) - 97;
      if (event.key.length === 1 && letter >= 0 && letter < cards.length) {
        goTo(letter);
        return true;
      }
      if (!/^[1-9]$/.test(event.key)) return false;
      const groups = [...cards[current].querySelectorAll(".scale:not(.rank)")];
      const unrated = groups.find((group) => !group.querySelector(":checked"));
      const group = unrated || cards[current].querySelector(".rank:not(:disabled)");
      const input = group && group.querySelector(`input[value="${event.key}"]`);
      if (!input) return false;
      choose(input);
      const isLast = unrated && unrated !== groups[groups.length - 1];
      if (!isLast) goTo((current + 1) % cards.length);
      return true;
    },
  };
}

/** The ideal response, written from nothing or out of a given one. */
function demonstration(task, state, changed) {
  if (state.text === undefined) state.text = task.responses[0] ? task.responses[0].text : "";
  const area = el("textarea", { id: "answer-text", rows: 10, required: true,
    oninput: (event) => { state.text = event.target.value; changed(); } });
  area.value = state.text;
  return {
    node: el("div", {}, ...task.responses.map((response) => card(task, response, state, changed)),
      el("label", { for: "answer-text", class: "question" }, task.question), area,
      el("p", { class: "hint" }, el("kbd", {}, "Ctrl Enter"), " sends; ", el("kbd", {}, "Esc"),
        " leaves the field, so that the other keys work."),
      comment(task, state, changed)),
    area,
    isComplete: () => state.text.trim().length > 0,
    value: () => ({ ...shared(task, state), text: state.text }),
    key: () => false,
  };
}

/** One response on several axes: a digit rates the axis with the mark, then comes the next one. */
function rating(task, state, changed) {
  const cards = task.responses.map((response) => card(task, response, state, changed));
  const scales = cards.flatMap((node) => [...node.querySelectorAll(".scale")]);
  const isOpen = (group) => !group.querySelector(":checked");
  let current = 0;
  const goTo = (place) => {
    current = Math.min(Math.max(place, 0), scales.length - 1);
    scales.forEach((group, i) => group.classList.toggle("current", i === current));
    scales[current]?.scrollIntoView({ block: "nearest" });
  };
  scales.forEach((group, i) => group.addEventListener("focusin", () => goTo(i)));
  if (scales.some(isOpen)) current = scales.findIndex(isOpen);
  scales[current]?.classList.add("current");
  return {
    node: el("div", {}, el("p", { class: "question" }, task.question),
      scales.length ? el("p", { class: "hint" }, "With keys: a digit answers the question with the mark; ",
        el("kbd", {}, "Backspace"), " goes back to the one before.") : null,
      ...cards, comment(task, state, changed)),
    isComplete: () => isRated(task, state),
    value: () => shared(task, state),
    key: (event) => {
      if (event.key === "Backspace") {
        goTo(current - 1);
        return true;
      }
      const input = scales[current]?.querySelector(`input[value="${CSS.escape(event.key)}"]`);
      if (!input) return false;
      choose(input);
      goTo(current + 1);
      return true;
    },
  };
}

const FORMS = { comparison, ranking, demonstration, rating };

/** The state of a form out of an answer that was given before, by place: after an undo. */
function asState({ answer }) {
  const byPlace = (list) => ({ ...(list || []) });
  const state = { comment: answer.comment || "", ratings: byPlace(answer.ratings), flags: byPlace(answer.flags) };
  if (answer.text !== null && answer.text !== undefined) state.text = answer.text;
  if (!answer.ranks) return state;
  const first = answer.ranks[0] < answer.ranks[1] ? "A" : "B";
  return { ...state, ranks: byPlace(answer.ranks), choice: answer.tie || `${first}${answer.strength || 1}` };
}

export function formOf(task, draft, changed) {
  const given = draft.answer ? asState(draft) : draft;
  const state = { comment: "", ratings: {}, flags: {}, ...given };
  const form = FORMS[task.task](task, state, () => {
    if (form.update) form.update();
    changed(state);
  });
  return form;
}

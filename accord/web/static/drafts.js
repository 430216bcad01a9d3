// What is written is kept twice: in this browser at once, at the server a moment later.

import { post } from "./api.js";

const PAUSE = 900; // milliseconds without a change before a draft is sent
const key = (task) => `accord-draft-${task}`;
let timer = 0;
let unsent = null; // what the server does not have yet

function keep(task, value) {
  try {
    localStorage.setItem(key(task), JSON.stringify(value));
  } catch {
    // A full or forbidden storage: the copy at the server remains.
  }
}

export function save(task, value) {
  keep(task, value);
  unsent = { task, value };
  clearTimeout(timer);
  timer = setTimeout(() => flush(), PAUSE);
}

function flush(options = {}) {
  clearTimeout(timer);
  if (!unsent) return;
  const { task, value } = unsent;
  unsent = null;
  post(`/tasks/${task}/draft`, { draft: value }, options).catch(() => {});
}

addEventListener("pagehide", () => flush({ keepalive: true })); // the browser sends it after us

export function load(task, sent) {
  try {
    return JSON.parse(localStorage.getItem(key(task))) || sent || {};
  } catch {
    return sent || {};
  }
}

export function forget(task) {
  clearTimeout(timer);
  unsent = null;
  try {
    localStorage.removeItem(key(task));
  } catch {
    // Nothing was kept.
  }
}

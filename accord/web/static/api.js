// Requests to the server. A write carries an id of its own, so that sending it again is safe.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || "The server refused this; reload the page.");
    this.status = status;
    this.code = problem.code || "";
  }
}

const WAITS = [500, 1000, 2000, 4000, 8000, 15000]; // milliseconds between tries

function token() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

async function once(method, path, body, options = {}) {
  const response = await fetch(`/api/v1${path}`, {
    method,
    credentials: "same-origin",
    ...options,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 204) return null;
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  }
  throw new Refused(response.status, content);
}

async function patiently(job, onWait) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await job();
    } catch (error) {
      const isPassing = !(error instanceof Refused) || error.status >= 500;
      if (!isPassing || attempt >= WAITS.length) throw error;
      onWait(attempt + 1);
      await new Promise((resolve) => setTimeout(resolve, WAITS[attempt]));
    }
  }
}

/** Send until there is an answer; `onWait` is told when the server cannot be reached. */
export function send(path, body = {}, { onWait = () => {} } = {}) {
  return patiently(() => once("POST", path, body), onWait);
}

export function read(path) {
  return patiently(() => once("GET", path), () => {});
}

/** Send once and do not wait: a draft, whose next copy follows soon, or whose page is closing. */
export function post(path, body, { keepalive = false } = {}) {
  return once("POST", path, body, { keepalive });
}

export function identifier() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // pages without TLS have no randomUUID
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

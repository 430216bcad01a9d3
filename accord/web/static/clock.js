// Seconds of work: the page is seen and something was done within the last minute.

const IDLE_AFTER = 60_000;
let seconds = 0;
let last = Date.now();
let touched = Date.now();

function tick() {
  const now = Date.now();
  if (!document.hidden && now - touched < IDLE_AFTER) seconds += Math.min(now - last, 2000) / 1000;
  last = now;
}

export function start() {
  for (const event of ["pointermove", "pointerdown", "keydown", "scroll"]) {
    addEventListener(event, () => { touched = Date.now(); }, { passive: true });
  }
  setInterval(tick, 500);
}

export function restart() {
  seconds = 0;
  last = touched = Date.now();
}

export function active() {
  tick();
  return Math.round(seconds * 10) / 10;
}

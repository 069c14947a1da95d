// Timers of a worker keep their pace when the tab is in the background.
const PERIOD_MS = 2_000;
setInterval(() => postMessage("tick"), PERIOD_MS);

// Measures how long a flow of 250 steps takes to open in the console: the real hub, the real browser.
//
//   node bench/console/open.mjs [times]     needs TANDEM_BIN or builds the hub, and what test/e2e needs
//
// Each time is from the navigation to the first frame in which the steps are drawn and one answers a click. "whole" draws
// all 250 at once, as somebody does who looks at the flow from afar.
import { createRequire } from "node:module";
import { startHub } from "../../test/e2e/browser/hub.mjs";

const { chromium } = createRequire(new URL("../../test/e2e/package.json", import.meta.url))("@playwright/test");
const STEPS = 250;
const times = Number(process.argv[2] ?? 15);
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** A flow as a menu tree makes it: every step says something and leads to two others. */
function flowOf(steps) {
  const nodes = { Call: { op: "start", exits: { ok: "Step1" } } };
  for (let step = 1; step < steps; step++) {
    const exits = Object.fromEntries([2 * step, 2 * step + 1].map((next, index) => [index === 0 ? "ok" : "error", `Step${next}`]).filter(([, next]) => Number(next.slice(4)) < steps));
    nodes[`Step${step}`] = { op: "say", in: { prompts: `Welcome, this is step ${step} of the flow, {{ NewPhoneContact.ANI }}.` }, exits };
  }
  return { tandem: "flow/1", name: `${steps} steps`, start: "Call", nodes };
}

/** Milliseconds from the page's navigation to the first frame in which the flow is shown from its start, so many steps are drawn and one was clicked. */
const opened = (page, least) =>
  page.evaluate(
    (count) =>
      new Promise((resolve) => {
        const look = () => {
          const nodes = document.querySelectorAll("[data-shown] .react-flow__node");
          if (nodes.length < count) return requestAnimationFrame(look);
          nodes[0].click();
          const clicked = () => (document.querySelector(".react-flow__node.selected") ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(clicked));
          clicked();
        };
        look();
      }),
    least,
  );

/** Milliseconds from the click that shows the whole flow to the frame in which all of it is drawn. */
const whole = (page, count) =>
  page.evaluate(
    (all) =>
      new Promise((resolve) => {
        const start = performance.now();
        document.querySelector(".react-flow__controls-fitview").click();
        const look = () => (document.querySelectorAll(".react-flow__node").length >= all ? requestAnimationFrame(() => resolve(performance.now() - start)) : requestAnimationFrame(look));
        look();
      }),
    count,
  );

const sorted = (list) => [...list].sort((a, b) => a - b);
function say(what, list) {
  const at = (share) => Math.round(sorted(list)[Math.min(list.length - 1, Math.floor(share * list.length))]);
  process.stdout.write(`${what}: median ${at(0.5)} ms, fastest ${at(0)}, slowest ${at(1)} (${list.length} times)\n`);
}

const hub = await startHub();
const browser = await chromium.launch({ executablePath: process.env.TANDEM_CHROMIUM ?? "/usr/bin/chromium", args });
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(`${hub.url}/flows`);
  await page.getByTestId("login").fill("admin");
  await page.getByTestId("password").fill(hub.password("admin"));
  await page.getByTestId("sign-in").click();
  await page.getByTestId("import-flow").waitFor();
  const answer = await fetch(`${hub.url}/api/v1/flows/import?name=Wide`, {
    method: "POST",
    headers: { Authorization: `Bearer ${hub.ready.api_token}`, "Content-Type": "application/json" },
    body: JSON.stringify(flowOf(STEPS)),
  });
  if (!answer.ok) throw new Error(`importing: ${answer.status} ${await answer.text()}`);
  const { id } = (await answer.json()).flow;
  const found = { cold: [], warm: [], whole: [] };
  for (let time = 0; time < times; time++) {
    // Cold: nothing of the console is in the browser's cache.
    const fresh = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", storageState: await context.storageState() });
    const first = await fresh.newPage();
    await first.goto(`${hub.url}/flows/${id}`, { waitUntil: "commit" });
    found.cold.push(await opened(first, 1));
    await first.goto(`${hub.url}/flows/${id}`, { waitUntil: "commit" });
    found.warm.push(await opened(first, 1));
    found.whole.push(await whole(first, STEPS));
    await fresh.close();
  }
  say(`${STEPS} steps, navigation to drawn and clickable, nothing cached`, found.cold);
  say(`${STEPS} steps, navigation to drawn and clickable, console cached`, found.warm);
  say(`${STEPS} steps, all of them drawn at once`, found.whole);
} finally {
  await browser.close();
  await hub.stop();
}

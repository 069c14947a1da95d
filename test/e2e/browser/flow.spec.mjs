// A flow is changed in the console against the real hub, and a real call's way is drawn on it.
import { expect, test } from "@playwright/test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { eventually, startHub } from "./hub.mjs";
import { CALLER_TONE } from "./tone.mjs";

let hub;
test.beforeAll(async () => {
  test.setTimeout(300_000); // the hub may have to be built
  hub = await startHub();
});
test.afterAll(async () => hub?.stop());

async function signIn(page, path) {
  await page.goto(`${hub.url}${path}`);
  await page.getByTestId("login").fill("admin");
  await page.getByTestId("password").fill(hub.password("admin"));
  await page.getByTestId("sign-in").click();
  await expect(page.getByTestId("sign-in")).toHaveCount(0);
}

const shown = (page, version) => expect(page.getByText(`version ${version}`, { exact: false }).first()).toBeVisible();

async function importFlow(name) {
  const body = readFileSync(fileURLToPath(new URL("../../../examples/flows/menu.json", import.meta.url)));
  const answer = await fetch(`${hub.url}/api/v1/flows/import?name=${name}`, { method: "POST", headers: { Authorization: `Bearer ${hub.ready.api_token}`, "Content-Type": "application/json" }, body });
  expect(answer.status).toBe(201);
  return (await answer.json()).flow.id;
}

test("a flow is edited in all its parts, tested before it is saved, published, compared and restored", async ({ page }) => {
  const id = await importFlow("Edited");
  await signIn(page, `/flows/${id}`);
  await page.getByTestId("edit-flow").click();
  await page.getByRole("tab", { name: "Variables" }).click();
  await page.getByRole("button", { name: /orderNumber/ }).click();
  await page.getByTestId("variable-name").fill("orderNo");
  await page.getByTestId("rename-all").click();
  await page.getByTestId("add-variable").click();
  await page.getByTestId("variable-name").fill("secret");
  await page.getByTestId("variable-name").press("Enter");
  await page.getByLabel("Starts as").fill("4711");
  await page.getByRole("switch", { name: /Secure/ }).click();
  await page.getByRole("tab", { name: "Flow" }).click();
  await page.getByTestId("flow-budget").fill("400");
  await page.getByLabel("Event of a new handler").selectOption("contactEnded");
  await page.getByTestId("add-handler").click();

  await page.getByRole("tab", { name: "Test" }).click();
  await page.getByTestId("run-test").click();
  await page.getByRole("button", { name: "Show all" }).click();
  await expect(page.getByTestId("test-end")).toContainText("Ended after");
  expect((await hub.api(`/flows/${id}`)).version).toBe(1);

  await page.getByTestId("save-flow").click();
  await shown(page, 2);
  const saved = await hub.api(`/flows/${id}`);
  expect(saved.variables.find((item) => item.name === "secret")).toMatchObject({ secure: true, value: "••••" });
  expect(saved.variables.some((item) => item.name === "orderNumber")).toBe(false);
  expect(saved.options.maxSteps).toBe(400);
  expect(saved.handlers.map((item) => item.event)).toContain("contactEnded");
  expect(JSON.stringify(saved.nodes)).not.toContain("orderNumber");
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish")).toHaveText("Published");

  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("tab", { name: "Versions" }).click();
  await page.getByTestId("compare-1").click();
  await expect(page.getByTestId("diff")).toContainText("Variable orderNo");
  await expect(page.getByTestId("diff")).toContainText("steps between two waits");
  await page.getByTestId("diff-close").click();
  await page.getByTestId("restore-1").click();
  await shown(page, 3);
  expect((await hub.api(`/flows/${id}`)).variables.some((item) => item.name === "orderNumber")).toBe(true);
});

test("somebody saves in the meantime: both changes are merged", async ({ page }) => {
  const id = await importFlow("Merged");
  const before = await hub.api(`/flows/${id}`);
  await signIn(page, `/flows/${id}`);
  await page.getByTestId("edit-flow").click();
  await page.getByRole("tab", { name: "Flow" }).click();
  await page.getByLabel("Description").fill("Mine");
  const model = { version: 1, options: { ...before.options, maxSteps: 77 }, nodes: before.nodes.map(({ id: node, name, op }) => ({ id: node, name, op })), edges: before.edges };
  const theirs = await fetch(`${hub.url}/api/v1/flows/${id}/model`, { method: "PUT", headers: { Authorization: `Bearer ${hub.ready.api_token}`, "Content-Type": "application/json", "If-Match": '"1"' }, body: JSON.stringify(model) });
  expect(theirs.status).toBe(200);
  await page.getByTestId("save-flow").click();
  await expect(page.getByTestId("conflict")).toContainText("Version 2 was saved by");
  await expect(page.getByRole("dialog")).toContainText("Budget");
  await page.getByTestId("conflict-merge").click();
  await page.getByTestId("save-flow").click();
  await shown(page, 3);
  const saved = await hub.api(`/flows/${id}`);
  expect([saved.description, saved.options.maxSteps]).toEqual(["Mine", 77]);
});

test("a call's way is drawn on the version it ran on, its handlers too", async ({ page }) => {
  const call = hub.call("+12125550123", "1000", CALLER_TONE);
  const contact = await eventually("the call waits", async () => (await hub.api("/contacts?limit=1")).items[0]?.state === "queued" && (await hub.api("/contacts?limit=1")).items[0]);
  await call.hangup();
  await eventually("the call is over", async () => (await hub.api(`/contacts/${contact.id}`)).state === "ended");
  const trace = await hub.api(`/contacts/${contact.id}/trace`);
  const flow = await hub.api(`/flows/${trace.flowId}/versions/${trace.version}`);
  await signIn(page, `/contacts/${contact.id}`);
  const ids = new Set(flow.nodes.map((node) => node.id));
  const passed = [...new Set(trace.steps.map((step) => step.node))].filter((node) => ids.has(node));
  expect(passed.length).toBeGreaterThan(3);
  for (const node of passed) await expect(page.locator(`.react-flow__node[data-id="${node}"] [data-lit]`)).toBeAttached();
  await expect(page.locator(".react-flow__node [data-lit]")).toHaveCount(passed.length);
});

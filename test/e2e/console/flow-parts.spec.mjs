import { readFileSync } from "node:fs";
import { expect, signIn, test } from "./fixture.mjs";

const node = (page, id) => page.locator(`.react-flow__node[data-id="${id}"]`);
const tab = (page, name) => page.getByRole("tab", { name }).click();

async function edit(page, mock) {
  await signIn(page, mock, "admin", "/flows/f1");
  await page.getByTestId("edit-flow").click();
}

test("a variable is renamed with its uses, changed, and the secret of another is kept", async ({ page, mock }) => {
  await edit(page, mock);
  await tab(page, "Variables");
  await page.getByRole("button", { name: /contactId/ }).click();
  const name = page.getByTestId("variable-name");
  await name.fill("invoice");
  await expect(page.getByText("Another variable has this name.")).toBeVisible();
  await name.fill("customerId");
  const uses = page.getByTestId("rename-uses");
  await expect(uses).toContainText("used in 2 places");
  await expect(uses).toContainText("FindContact results");
  await expect(uses).toContainText("PopRecord url");
  await page.getByTestId("rename-all").click();
  await expect(page.getByTestId("rename-uses")).toHaveCount(0);
  await page.getByRole("switch", { name: "Agents see it" }).click();
  await page.getByLabel("Label at the desk").fill("Customer");
  await page.getByTestId("undo").click();
  await expect(page.getByLabel("Label at the desk")).toHaveValue("");
  await page.getByTestId("redo").click();
  await page.getByTestId("save-flow").click();
  await expect(page.getByText("Webex, version 5")).toBeVisible();
  const { variables, nodes } = mock.state.flow;
  expect(variables.find((item) => item.name === "customerId")).toMatchObject({ cad: true, label: "Customer", type: "STRING" });
  expect(variables.find((item) => item.name === "pin")).toMatchObject({ secure: true, value: "••••" });
  expect(nodes.find((item) => item.id === "n3").properties.results).toBe("customerId = $.records[0].Id");
  expect(nodes.find((item) => item.id === "n5").properties.url).toBe("https://example.my.salesforce.com/{{customerId}}");
});

test("a variable is added with a type that its value must fit, and one that is used warns before it goes", async ({ page, mock }) => {
  await edit(page, mock);
  await tab(page, "Variables");
  await page.getByTestId("add-variable").click();
  await page.getByTestId("variable-name").fill("attempts");
  await page.getByTestId("variable-name").press("Enter");
  await page.getByLabel("Type").selectOption("INTEGER");
  await page.getByLabel("Starts as").fill("many");
  await expect(page.getByText("A whole number is needed.")).toBeVisible();
  await page.getByLabel("Starts as").fill("3");
  await page.getByRole("switch", { name: "Reportable" }).click();
  await page.getByRole("button", { name: /contactId/ }).click();
  await page.getByTestId("delete-variable").click();
  await expect(page.getByText("contactId is still used")).toBeVisible();
  await page.getByRole("button", { name: "Delete it all the same" }).click();
  await page.getByTestId("save-flow").click();
  await expect(page.getByText("Webex, version 5")).toBeVisible();
  expect(mock.state.flow.variables.map((item) => [item.name, item.type, item.value])).toEqual([
    ["invoice", "STRING", ""],
    ["pin", "STRING", "••••"],
    ["tries", "INTEGER", "0"],
    ["attempts", "INTEGER", "3"],
  ]);
});

test("a handler is added, wired and removed, and the flow's options are edited", async ({ page, mock }) => {
  await edit(page, mock);
  await tab(page, "Flow");
  await page.getByLabel("Event of a new handler").selectOption("agentAnswered");
  await page.getByTestId("add-handler").click();
  const entry = page.locator(".react-flow__node", { hasText: "AgentAnswered" });
  await expect(entry).toHaveAttribute("aria-label", /starts at agentAnswered/);
  await page.getByRole("button", { name: "Remove the handler of contactEnded" }).click();
  await page.getByLabel("Where agentAnswered starts").selectOption("e2");
  await page.getByTestId("flow-title").fill("Front door");
  await page.getByTestId("flow-budget").fill("500");
  await page.getByLabel("When nothing handles an error").fill("Sorry");
  await page.getByTestId("save-flow").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Front door");
  const { handlers, options, nodes } = mock.state.flow;
  expect(handlers).toEqual([{ event: "agentAnswered", node: "e2" }]);
  expect(options).toMatchObject({ maxSteps: 500, errorText: "Sorry", zone: "Europe/Berlin" });
  expect(nodes.find((item) => item.op === "event" && item.id !== "e1").properties).toEqual({ event: "AgentAnswered" });

  await tab(page, "Versions");
  await page.getByTestId("compare-4").click();
  await expect(page.getByTestId("diff")).toContainText("Handler of agentAnswered");
});

test("settings have the editors that fit them", async ({ page, mock }) => {
  await edit(page, mock);
  await node(page, "n2").click();
  await page.getByRole("button", { name: "Add a prompt" }).click();
  await page.getByRole("textbox", { name: "Prompt 2" }).fill("Hello ");
  await page.getByRole("button", { name: "Insert into Prompt 2" }).click();
  await page.getByRole("menuitem", { name: "NewPhoneContact.ANI" }).click();
  await expect(page.getByRole("textbox", { name: "Prompt 2" })).toHaveValue("Hello {{ NewPhoneContact.ANI }}");
  await page.getByLabel("Kind of Prompt 1").selectOption("file");
  await page.getByRole("button", { name: "Move Prompt 2 up" }).click();
  await page.getByRole("switch", { name: "The caller may interrupt" }).click();
  await page.getByRole("textbox", { name: "Prompt 1" }).fill("Hello {{ nobody }}");
  await expect(page.getByText("There is no variable nobody.")).toBeVisible();

  await node(page, "n3").click();
  await page.getByRole("textbox", { name: "SOQL" }).fill("SELECT Id, Name FROM Contact WHERE Phone = '{{ NewPhoneContact.ANI }}'");
  await expect(page.getByRole("textbox", { name: "Path", exact: true })).toHaveValue("/services/data/v57.0/query?q=SELECT Id, Name FROM Contact WHERE Phone = '{{ NewPhoneContact.ANI }}'");
  await page.getByRole("button", { name: "Add a result" }).click();
  await page.getByRole("combobox", { name: "Variable 2" }).fill("invoice");
  await page.getByLabel("Path 2").fill("$.records[0].Name");
  await page.getByRole("combobox", { name: "Name of another setting" }).fill("Headers");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("group", { name: "Headers" }).getByRole("button", { name: "Add one" }).click();
  await page.getByLabel("Name 1 of Headers").fill("X-Trace");
  await page.getByRole("textbox", { name: "Headers name1" }).fill("on");
  await page.getByTestId("save-flow").click();
  await expect(page.getByText("Webex, version 5")).toBeVisible();
  const saved = (id) => mock.state.flow.nodes.find((item) => item.id === id).properties;
  expect(saved("n2").prompts).toEqual([{ kind: "tts", text: "Hello {{ nobody }}" }, { kind: "file", text: "Welcome to Marsh & Sons." }]);
  expect(saved("n2").interruptible).toBe(false);
  expect(saved("n3").results).toBe("contactId = $.records[0].Id\ninvoice = $.records[0].Name");
  expect(saved("n3").headers).toEqual({ "X-Trace": "on" });
});

test("a step is found by its name, its type and a text within it", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows/f1");
  await expect(node(page, "n1")).toBeVisible();
  await page.keyboard.press("Control+f");
  const find = page.getByRole("combobox", { name: "Find a step" });
  await expect(find).toBeFocused();
  for (const [words, name] of [
    ["billing", "ToBilling"],
    ["http request", "FindContact"],
    ["feedback-v2", "Survey"],
    ["salesforce.com", "PopRecord"],
    ["from contact", "FindContact"],
  ]) {
    await find.fill(words);
    await expect(page.getByRole("option").first()).toContainText(name);
  }
  await find.fill("salesforce.com");
  await page.getByRole("option", { name: /PopRecord/ }).click();
  await expect(node(page, "n5").locator("[data-selected]")).toBeVisible();
});

test("the report leads to the step with the problem, also a second time", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows/f1");
  const seen = () => node(page, "n4").boundingBox();
  for (let time = 0; time < 2; time++) {
    await page.getByRole("button", { name: "Found?" }).click();
    await expect(node(page, "n4").locator("[data-selected]")).toBeVisible();
    await expect.poll(async () => (await seen())?.width ?? 0).toBeGreaterThan(200); // at a size that can be read
    await page.getByRole("button", { name: "Fit View" }).click();
    await expect.poll(async () => (await seen())?.width ?? 0).toBeLessThan(200);
  }
});

test("the canvas is used by keyboard: arrows follow the ways, Enter opens, Alt moves", async ({ page, mock }) => {
  await edit(page, mock);
  await node(page, "n1").focus();
  await expect(node(page, "n1")).toHaveAttribute("aria-label", "NewPhoneContact, Start, then Welcome");
  await page.keyboard.press("ArrowRight");
  await expect(node(page, "n2")).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await expect(node(page, "n4")).toBeFocused();
  await expect(node(page, "n4")).toHaveAttribute("aria-label", /1 problem, if true PopRecord, if false ToBilling/);
  await page.keyboard.press("ArrowLeft");
  await expect(node(page, "n3")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(node(page, "e2")).toBeFocused();
  await page.keyboard.press("Alt+ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("step-name")).toHaveValue("WriteTask");
  await expect(page.getByRole("tabpanel")).toBeFocused();
  await page.getByTestId("save-flow").click();
  await expect(page.getByText("Webex, version 5")).toBeVisible();
  expect(mock.state.flow.nodes.find((item) => item.id === "e2").y).toBe(462);
});

test("a test plays what is not saved, with answers of its own, and is kept as a suite", async ({ page, mock }) => {
  await edit(page, mock);
  await node(page, "n3").click();
  await page.getByTestId("step-name").fill("AskCRM");
  await tab(page, "Test");
  const sent = page.waitForRequest(/\/flows\/f1\/test$/);
  await page.getByLabel("Comes in at").fill("2026-03-02T09:30");
  await page.getByLabel("Hangs up after").fill("90");
  await page.getByText("Nobody answers").click();
  await page.getByRole("button", { name: "Add an answer" }).click();
  await page.getByLabel("Answer 2", { exact: true }).selectOption("own");
  await page.getByLabel("Status of answer 2").fill("503");
  await page.getByTestId("run-test").click();
  const { model, script } = (await sent).postDataJSON();
  expect(model.nodes.find((item) => item.id === "n3").name).toBe("AskCRM");
  expect(script).toMatchObject({ queue: [{ noAnswer: true }], hangUp: { after: 90 } });
  expect(script.http[0]).toMatchObject({ node: "AskCRM", status: 503 });
  expect(new Date(script.at).getTime()).toBe(new Date("2026-03-02T09:30").getTime());
  await page.getByRole("button", { name: "Show all" }).click();
  await page.getByRole("button", { name: "Back" }).click();
  await expect(page.getByTestId("test-steps").getByRole("listitem")).toHaveCount(7);
  await page.getByRole("button", { name: "Next" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId("keep-test").click()]);
  expect(file.suggestedFilename()).toBe("main-line.test.json");
  expect(JSON.parse(readFileSync(await file.path(), "utf8")).tests[0].then.path).toContain("AskCRM");
  expect(mock.state.flow.version).toBe(4);
});

test("a flow is downloaded with what was edited, and what a format cannot say is told first", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows/f1");
  await page.getByRole("button", { name: "More" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId("download-webex").click()]);
  expect(file.suggestedFilename()).toBe("f1.json");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByTestId("download-connect").click();
  await expect(page.getByTestId("losses")).toContainText("Amazon Connect has no handlers");
  await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download all the same" }).click()]);
});

test("an old version says so, and leads to the newest", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows/f1?version=3");
  await expect(page.getByTestId("edit-flow")).toHaveCount(0);
  await page.getByRole("link", { name: "go to the newest" }).click();
  await expect(page.getByTestId("edit-flow")).toBeVisible();
});

test("a contact's way is drawn on the version it ran on, with its handlers and what ran elsewhere", async ({ page, mock }) => {
  const asked = page.waitForRequest(/\/flows\/f1\/versions\/3$/);
  await signIn(page, mock, "admin", "/contacts/c1");
  await asked;
  await expect(node(page, "e2").locator("[data-lit]")).toBeAttached();
  await expect(node(page, "n8").locator("[data-lit]")).toHaveCount(0);
  await expect(page.locator('.react-flow__edge[data-id="e1 ok e2"]')).toHaveClass(/lit/);
  await expect(page.locator('.react-flow__edge[data-id="n4 false n6"]')).not.toHaveClass(/lit/);
  await expect(page.getByText("One step was taken in another flow")).toBeVisible();
  await page.getByRole("button", { name: /WriteTask/ }).click();
  await expect(node(page, "e2").locator("[data-selected]")).toBeAttached();
});

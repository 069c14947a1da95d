import { expect, signIn, test } from "./fixture.mjs";

test("pages of administrators are closed to others", async ({ page, mock }) => {
  await signIn(page, mock, "lead", "/users");
  await expect(page.getByRole("heading", { name: "Live" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Users" })).toHaveCount(0);
});

test("sign-in goes on to the page that was asked for, with its search", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/contacts?number=4501");
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(page.getByLabel("Number")).toHaveValue("4501");
});

test("contacts are found by the last digits, and the record opens", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/contacts");
  await page.getByLabel("Number").fill("4503");
  await page.getByLabel("Number").press("Enter");
  await expect(page.getByRole("row")).toHaveCount(2);
  await page.getByRole("link", { name: "+49301234503" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("+49301234503");
  await page.getByRole("button", { name: /FindContact/ }).click();
  await expect(page.locator('.react-flow__node[data-id="n3"] [data-selected]')).toBeVisible();
});

test("a flow is imported by paste, bound, mended and published", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows");
  await page.getByTestId("import-flow").click();
  await page.getByTestId("flow-text").fill("no flow");
  await page.getByTestId("flow-name").fill("Main line");
  await page.getByTestId("flow-import").click();
  await expect(page.getByRole("alert")).toContainText("This is not a call flow");
  await page.getByTestId("flow-text").fill('{"name":"Main line"}');
  await page.getByTestId("flow-import").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Main line");

  await page.getByRole("button", { name: "FindContact" }).first().click();
  await expect(page.locator('.react-flow__node[data-id="n3"] [data-selected]')).toBeInViewport();
  await page.getByTestId("mend-all").click();
  await expect(page.getByText("Webex, version 5")).toBeVisible();
  await expect(page.getByText("The variable contacts is never set.")).toHaveCount(0);

  await page.getByRole("tab", { name: "Bindings 1 to do" }).click();
  await page.getByLabel("What stands for Queue: Billing").selectOption("q1");
  await expect(page.getByRole("tab", { name: "Bindings", exact: true })).toBeVisible();
  await page.getByTestId("publish").click();
  await expect(page.getByTestId("publish")).toHaveText("Published");
});

test("a flow of 250 steps opens, and a step is found by name", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/flows/f2");
  await expect(page.locator(".react-flow__node").getByText("Step 0", { exact: true })).toBeVisible();
  await page.getByRole("combobox", { name: "Find a step" }).fill("Step 249");
  await page.getByRole("option", { name: "Step 249" }).click();
  await expect(page.locator('.react-flow__node[data-id="b249"]')).toBeInViewport();
});

test("a queue is changed with the version that was seen; a second change is refused", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/queues");
  await page.getByRole("button", { name: "Billing" }).click();
  await page.getByLabel("Ring time, seconds").fill("25");
  await page.getByTestId("save").click();
  await expect(page.getByRole("cell", { name: "25 s" })).toBeVisible();
  await page.getByRole("button", { name: "Billing" }).click();
  mock.state.setup.queues[0].version = 9;
  await page.getByTestId("save").click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("Somebody else changed it");
});

test("a connector's secrets are sent only when typed, and its test answers in words", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/connectors");
  await page.getByRole("button", { name: "Salesforce production" }).click();
  await page.getByTestId("connector-test").click();
  await expect(page.getByTestId("connector-result")).toContainText("Signed in and read the organisation's limits.");
  const [request] = await Promise.all([page.waitForRequest((candidate) => candidate.method() === "PUT"), page.getByTestId("save").click()]);
  expect(request.postDataJSON()).not.toHaveProperty("clientSecret");
});

test("a connector tells how it signs in and warns of logins that Salesforce advises against", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/connectors");
  const legacy = page.getByRole("row", { name: /Salesforce legacy/ });
  await expect(legacy).toContainText("SOAP login");
  await expect(legacy.getByText("ends on 1 June 2027")).toHaveAttribute("title", /ends SOAP login on 1 June 2027/);
  await expect(page.getByRole("row", { name: /Salesforce production/ })).toContainText("Client credentials");
  await page.getByRole("button", { name: "Salesforce legacy" }).click();
  await expect(page.getByTestId("connector-advice")).toContainText("this connector stops working then");
  await expect(page.getByTestId("connector-status")).toContainText("SOAP login ends on 1 June 2027");
  await expect(page.getByTestId("connector-status")).toContainText("812 of 15,000");
  await expect(page.getByLabel("Client ID")).toHaveCount(0);
  await page.getByLabel("Signs in with").selectOption("password");
  await expect(page.getByTestId("connector-advice")).toContainText("username-password flow off in new orgs");
  await page.getByLabel("Signs in with").selectOption("jwt_bearer");
  await expect(page.getByTestId("connector-advice")).toHaveCount(0);
  await page.getByLabel("Signs in with").selectOption("soap_login");
  await page.getByLabel("Password", { exact: true }).fill("a new one");
  const [request] = await Promise.all([page.waitForRequest((candidate) => candidate.method() === "PUT"), page.getByTestId("save").click()]);
  expect(request.postDataJSON()).toMatchObject({ grant: "soap_login", username: "hub@legacy.example", password: "a new one" });
  expect(request.postDataJSON()).not.toHaveProperty("securityToken");
});

test("hours of operation are set up by the keyboard's fields and say what holds now", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/hours");
  await page.getByRole("button", { name: "Office" }).click();
  await expect(page.getByTestId("hours-now")).toContainText("an override (Stocktaking)");
  await page.getByRole("button", { name: "Add working hours" }).click();
  await page.getByRole("textbox", { name: "From, working hours 2" }).fill("22:00");
  await page.getByRole("textbox", { name: "To, working hours 2" }).fill("06:00");
  await page.getByRole("button", { name: "Remove 1 of holidays" }).click();
  const [request] = await Promise.all([page.waitForRequest((candidate) => candidate.method() === "PUT"), page.getByTestId("save").click()]);
  expect(request.postDataJSON()).toMatchObject({ zone: "Europe/Berlin", holidays: [], week: [{ from: "08:00" }, { days: ["sat"], from: "22:00", to: "06:00" }] });
});

test("a function is tried with parameters, and a command is chosen from those that are allowed", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/functions");
  await page.getByRole("button", { name: "Look-up" }).click();
  await page.getByRole("textbox", { name: "Parameters of the test" }).fill("plan = basic");
  await page.getByTestId("function-test").click();
  await expect(page.getByTestId("function-result")).toContainText('"plan": "basic"');
  await page.getByRole("combobox", { name: "Kind" }).selectOption("command");
  await page.getByRole("combobox", { name: "Command" }).selectOption("grade");
  const [request] = await Promise.all([page.waitForRequest((candidate) => candidate.method() === "PUT"), page.getByTestId("save").click()]);
  expect(request.postDataJSON()).toMatchObject({ kind: "command", command: "grade" });
  expect(request.postDataJSON()).not.toHaveProperty("url");
});

test("a token is shown once", async ({ page, mock }) => {
  await signIn(page, mock, "admin", "/keys");
  await page.getByTestId("add-token").click();
  await page.getByRole("textbox", { name: "Name" }).fill("Nightly report");
  await page.getByTestId("save").click();
  await expect(page.getByTestId("shown-once")).toHaveText("tdm_9Qx2f7Lw0Zk4");
  await page.getByRole("button", { name: "I have kept it" }).click();
  await expect(page.getByTestId("shown-once")).toHaveCount(0);
  await expect(page.getByText("Nightly report")).toBeVisible();
});

test("no page is wider than a telephone", async ({ page, context, mock }) => {
  const { pages } = await import("./pages.mjs");
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, spec] of Object.entries(pages).filter(([, item]) => !item.prepare && item.login)) {
    await context.addCookies([{ name: "tandem", value: spec.login, url: mock.url }]);
    await page.goto(`${mock.url}${spec.path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
    await page.waitForTimeout(300);
    expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(390);
  }
});

import { connectAudio, expect, openHub, signIn, test } from "./fixture.mjs";

test("a wrong password is refused in words", async ({ page, mock }) => {
  await page.goto(mock.url);
  await page.getByTestId("login").fill("agent");
  await page.getByTestId("password").fill("wrong");
  await page.getByTestId("sign-in").click();
  await expect(page.getByRole("alert")).toContainText("The login or the password is wrong.");
});

test("a call by keyboard: ring, accept, mute, hold, digits, end, wrap-up", async ({ page, context, mock }) => {
  await openHub(context, mock);
  await page.bringToFront();
  await signIn(page, mock, "agent");
  await connectAudio(page);
  await page.getByTestId("available").focus();
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("agent-state")).toHaveText("Available");
  await page.evaluate(() => document.activeElement?.blur());

  mock.desk.ring();
  await expect(page.getByTestId("accept")).toBeFocused();
  await expect(page.getByTestId("caller-number")).toHaveText("+493012349001");
  await expect(page.getByTestId("announcement")).toContainText("Incoming call from Ruth Adler");
  const popped = context.waitForEvent("page");
  await page.keyboard.press("a");
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "connected");
  await (await popped).close();
  await expect(page.getByTestId("screen-pop")).toHaveText("https://example.my.salesforce.com/003xx000004TmiQ");

  await page.keyboard.press("m");
  await expect(page.getByTestId("mute")).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("m");
  await expect(page.getByTestId("mute")).toHaveAttribute("aria-pressed", "false");
  await page.keyboard.press("h");
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "held");
  await page.keyboard.press("h");
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "connected");

  await page.keyboard.press("k");
  for (const digit of ["1", "2", "#"]) await page.keyboard.press(digit);
  await expect(page.getByTestId("dtmf-sent")).toHaveText("12#");
  expect(mock.desk.digits).toBe("12#");

  const invoice = page.getByTestId("variable-invoice");
  await invoice.fill("4712");
  await invoice.press("Enter");
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
  expect(mock.desk.state.contact.variables[0].value).toBe("4712");
  await invoice.blur();

  await page.keyboard.press("Shift+E");
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "wrapup");
  await page.getByTestId("wrapup-code").selectOption("w1");
  await page.getByTestId("wrapup-notes").fill("Sent the corrected invoice.");
  await page.getByTestId("wrapup-extend").click();
  await expect(page.getByTestId("wrapup-timer")).toContainText(/^(1:5|2:0)/);
  await page.getByTestId("wrapup-done").press("Enter");
  await expect(page.getByTestId("idle")).toContainText("Ready for the next call");
  expect(mock.desk.lastWrapUp).toEqual({ codeId: "w1", notes: "Sent the corrected invoice." });
});

test("notes are kept by the server while they are written", async ({ page, mock }) => {
  await signIn(page, mock, "agent");
  mock.desk.ring();
  mock.desk.act("accept");
  await page.getByTestId("wrapup-notes").fill("Will call again.");
  await expect(page.getByTestId("draft-kept")).toHaveAttribute("data-kept", "true");
  expect(mock.desk.state.contact.wrapUp).toEqual({ codeId: "", notes: "Will call again." });
  mock.desk.wrapUp("customer");
  await page.getByTestId("wrapup-code").selectOption("w1");
  await expect.poll(() => mock.desk.state.contact.wrapUp.codeId).toBe("w1");
});

test("a reload in mid call shows the same state and connects the audio again", async ({ page, context, mock }) => {
  const hub = await openHub(context, mock);
  await page.bringToFront();
  await signIn(page, mock, "agent");
  await connectAudio(page);
  expect(await hub.evaluate(() => /m=audio \d+ \S+ (\d+)/.exec(window.lastOffer)[1])).toBe("0");
  mock.desk.ring();
  mock.desk.act("accept");
  mock.desk.act("hold");
  await page.getByTestId("wrapup-notes").fill("half a sentence");
  await expect(page.getByTestId("draft-kept")).toHaveAttribute("data-kept", "true");
  page.on("dialog", (dialog) => dialog.accept());
  await page.reload();
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "held");
  await expect(page.getByTestId("audio-status")).toHaveText("Audio connected");
  await expect(page.getByTestId("wrapup-notes")).toHaveValue("half a sentence");
});

test("broken audio is said and connected again", async ({ page, context, mock }) => {
  const hub = await openHub(context, mock);
  await page.bringToFront();
  await signIn(page, mock, "agent");
  await connectAudio(page);
  mock.desk.setAudio(false);
  await hub.evaluate(() => window.hang());
  await expect(page.getByTestId("audio-status")).not.toHaveText("Audio connected");
  await expect(page.getByTestId("audio-status")).toHaveText("Audio connected", { timeout: 30_000 });
});

test("a lost line is said, disables the actions and mends itself", async ({ page, mock }) => {
  await signIn(page, mock, "agent");
  mock.desk.ring();
  await expect(page.getByTestId("accept")).toBeEnabled();
  mock.setDown(true);
  await expect(page.getByTestId("connection-lost")).toBeVisible();
  await expect(page.getByTestId("accept")).toBeDisabled();
  mock.setDown(false);
  await expect(page.getByTestId("connection-lost")).toHaveCount(0, { timeout: 20_000 });
  await expect(page.getByTestId("accept")).toBeEnabled();
});

test("a second tab shows the same call and can take the audio", async ({ page, context, mock }) => {
  await openHub(context, mock);
  await page.bringToFront();
  await signIn(page, mock, "agent");
  await connectAudio(page);
  const second = await context.newPage();
  await second.goto(`${mock.url}/desk`);
  await expect(second.getByTestId("audio-status")).toHaveText("Audio in another tab");
  mock.desk.ring();
  await expect(second.getByTestId("accept")).toBeVisible();
  mock.desk.act("decline");
  await second.getByTestId("audio-here").click();
  await expect(second.getByTestId("audio-status")).toHaveText("Audio connected");
  await expect(page.getByTestId("audio-here")).toBeVisible();
});

test("the state switch gives reasons, and during a call the state after it", async ({ page, mock }) => {
  await signIn(page, mock, "agent");
  await page.getByTestId("state-select").click();
  await page.getByTestId("state-idle-r2").click();
  await expect(page.getByTestId("agent-state")).toHaveText("Meeting");
  mock.desk.ring();
  mock.desk.act("accept");
  await page.getByTestId("state-select").click();
  await page.getByTestId("state-idle-r1").click();
  await expect(page.getByTestId("next-state")).toHaveText("then Lunch");
});

test("signing out goes offline first", async ({ page, mock }) => {
  await signIn(page, mock, "agent");
  await page.getByRole("button", { name: "Nora Vale" }).click();
  await page.getByTestId("sign-out").click();
  await expect(page.getByTestId("sign-in")).toBeVisible();
  expect(mock.desk.state.state).toBe("offline");
});

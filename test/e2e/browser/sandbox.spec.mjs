// The pages of the stand-in org, as a person uses them: the real process, light and dark, large and small.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { startHub } from "./hub.mjs";

let hub;
let base;
test.beforeAll(async () => {
  test.setTimeout(300_000); // the hub may have to be built
  hub = await startHub();
  base = `http://${hub.ready.sandbox}`;
});
test.afterAll(async () => hub?.stop());

const inWords = (violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`;

const PAGES = {
  home: "/",
  "a list": "/lightning/o/Case/list",
  "a new record": "/lightning/o/Contact/new",
  "a search": "/?q=smith",
  "the request log": "/sandbox/log",
  faults: "/sandbox/faults",
  "sign-in and apps": "/sandbox/setup",
  users: "/sandbox/setup/users",
  profiles: "/sandbox/setup/profiles",
  permissions: "/sandbox/setup/grants?kind=profile&name=Standard+User",
  "a sorted and filtered list": "/lightning/o/Contact/list?sort=-Name&field=Name&op=contains&value=a",
  "the recycle bin": "/sandbox/bin",
  "a device": "/setup/connect",
};

for (const [name, path] of Object.entries(PAGES)) {
  test(`${name} has no accessibility violation and fits a phone`, async ({ page }) => {
    await page.goto(base + path);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(inWords), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
}

test("a record is made, found, changed and deleted", async ({ page }) => {
  await page.goto(`${base}/lightning/o/Contact/list`);
  await page.getByRole("link", { name: "New", exact: true }).click();
  await page.getByLabel(/^First Name/).fill("Zora");
  await page.getByLabel(/^Last Name/).fill("Quill<b>");
  await page.getByLabel("Do Not Call").check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Zora Quill<b>");
  await page.getByRole("searchbox", { name: "Search" }).fill("zora qui");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Zora Quill<b>" }).click();
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel(/^Last Name/).fill("Quill");
  await page.getByLabel("Do Not Call").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Zora Quill");
  await page.getByText("Delete…").click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Contacts");
  await expect(page.getByRole("link", { name: "Zora Quill" })).toHaveCount(0);
  await expect(page.getByRole("status")).toContainText("“Zora Quill” is in the recycle bin.");
  await page.getByRole("link", { name: "Recycle bin" }).click();
  await page.getByRole("row", { name: /Zora Quill/ }).getByRole("button", { name: /Restore/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Zora Quill");
});

test("an error stands at its field", async ({ page }) => {
  await page.goto(`${base}/lightning/o/Contact/new`);
  await page.getByLabel(/^Last Name/).fill("Quill");
  await page.getByLabel("Account (Id of Account)").fill("not an id");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toHaveText("Not saved: see the marked fields.");
  const field = page.locator("input[name=AccountId]");
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await expect(field).toHaveAccessibleDescription("Id value of incorrect type: not an id");
  await expect(page.getByLabel(/^Last Name/)).toHaveValue("Quill");
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(inWords)).toEqual([]);
});

test("a list is sorted, filtered and paged by keyboard", async ({ page }) => {
  await page.goto(`${base}/lightning/o/Contact/list`);
  await page.getByRole("link", { name: "Email" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("columnheader", { name: "Email" })).toHaveAttribute("aria-sort", "ascending");
  await page.getByLabel("Field").selectOption("Email");
  await page.getByLabel("Condition").selectOption("starts");
  await page.getByLabel("Value").fill("contact99");
  await page.keyboard.press("Enter");
  await expect(page.getByText("11 records")).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Email" })).toHaveAttribute("aria-sort", "ascending");
  await page.getByRole("link", { name: "Clear" }).click();
  await page.getByRole("link", { name: "Next" }).click();
  await expect(page.getByText("Page 2 of")).toBeVisible();
});

test("a profile is made and its boxes are kept", async ({ page }) => {
  await page.goto(`${base}/sandbox/setup/profiles`);
  await page.getByLabel("Name of the profile").fill("Readers");
  await page.getByRole("button", { name: "Add the profile" }).click();
  await page.getByLabel("Read Accounts", { exact: true }).check();
  await page.locator("summary", { hasText: "Accounts" }).click();
  await page.getByLabel("Read Account Phone of Accounts").check();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByRole("status")).toHaveText("Saved. It is in force at once.");
  await page.reload();
  await page.getByRole("link", { name: "All profiles and permission sets" }).click();
  await page.getByRole("link", { name: "Permissions of Readers" }).click();
  await expect(page.getByLabel("Read Accounts", { exact: true })).toBeChecked();
  await expect(page.getByLabel("Edit Accounts", { exact: true })).not.toBeChecked();
  await expect(page.locator("summary", { hasText: "Accounts" })).toContainText("1 of ");
});

test("a fault is set, strikes and is deleted", async ({ page }) => {
  await page.goto(`${base}/sandbox/faults`);
  await page.getByLabel(/^Match/).fill("/services/data/v60.0/limits");
  await page.getByLabel(/^Status/).fill("503");
  await page.getByLabel(/^Times/).fill("");
  await page.getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("row", { name: /limits/ })).toContainText("503");
  expect((await page.request.get(`${base}/services/data/v60.0/limits`)).status()).toBe(503);
  await page.reload();
  await expect(page.getByRole("row", { name: /limits/ }).getByRole("cell").nth(3)).toHaveText("1");
  await page.getByRole("button", { name: /Delete rule/ }).click();
  expect((await page.request.get(`${base}/services/data/v60.0/limits`)).status()).toBe(401);
  await page.goto(`${base}/sandbox/log?only=failed&path=limits`);
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.getByRole("link", { name: "/services/data/v60.0/limits" }).last().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("GET /services/data/v60.0/limits");
  await expect(page.locator("pre")).toContainText("SERVER_UNAVAILABLE");
});

const VERIFIER = "a-verifier-of-more-than-forty-three-characters-000";

/** An application that waits for the browser to come back, and remembers what with. */
async function application() {
  const back = [];
  const server = createServer((request, response) => {
    if (request.url.startsWith("/cb")) back.push(new URL(request.url, "http://app").searchParams);
    response.end("Back at the application");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const redirect = `http://127.0.0.1:${server.address().port}/cb`;
  const query = new URLSearchParams({
    response_type: "code",
    client_id: hub.ready.org.client_id,
    redirect_uri: redirect,
    state: "a state",
    scope: "api refresh_token",
    login_hint: hub.ready.org.username,
    code_challenge: createHash("sha256").update(VERIFIER).digest("base64url"),
    code_challenge_method: "S256",
  });
  return { back, redirect, address: `${base}/services/oauth2/authorize?${query}`, close: () => new Promise((resolve) => server.close(resolve)) };
}

test("a person signs in, is told of a wrong password, and allows or denies", async ({ page }) => {
  const app = await application();
  await page.goto(app.address);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Allow access?");
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(inWords)).toEqual([]);
  await expect(page.getByLabel("Username")).toHaveValue(hub.ready.org.username);
  await page.getByRole("button", { name: "Deny" }).click();
  await expect(page.getByText("Back at the application")).toBeVisible();
  expect(Object.fromEntries(app.back.pop())).toEqual({ error: "access_denied", error_description: "end-user denied authorization", state: "a state" });

  await page.goto(app.address);
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Allow" }).click();
  await expect(page.getByText("The username or password is wrong")).toBeVisible();
  expect(app.back).toEqual([]);
  await page.getByLabel("Password").fill(hub.ready.org.password);
  await page.getByRole("button", { name: "Allow" }).click();
  await expect(page.getByText("Back at the application")).toBeVisible();
  const answer = app.back.pop();
  expect(answer.get("state")).toBe("a state");
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: hub.ready.org.client_id,
    redirect_uri: app.redirect,
    code: answer.get("code"),
    code_verifier: VERIFIER,
  });
  const tokens = await (await fetch(`${base}/services/oauth2/token`, { method: "POST", body })).json();
  expect(tokens).toMatchObject({ token_type: "Bearer", scope: "api refresh_token", instance_url: base });
  expect(tokens.refresh_token).toMatch(/^5Aep/);
  await app.close();
});

test("an address the app has not is shown, and nobody is sent there", async ({ page }) => {
  const app = await application();
  await page.goto(app.address.replace(encodeURIComponent(app.redirect), encodeURIComponent("javascript:alert(1)")));
  await expect(page.getByText("redirect_uri_mismatch")).toBeVisible();
  await page.goto(app.address.replace("client_id=", "client_id=x"));
  await expect(page.getByText("invalid_client_id")).toBeVisible();
  expect(app.back).toEqual([]);
  await app.close();
});

test("a user is frozen and let in again, and login IP ranges are kept", async ({ page }) => {
  await page.goto(`${base}/sandbox/setup/users`);
  await page.getByRole("button", { name: "Freeze Ana Silva", exact: true }).click();
  await expect(page.getByRole("row", { name: /Ana Silva/ })).toContainText("Frozen");
  await page.getByRole("button", { name: "Unfreeze Ana Silva" }).click();
  await expect(page.getByRole("button", { name: "Freeze Ana Silva", exact: true })).toBeVisible();
  await page.goto(`${base}/sandbox/setup/profiles`);
  await page.getByRole("link", { name: "Permissions of Standard User" }).click();
  await page.getByLabel(/^Users of Standard User sign in from/).fill("0.0.0.0-255.255.255.255");
  await page.getByRole("button", { name: "Save the ranges" }).click();
  await expect(page.getByRole("status")).toHaveText("The login IP ranges of Standard User are saved.");
  await page.reload();
  await expect(page.getByLabel(/^Users of Standard User sign in from/)).toHaveValue("0.0.0.0-255.255.255.255");
  await page.goto(`${base}/sandbox/setup`);
  await page.getByLabel(/^Trusted IP ranges/).fill("127.0.0.1\nnonsense");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText(/IP range nonsense/)).toBeVisible();
});

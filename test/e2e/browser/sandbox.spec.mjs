// The pages of the stand-in org, as a person uses them: the real process, light and dark, large and small.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
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
});

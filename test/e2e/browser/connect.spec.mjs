// A connector is connected by signing in at the org in the browser: the real hub, the real org, and the way there and back.
import { expect, test } from "@playwright/test";
import { startHub } from "./hub.mjs";

let hub;
let org;
test.beforeAll(async () => {
  test.setTimeout(300_000); // the hub may have to be built
  hub = await startHub();
  org = `http://${hub.ready.sandbox}`;
});
test.afterAll(async () => hub?.stop());

async function signIn(page) {
  await page.goto(`${hub.url}/connectors`);
  await page.getByTestId("login").fill("admin");
  await page.getByTestId("password").fill(hub.password("admin"));
  await page.getByTestId("sign-in").click();
  await expect(page.getByTestId("sign-in")).toHaveCount(0);
}

/** Makes a connector that signs in in the browser, and goes to the org from it. */
async function connect(page, name, clientSecret) {
  await page.getByTestId("add").click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Address", { exact: true }).fill(org);
  await page.getByLabel("Signs in with").selectOption("refresh_token");
  await page.getByLabel("Client ID").fill(hub.ready.org.client_id);
  await page.getByLabel("Client secret", { exact: true }).fill(clientSecret);
  await page.getByLabel("Allow private addresses").check();
  await page.getByTestId("save").click();
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByTestId("connector-connect").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Allow access?");
  expect(new URL(page.url()).host).toBe(hub.ready.sandbox);
  await expect(page.getByText(`${hub.url}/oauth/callback`)).toBeVisible();
}

async function allow(page, password) {
  await page.getByLabel("Username").fill(hub.ready.org.username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Allow" }).click();
}

const connected = (page) => page.getByTestId("connector-connected");

test("an administrator signs in at the org, allows, and the connector works from then on", async ({ page }) => {
  await signIn(page);
  await connect(page, "Browser org", hub.ready.org.client_secret);
  await allow(page, "not the password");
  await expect(page.getByText("The username or password is wrong")).toBeVisible();
  await expect(page.getByLabel("Username")).toHaveValue(hub.ready.org.username);
  await allow(page, hub.ready.org.password);
  await expect(connected(page)).toHaveAttribute("data-ok", "true");
  await expect(connected(page)).toContainText("The connector is connected");
  expect(new URL(page.url()).host).toBe(hub.ready.http);
  expect(page.url()).not.toContain("code=");

  await page.getByRole("button", { name: "Browser org", exact: true }).click();
  await page.getByTestId("connector-test").click();
  await expect(page.getByTestId("connector-result")).toHaveAttribute("data-ok", "true");
  const { items } = await hub.api("/connectors");
  const saved = items.find((item) => item.name === "Browser org");
  expect(saved).toMatchObject({ grant: "refresh_token", baseUrl: org });
  expect(JSON.stringify(saved)).not.toContain("5Aep"); // the refresh token is shown to nobody
});

test("who denies, or whose app is set up wrongly, is told so and begins again", async ({ page }) => {
  await signIn(page);
  await connect(page, "Denied org", hub.ready.org.client_secret);
  await page.getByRole("button", { name: "Deny" }).click();
  await expect(connected(page)).toHaveAttribute("data-ok", "false");
  await expect(connected(page)).toContainText("did not permit");

  await page.goto(`${hub.url}/oauth/callback?state=made-up&code=made-up`);
  await expect(connected(page)).toContainText("was not begun here");

  await connect(page, "Wrong secret", "not the secret");
  await allow(page, hub.ready.org.password);
  await expect(connected(page)).toHaveAttribute("data-ok", "false");
  await expect(connected(page)).toContainText(/secret/);
});

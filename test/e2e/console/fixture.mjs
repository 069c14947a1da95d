import { test as base, expect } from "@playwright/test";
import { startMock } from "./mock.mjs";

/** A test with a mock of its own; console errors and policy violations fail it. */
export const test = base.extend({
  mock: async ({}, use) => {
    const mock = await startMock();
    await use(mock);
    await mock.close();
  },
  page: async ({ page }, use) => {
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) faults.push(message.text());
    });
    await use(page);
    expect(faults).toEqual([]);
  },
});

export { expect };

export async function signIn(page, mock, login = "admin", path = "/") {
  await page.goto(`${mock.url}${path}`);
  await page.getByTestId("login").fill(login);
  await page.getByTestId("password").fill("tandem");
  await page.getByTestId("sign-in").click();
  await expect(page.getByTestId("sign-in")).toHaveCount(0);
}

/** Opens the page that plays the hub's end of the audio. */
export async function openHub(context, mock) {
  const hub = await context.newPage();
  await hub.goto(`${mock.url}/mock/hub`);
  return hub;
}

/** Passes the microphone check, so that the audio connects. */
export async function connectAudio(page) {
  await page.getByTestId("mic-check").click();
  await page.getByTestId("mic-use").click();
  await expect(page.getByTestId("audio-status")).toHaveText("Audio connected");
}

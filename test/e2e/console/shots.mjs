// Takes pictures of pages for the eye: node console/shots.mjs FOLDER [page ...]; needs a built console.
// SHOTS=wide-dark takes only that kind; small-light and large-dark are taken only so.
import { mkdirSync } from "node:fs";
import { chromium } from "@playwright/test";
import config from "./playwright.config.mjs";
import { startMock } from "./mock.mjs";
import { pages } from "./pages.mjs";

const [folder = "shots", ...only] = process.argv.slice(2);
const sizes = { wide: { width: 1440, height: 900 }, small: { width: 1280, height: 800 }, large: { width: 1600, height: 1000 }, narrow: { width: 390, height: 844 } };
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch(config.use.launchOptions);
for (const [name, spec] of Object.entries(pages)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const [size, scheme] of [["wide", "light"], ["wide", "dark"], ["narrow", "light"], ["small", "light"], ["large", "dark"]]) {
    if (process.env.SHOTS ? process.env.SHOTS !== `${size}-${scheme}` : ["small", "large"].includes(size)) continue;
    const mock = await startMock();
    const context = await browser.newContext({ viewport: sizes[size], colorScheme: scheme, permissions: ["microphone"] });
    if (spec.login) await context.addCookies([{ name: "tandem", value: spec.login, url: mock.url }]);
    const page = await context.newPage();
    await page.goto(`${mock.url}${spec.path}`);
    await page.waitForTimeout(700);
    await spec.prepare?.(page, mock, context);
    await page.waitForTimeout(700);
    await page.screenshot({ path: `${folder}/${name}-${size}-${scheme}.png`, fullPage: size === "narrow" });
    await context.close();
    await mock.close();
  }
}
await browser.close();

import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./fixture.mjs";
import { pages } from "./pages.mjs";

const inWords = (violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`;

for (const [name, spec] of Object.entries(pages)) {
  test(`${name} has no accessibility violation, light and dark`, async ({ page, context, mock }) => {
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    if (spec.login) await context.addCookies([{ name: "tandem", value: spec.login, url: mock.url }]);
    await page.goto(`${mock.url}${spec.path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
    await spec.prepare?.(page, mock, context);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
      await page.waitForTimeout(400);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(inWords), colorScheme).toEqual([]);
    }
  });
}

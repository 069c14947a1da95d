import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./fixture.mjs";
import { pages } from "./pages.mjs";

for (const [name, spec] of Object.entries(pages)) {
  for (const scheme of ["light", "dark"]) {
    test(`${name} in ${scheme} has no accessibility violation`, async ({ page, context, mock }) => {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      if (spec.login) await context.addCookies([{ name: "tandem", value: spec.login, url: mock.url }]);
      await page.goto(`${mock.url}${spec.path}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
      await spec.prepare?.(page, mock, context);
      await page.waitForTimeout(600);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`)).toEqual([]);
    });
  }
}

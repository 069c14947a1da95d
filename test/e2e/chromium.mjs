import { defineConfig } from "@playwright/test";

/** The configuration that the browser suites share: Debian's Chromium, or TANDEM_CHROMIUM, with a fake microphone. */
export function chromium({ timeout, expect, use = {}, args = [] }) {
  return defineConfig({
    testDir: ".",
    outputDir: "../test-results",
    workers: 1,
    timeout,
    retries: process.env.CI ? 2 : 0, // a loaded machine is not what is tested
    expect: { timeout: expect },
    reporter: [["line"]],
    use: {
      browserName: "chromium",
      viewport: { width: 1440, height: 900 },
      permissions: ["microphone"],
      ...use,
      launchOptions: {
        executablePath: process.env.TANDEM_CHROMIUM ?? "/usr/bin/chromium",
        args: [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--use-fake-device-for-media-stream",
          "--use-fake-ui-for-media-stream",
          "--autoplay-policy=no-user-gesture-required",
          "--allow-loopback-in-peer-connection",
          ...args,
        ],
      },
    },
  });
}

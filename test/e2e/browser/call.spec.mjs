// One call as an agent takes it in the browser: the real hub, a real SIP caller, real audio both ways.
import { expect, test } from "@playwright/test";
import { eventually, startHub } from "./hub.mjs";
import { AGENT_TONE, CALLER_TONE } from "./tone.mjs";

let hub;
test.beforeAll(async () => {
  test.setTimeout(300_000); // the hub may have to be built
  hub = await startHub();
});
test.afterAll(async () => hub?.stop());

/** Keeps the page's peer connections where a test can ask them. */
async function watchAudio(page) {
  await page.addInitScript(() => {
    const Native = window.RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Native {
      constructor(...args) {
        super(...args);
        window.peers.push(this);
      }
    };
  });
}

/** The loudness of what the page hears, 0 to 1. */
const level = (page) =>
  page.evaluate(async () => {
    let loudest = 0;
    for (const peer of window.peers.filter((p) => p.connectionState === "connected")) {
      for (const stat of (await peer.getStats()).values()) if (stat.type === "inbound-rtp" && stat.kind === "audio") loudest = Math.max(loudest, stat.audioLevel ?? 0);
    }
    return loudest;
  });

async function soundBothWays(page, call, when) {
  await eventually(`the page hears the caller ${when}`, async () => (await level(page)) > 0.02);
  await eventually(`the caller hears the page ${when}`, () => call.heard(AGENT_TONE, 30) >= 8);
}

const PERSON = { FirstName: "Maya", LastName: "Lindqvist", Phone: "2125550147", MobilePhone: "9175550123", Email: "maya.lindqvist@example.com" };

/** A customer with one open case, whose number nobody else has. */
async function personWithCase() {
  const account = await hub.create("Account", { Name: "Lindqvist Interiors", Phone: PERSON.Phone, Industry: "Retail" });
  const contact = await hub.create("Contact", { ...PERSON, AccountId: account });
  const id = await hub.create("Case", { ContactId: contact, AccountId: account, Subject: "Invoice went to the old address", Status: "New", Origin: "Phone", Priority: "Medium" });
  const [row] = await hub.soql(`SELECT Id, CaseNumber FROM Case WHERE Id = '${id}'`);
  return { id: row.Id, number: row.CaseNumber };
}

test("a call from ring to case comment", async ({ page }) => {
  const row = await personWithCase();
  const early = hub.call(`+1${PERSON.Phone}`, "1000", CALLER_TONE); // nobody is there yet: the caller gives up
  await eventually("the first call waits", async () => (await hub.api("/contacts?limit=1")).items[0]?.state === "queued");
  await early.hangup();
  await watchAudio(page);
  await page.goto(hub.url);
  await page.getByTestId("login").fill("ada");
  await page.getByTestId("password").fill(hub.password("ada"));
  await page.getByTestId("sign-in").click();
  await page.getByTestId("mic-check").click();
  await expect(page.getByTestId("mic-result")).toHaveAttribute("data-heard", "true");
  await page.getByTestId("mic-use").click();
  await expect(page.getByTestId("audio-status")).toHaveAttribute("data-connected", "true");
  await page.getByTestId("available").click();
  await expect(page.getByTestId("agent-state")).toHaveAttribute("data-state", "available");

  const call = hub.call(`+1${PERSON.Phone}`, "1000", CALLER_TONE);
  await page.getByTestId("accept").click();
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "connected");
  await soundBothWays(page, call, "after the answer");
  await expect(page.getByTestId("caller-number")).toContainText(PERSON.Phone.slice(-4));
  await expect(page.getByTestId("screen-pop")).toHaveAttribute("href", `http://${hub.ready.sandbox}/lightning/r/Case/${row.id}/view`);
  await expect(page.getByTestId("customer")).toHaveAttribute("data-status", "found");
  await expect(page.getByTestId("customer")).toContainText("Maya Lindqvist");
  await expect(page.getByTestId("variable-accountName")).toHaveText("Lindqvist Interiors");
  await expect(page.getByTestId("variable-caseNumber")).toHaveText(row.number);
  await page.getByTestId("variable-notes").fill("Wants the invoice again, to the new address");
  await page.getByTestId("variable-notes").press("Tab");
  await page.getByTestId("wrapup-notes").fill("Sent a copy of invoice 4711.");
  await expect(page.getByTestId("draft-kept")).toHaveAttribute("data-kept", "true");
  await expect(page.getByRole("region", { name: "Earlier calls of this number" })).not.toContainText("First call");
  if (process.env.TANDEM_SHOTS) await page.screenshot({ path: `${process.env.TANDEM_SHOTS}/desk.png` });

  await page.reload();
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "connected");
  await expect(page.getByTestId("audio-status")).toHaveAttribute("data-connected", "true");
  await soundBothWays(page, call, "after the reload");
  await expect(page.getByTestId("variable-notes")).toHaveValue("Wants the invoice again, to the new address");
  await expect(page.getByTestId("wrapup-notes")).toHaveValue("Sent a copy of invoice 4711.");

  await page.getByTestId("hold").click();
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "held");
  await page.getByTestId("hold").click();
  await expect(page.getByTestId("call")).toHaveAttribute("data-state", "connected");
  await soundBothWays(page, call, "after the hold");
  await page.getByTestId("end").click();
  const confirm = page.getByTestId("end-confirm");
  if (await confirm.isVisible()) await confirm.click();
  await call.over;
  await page.getByTestId("wrapup-code").selectOption({ label: "Resolved" });
  await page.getByTestId("wrapup-done").click();
  await expect(page.getByTestId("agent-state")).toHaveAttribute("data-state", "available");

  const { items } = await hub.api("/contacts?limit=1");
  const comment = await eventually("the comment is on the case", async () => {
    const list = await hub.soql(`SELECT CommentBody FROM CaseComment WHERE ParentId = '${row.id}'`);
    return list.filter((c) => c.CommentBody.includes(items[0].id));
  });
  await eventually("the write-back is done", async () => (await hub.api(`/contacts/${items[0].id}`)).writeBack === "done");
  expect(comment).toHaveLength(1);
  expect(comment[0].CommentBody).toContain("Resolved");
  expect(comment[0].CommentBody).toContain("Wants the invoice again, to the new address");
  const record = await hub.api(`/contacts/${items[0].id}`);
  expect([record.endReason, record.notes, record.disposition?.name]).toEqual(["agent", "Sent a copy of invoice 4711.", "Resolved"]);
});

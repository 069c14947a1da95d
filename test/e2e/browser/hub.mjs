import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FREE = "127.0.0.1:0";

/** Waits until ok returns something, and returns it. */
export async function eventually(what, ok, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await ok();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The hub's binary: the one TANDEM_BIN names, or built from the sources. */
function binary(dir) {
  if (process.env.TANDEM_BIN) return process.env.TANDEM_BIN;
  const path = join(dir, "tandem");
  execFileSync("go", ["build", "-tags", "flite", "-o", path, "./cmd/tandem"], { cwd: ROOT, stdio: "inherit" });
  return path;
}

/** Runs the real hub with sample data on free ports. */
export async function startHub() {
  const dir = mkdtempSync(join(tmpdir(), "tandem-browser-"));
  const path = binary(dir);
  const args = ["up", "--data", join(dir, "data"), "--http", FREE, "--sandbox", FREE, "--sip", FREE, "--webrtc", FREE, "--metrics", FREE];
  const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (log += chunk));
  const exited = new Promise((resolve) => child.on("exit", resolve));
  const file = join(dir, "data", "ready.json");
  const ready = await eventually("the hub is ready", () => {
    if (child.exitCode !== null) throw new Error(`the hub has ended:\n${log}`);
    return existsSync(file) && JSON.parse(readFileSync(file, "utf8"));
  });
  return {
    url: `http://${ready.http}`,
    ready,
    password: (login) => ready.users.find((user) => user.login === login).password,
    api: async (path) => (await fetch(`http://${ready.http}/api/v1${path}`, { headers: { Authorization: `Bearer ${ready.api_token}` } })).json(),
    call: (from, to, tone) => call(path, ready.sip, from, to, tone),
    soql: async (query) => (await org(ready, "GET", `/query?q=${encodeURIComponent(query)}`)).records,
    create: async (type, fields) => (await org(ready, "POST", `/sobjects/${type}`, fields)).id,
    stop: async () => {
      child.kill("SIGTERM");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await exited;
      clearTimeout(timer);
      rmSync(dir, { recursive: true, force: true });
    },
    log: () => log,
  };
}

/** A caller over real SIP; its events pile up in events. */
function call(path, sip, from, to, tone) {
  const child = spawn(path, ["call", "--sip", sip, "--from", from, "--to", to, "--tone", String(tone), "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const events = [];
  createInterface({ input: child.stdout }).on("line", (line) => events.push(JSON.parse(line)));
  const over = new Promise((resolve) => child.on("exit", resolve));
  return {
    events,
    over,
    /** How many of the newest windows hold a tone of this frequency. */
    heard: (hz, windows) => events.filter((e) => e.event === "audio").slice(-windows).filter((e) => Math.abs(e.frequency - hz) < 20).length,
    hangup: async () => {
      if (child.exitCode === null) child.kill("SIGINT");
      await over;
    },
  };
}

/** A request of the sandbox org's REST API. */
async function org(ready, method, path, body) {
  const base = `http://${ready.sandbox}`;
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: ready.org.client_id, client_secret: ready.org.client_secret });
  const { access_token: token } = await (await fetch(`${base}/services/oauth2/token`, { method: "POST", body: form })).json();
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch(`${base}/services/data/v60.0${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

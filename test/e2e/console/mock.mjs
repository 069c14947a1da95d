// A mock of /api/v1 that also serves the built console under the binary's own content security
// policy. Run it alone to work on pages without a hub:
//   node test/e2e/console/mock.mjs 4173     then sign in as admin, lead, agent or both, password "tandem"
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as data from "./mock-data.mjs";
import { MockDesk } from "./mock-desk.mjs";
import { flowEdit, flowVersion } from "./mock-flow.mjs";

const root = fileURLToPath(new URL("../../../internal/console/", import.meta.url));
const dist = join(root, "dist");
const policy = readFileSync(join(root, "csp.txt"), "utf8").trim().split(/\s+/).join(" ").replace("{frames}", "'none'");
const types = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8" };
const PING_MS = 2000;

class Refusal extends Error {
  constructor(status, code, detail, errors) {
    super(detail);
    Object.assign(this, { status, code, errors });
  }
}

/** Starts the mock on a port (0 for any) and answers { url, desk, close, ... }. */
export async function startMock(port = 0) {
  const state = { desk: new MockDesk(), setup: data.setup(), flow: structuredClone(data.flow), reasons: data.reasons, codes: data.codes, offers: [], waiting: new Map(), sockets: new Set(), down: false, jobs: structuredClone(data.jobs) };
  const server = createServer((request, response) => void serve(state, request, response));
  server.on("connection", (socket) => {
    state.sockets.add(socket);
    socket.on("close", () => state.sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    desk: state.desk,
    state,
    /** Cuts every line and refuses new ones until called with false. */
    setDown(down) {
      state.down = down;
      if (down) for (const socket of state.sockets) socket.destroy();
    },
    close() {
      for (const socket of state.sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(state, request, response) {
  if (state.down) return request.socket.destroy();
  const url = new URL(request.url, "http://mock");
  try {
    if (url.pathname.startsWith("/mock/")) return await hubPage(state, request, response, url);
    if (!url.pathname.startsWith("/api/v1/")) return serveStatic(response, url.pathname);
    await serveApi(state, request, response, url);
  } catch (error) {
    const status = error.status ?? 500;
    send(response, status, { type: "about:blank", title: "Refused", status, detail: error.message, code: error.code ?? "internal", errors: error.errors }, "application/problem+json");
  }
}

function serveStatic(response, pathname) {
  const file = normalize(join(dist, pathname));
  const extension = extname(file);
  if (file.startsWith(dist) && extension && pathname !== "/index.html" && statSync(file, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(200, { "Content-Type": types[extension] ?? "application/octet-stream", "Content-Security-Policy": policy.replace(" 'nonce-{nonce}'", "") });
    return createReadStream(file).pipe(response);
  }
  const nonce = randomBytes(18).toString("base64url");
  const page = readFileSync(join(dist, "index.html"), "utf8").replace("__CSP_NONCE__", nonce).replace("__FRAME_ORIGINS__", "");
  response.writeHead(200, { "Content-Type": types[".html"], "Cache-Control": "no-store", "Content-Security-Policy": policy.replace("{nonce}", nonce) });
  response.end(page);
}

function send(response, status, body, type = "application/json") {
  if (body === undefined) return response.writeHead(204).end();
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}

function stream(response, event, first, subscribe) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const write = (value) => response.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  write(first);
  const unsubscribe = subscribe(write);
  const ping = setInterval(() => response.write("event: ping\ndata: {}\n\n"), PING_MS);
  response.on("close", () => {
    clearInterval(ping);
    unsubscribe();
  });
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (request.url.includes("/flows/import")) return text;
  return text ? JSON.parse(text) : {};
}

const loginOf = (request) => /(?:^|; )tandem=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
const sessionOf = (login) => ({ user: data.people[login], csrf: `csrf-${login}`, expiresAt: new Date(Date.now() + 8 * 3600000).toISOString() });

async function serveApi(state, request, response, url) {
  const path = url.pathname.slice("/api/v1".length);
  const { method } = request;
  if (path === "/session" && method === "POST") return signIn(request, response);
  const login = loginOf(request);
  if (!login) throw new Refusal(401, "unauthenticated", "Sign in first.");
  if (method !== "GET" && request.headers["x-csrf-token"] !== `csrf-${login}`) throw new Refusal(403, "denied", "The CSRF token is missing.");
  if (path === "/session" && method === "GET") return send(response, 200, sessionOf(login));
  if (path === "/session" && method === "DELETE") {
    response.setHeader("Set-Cookie", "tandem=; Path=/; Max-Age=0");
    return send(response, 204);
  }
  for (const [verb, pattern, handler] of routes) {
    const match = verb === method && new RegExp(`^${pattern.replaceAll(/:\w+/g, "([^/]+)")}$`).exec(path);
    if (!match) continue;
    const body = method === "GET" ? undefined : await bodyOf(request);
    return handler({ state, request, response, url, body, args: match.slice(1).map(decodeURIComponent) });
  }
  throw new Refusal(404, "not_found", `The mock has no ${method} ${path}.`);
}

async function signIn(request, response) {
  const { login, password } = await bodyOf(request);
  if (!data.people[login] || password !== "tandem") throw new Refusal(401, "unauthenticated", "The login or the password is wrong.");
  response.setHeader("Set-Cookie", `tandem=${login}; Path=/; HttpOnly; SameSite=Strict`);
  send(response, 200, sessionOf(login));
}

const answer = (make) => (context) => send(context.response, 200, make(context));
const page = (items, url, size = 25) => {
  const from = Number(url.searchParams.get("cursor") || 0);
  const limit = Number(url.searchParams.get("limit") || size);
  return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : "" };
};

function find(list, id) {
  const found = list.find((item) => item.id === id);
  if (!found) throw new Refusal(404, "not_found", "There is no such thing any more.");
  return found;
}

function filteredContacts(url) {
  const wanted = (name) => url.searchParams.get(name);
  return data.contacts.filter(
    (contact) =>
      (!wanted("number") || contact.ani === wanted("number")) &&
      (!wanted("numberEnds") || contact.ani.endsWith(wanted("numberEnds"))) &&
      (!wanted("queueId") || contact.queue?.id === wanted("queueId")) &&
      (!wanted("agentId") || contact.agent?.id === wanted("agentId")) &&
      (!wanted("state") || contact.state === wanted("state")),
  );
}

const flowSummaries = (state) =>
  [state.flow, data.bigFlow()].map((flow) => ({
    id: flow.id,
    name: flow.name,
    format: flow.format,
    publishedVersion: flow.publishedVersion,
    latestVersion: flow.version,
    problems: flow.report.problems.length,
    unresolved: flow.bindings.filter((binding) => !binding.target).length,
    updatedAt: data.ago(3600),
    entryPoints: flow.id === "f1" ? ["+49305550100"] : [],
  }));

const flowOf = (state, id) => (id === "f2" ? data.bigFlow() : find([state.flow], id));

const routes = [
  ["POST", "/session/password", ({ response, body }) => {
    if (body.current !== "tandem") throw new Refusal(400, "invalid", "The current password is wrong.");
    send(response, 204);
  }],
  ["GET", "/desk", answer(({ state }) => state.desk.snapshot())],
  ["GET", "/desk/events", ({ state, response }) =>
    stream(response, "desk", state.desk.snapshot(), (write) => {
      state.desk.listeners.add(write);
      return () => state.desk.listeners.delete(write);
    })],
  ["GET", "/desk/history", answer(({ url }) => page(data.contacts.slice(0, 14), url, 10))],
  ["POST", "/desk/state", answer(({ state, body }) => state.desk.setState(body.state, body.reasonId))],
  ["POST", "/desk/station", answer(({ state, body }) => state.desk.setStation(body))],
  ["POST", "/desk/media", media],
  ["PUT", "/desk/contacts/:id/variables", answer(({ state, body }) => state.desk.setVariables(body.values))],
  ["POST", "/desk/contacts/:id/digits", answer(({ state, body }) => {
    state.desk.digits += body.digits;
    return state.desk.snapshot();
  })],
  ["POST", "/desk/contacts/:id/wrapup", answer(({ state, body }) => state.desk.finish(body))],
  ["PUT", "/desk/contacts/:id/wrapup", answer(({ state, body }) => state.desk.draft(body))],
  ["POST", "/desk/contacts/:id/wrapup/extend", answer(({ state }) => state.desk.extend())],
  ["POST", "/desk/contacts/:id/:verb", answer(({ state, args }) => state.desk.act(args[1]))],

  ["GET", "/live", answer(() => data.live())],
  ["GET", "/live/events", ({ response }) => stream(response, "live", data.live(), () => () => {})],
  ["GET", "/contacts", answer(({ url }) => page(filteredContacts(url), url))],
  ["GET", "/contacts/:id", answer(({ args }) => data.contactDetail(find(data.contacts, args[0])))],
  ["GET", "/contacts/:id/recording", ({ response }) => {
    response.writeHead(200, { "Content-Type": "audio/wav", "Cache-Control": "no-store" });
    response.end(silence());
  }],
  ["GET", "/contacts/:id/trace", answer(() => data.trace)],

  ["GET", "/flows", answer(({ state }) => ({ items: flowSummaries(state) }))],
  ["POST", "/flows/import", ({ state, response, body, url }) => {
    if (!String(body).trim().startsWith("{")) throw new Refusal(400, "invalid", "This is not a call flow: the file is not JSON.");
    if (url.searchParams.get("name")) state.flow.name = url.searchParams.get("name");
    send(response, 201, { flow: state.flow });
  }],
  ["GET", "/flows/:id", answer(({ state, args }) => flowOf(state, args[0]))],
  ["GET", "/flows/:id/versions", answer(({ state }) => ({ items: [...(state.savedVersions ?? []), ...data.versions] }))],
  ["GET", "/flows/:id/versions/:v", answer(({ state, args }) => flowVersion(state, flowOf(state, args[0]), Number(args[1])))],
  ...flowEdit(answer, flowOf, Refusal),
  ["POST", "/flows/:id/mend", ({ state, response, body }) => {
    const { report } = state.flow;
    report.problems = body.all ? report.problems.filter((problem) => problem.position < 0) : report.problems.filter((_, index) => !body.problems.includes(index));
    for (const node of state.flow.nodes) node.problems = report.problems.flatMap((problem, index) => (problem.node === node.name ? [index] : []));
    state.flow.version++;
    send(response, 201, state.flow);
  }],
  ["PUT", "/flows/:id/bindings", answer(({ state, body }) => {
    for (const wanted of body.bindings) {
      const binding = state.flow.bindings.find((item) => item.kind === wanted.kind && item.ref === wanted.ref);
      if (binding) Object.assign(binding, { target: wanted.target, targetName: wanted.target });
    }
    return state.flow;
  })],
  ["POST", "/flows/:id/publish", answer(({ state, body }) => {
    state.flow.publishedVersion = body.version;
    return state.flow;
  })],
  ["DELETE", "/flows/:id", () => {
    throw new Refusal(409, "conflict", "The flow answers +49305550100. Give that entry point another flow first.");
  }],

  ["GET", "/hours/:id/state", answer(() => ({ at: new Date().toISOString(), local: "Tue 2026-06-30 13:00 CEST", outcome: "override", open: false, name: "Stocktaking" }))],
  ["POST", "/functions/:id/test", answer(({ body }) => ({ ok: true, message: "Values in the function's answer: 1", durationMs: 12, answer: JSON.stringify({ plan: body?.parameters?.plan ?? "" }, null, 2) }))],
  ["GET", "/connectors/:id/status", answer(({ args }) =>
    args[0] === "k3"
      ? { grant: "refresh_token", advice: "", problem: "Salesforce refused the refresh token: connect again.", requestsUsed: 0, requestsMax: 0, limitsAt: null, pausedUntil: null, tight: false }
      : args[0] === "k4"
      ? { grant: "soap_login", advice: "Salesforce ends SOAP login on 1 June 2027.", problem: "", requestsUsed: 812, requestsMax: 15_000, limitsAt: data.ago(40), pausedUntil: null, tight: false }
      : { grant: "client_credentials", advice: "", problem: "", requestsUsed: 14_321, requestsMax: 15_000, limitsAt: data.ago(40), pausedUntil: null, tight: true })],
  ["POST", "/connectors/:id/authorize", answer(() => ({ url: "/connectors?connect=ok" }))],
  ["POST", "/connectors/:id/test", answer(({ args }) =>
    args[0] === "k1"
      ? { ok: true, message: "Signed in and read the organisation's limits.", durationMs: 212, detail: "Example GmbH, API v62.0" }
      : { ok: false, message: "The host orders.example.com could not be found. Check the address.", durationMs: 31, detail: "no such host" })],
  ["POST", "/users/:id/password", ({ response }) => send(response, 204)],
  ["POST", "/users/:id/unlock", answer(({ state, args }) => Object.assign(find(state.setup.users, args[0]), { locked: false, lockedUntil: null }))],
  ["PATCH", "/users/:id", answer(({ state, args, body }) => Object.assign(find(state.setup.users, args[0]), body))],
  ["GET", "/reasons", answer(({ state }) => ({ items: state.reasons }))],
  ["PUT", "/reasons", answer(({ state, body }) => ({ items: (state.reasons = body.items) }))],
  ["GET", "/wrapup-codes", answer(({ state }) => ({ items: state.codes }))],
  ["PUT", "/wrapup-codes", answer(({ state, body }) => ({ items: (state.codes = body.items) }))],
  ["GET", "/audit", answer(({ url }) => page(data.audit.filter((entry) => (url.searchParams.get("outcome") || entry.outcome) === entry.outcome), url))],
  ["GET", "/audit/checkpoint", answer(() => ({ size: 3996, rootHash: "9f3b1c0a4e7d62b8f05a9c1e3d7f80261b4ac95e0d3f7a128c6be4905fd1a3c7", sealedAt: data.ago(31), pending: 4 }))],
  ["POST", "/audit/verify", answer(() => ({ ok: true, size: 3996, message: "All 3996 entries match the sealed root." }))],
  ["GET", "/jobs", answer(({ state, url }) => page(state.jobs.filter((job) => (url.searchParams.get("state") || job.state) === job.state), url))],
  ["POST", "/jobs/:id/retry", answer(({ state, args }) => Object.assign(find(state.jobs, args[0]), { state: "available" }))],
  ["POST", "/jobs/:id/cancel", answer(({ state, args }) => Object.assign(find(state.jobs, args[0]), { state: "cancelled" }))],
  ["GET", "/system", answer(() => data.system())],
  ["POST", "/system/clock/advance", answer(() => data.system())],
  ["GET", "/:kind", answer(({ state, args }) => ({ items: state.setup[args[0]] ?? missing() }))],
  ["POST", "/:kind", ({ state, response, args, body }) => {
    const list = state.setup[args[0]] ?? missing();
    const { clientSecret, password, securityToken, refreshToken, token, ...kept } = body;
    const item = { id: `new${list.length}`, createdAt: data.ago(0), version: 1, ...kept };
    list.push(item);
    const once = args[0] === "api-tokens" ? { token: "tdm_9Qx2f7Lw0Zk4" } : args[0] === "access-keys" ? { accessKeyId: item.id, secret: "wJalrXUtnFEMI/K7MDENG" } : {};
    send(response, 201, { ...item, ...once });
  }],
  ["PUT", "/:kind/:id", answer(({ state, request, args, body }) => {
    const item = find(state.setup[args[0]] ?? missing(), args[1]);
    if (request.headers["if-match"] !== `"${item.version}"`) throw new Refusal(409, "conflict", "Somebody else changed it in the meantime. Open it again.");
    return Object.assign(item, body, { version: item.version + 1 });
  })],
  ["DELETE", "/:kind/:id", ({ state, response, args }) => {
    const list = state.setup[args[0]] ?? missing();
    list.splice(list.indexOf(find(list, args[1])), 1);
    send(response, 204);
  }],
];

/** A WAV file of one second in which nobody speaks: 8000 samples of 16 bits. */
function silence() {
  const rate = 8000;
  const head = Buffer.from("RIFF\0\0\0\0WAVEfmt \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0data\0\0\0\0", "latin1");
  head.writeUInt32LE(36 + 2 * rate, 4);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(2 * rate, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.writeUInt32LE(2 * rate, 40);
  return Buffer.concat([head, Buffer.alloc(2 * rate)]);
}

function missing() {
  throw new Refusal(404, "not_found", "The mock has no such list.");
}

// The audio's far end is a second browser page, since Node has no WebRTC: it fetches offers and
// posts answers.
function media({ state, response, body }) {
  const id = randomBytes(6).toString("hex");
  state.waiting.set(id, (sdp) => send(response, 200, { sdp }));
  state.offers.push({ id, sdp: body.sdp });
}

async function hubPage(state, request, response, url) {
  if (url.pathname === "/mock/offer") return send(response, 200, state.offers.shift() ?? null);
  if (url.pathname === "/mock/answer") {
    const { id, sdp } = await bodyOf(request);
    state.waiting.get(id)?.(sdp);
    state.waiting.delete(id);
    return send(response, 204);
  }
  if (url.pathname === "/mock/audio") {
    state.desk.setAudio((await bodyOf(request)).connected);
    return send(response, 204);
  }
  response.writeHead(200, { "Content-Type": url.pathname.endsWith(".mjs") ? "text/javascript" : "text/html" });
  createReadStream(fileURLToPath(new URL(url.pathname.endsWith(".mjs") ? "./mock-hub.mjs" : "./mock-hub.html", import.meta.url))).pipe(response);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await startMock(Number(process.argv[2] ?? 4173));
  process.stdout.write(`${mock.url}\n`);
}

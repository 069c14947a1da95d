// Data of the mock API: one small contact centre, frozen except where a test changes it.

export const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

export const people = {
  admin: { id: "u1", login: "admin", name: "Ada Marsh", roles: ["admin", "supervisor"] },
  lead: { id: "u2", login: "lead", name: "Leo Brandt", roles: ["supervisor"] },
  agent: { id: "u3", login: "agent", name: "Nora Vale", roles: ["agent"], agentId: "a1" },
  both: { id: "u4", login: "both", name: "Sam Okoro", roles: ["supervisor", "agent"], agentId: "a2" },
};

export const reasons = [
  { id: "r1", name: "Lunch" },
  { id: "r2", name: "Meeting" },
  { id: "r3", name: "Training" },
];

export const codes = [
  { id: "w1", name: "Resolved" },
  { id: "w2", name: "Call back needed" },
  { id: "w3", name: "Passed to billing" },
];

const billing = { id: "q1", name: "Billing" };
const support = { id: "q2", name: "Support" };

export const summary = (n, extra = {}) => ({
  id: `c${n}`,
  direction: "inbound",
  ani: `+49301234${String(500 + n)}`,
  dnis: "+49305550100",
  state: "ended",
  entryPoint: "+49305550100",
  flow: { id: "f1", name: "Main line", version: 3 },
  queue: n % 2 ? billing : support,
  agent: n % 4 === 3 ? null : { id: "a1", name: "Nora Vale" },
  createdAt: ago(600 * n),
  answeredAt: n % 4 === 3 ? null : ago(600 * n - 40),
  endedAt: ago(600 * n - 260),
  durationSeconds: 260,
  waitSeconds: 22 + n,
  talkSeconds: n % 4 === 3 ? 0 : 180 + n,
  disposition: n % 4 === 3 ? null : codes[n % 3],
  endReason: n % 4 === 3 ? "abandoned" : n % 2 ? "customer" : "agent",
  writeBack: ["done", "pending", "done", "none", "failed"][n % 5],
  ...extra,
});

export const contacts = Array.from({ length: 60 }, (_, index) => summary(index + 1, index === 1 ? { direction: "callback" } : index === 9 ? { direction: "callback", endReason: "unreachable", disposition: null, answeredAt: null, talkSeconds: 0 } : {}));

export const contactDetail = (contact) => ({
  ...contact,
  callback: contact.direction === "callback" ? { previous: "c9", attempts: 1, maxAttempts: 3, nextAt: null } : null,
  calledBack: contact.id === "c9" ? "c2" : "",
  recordings: contact.talkSeconds > 0 ? [{ id: `rec-${contact.id}`, startedAt: ago(560), endedAt: ago(380), durationSeconds: contact.talkSeconds, agent: true, customer: true }] : [],
  screenPop: contact.id === "c1" ? { url: "https://example.my.salesforce.com/003xx000004TmiQ", label: "Ruth Adler", target: "newBrowserTab", at: ago(558) } : null,
  notes: "Asked about invoice 4711. Sent the corrected one by e-mail.",
  variables: [
    { name: "invoice", label: "Invoice", value: "4711", type: "STRING", editable: true },
    { name: "tier", label: "Tier", value: "Gold", type: "STRING", editable: false },
  ],
  timeline: [
    { at: ago(600), type: "contact.created", text: "Call arrived on +49305550100", detail: "" },
    { at: ago(590), type: "contact.queued", text: "Queued in Billing", detail: "Priority 3" },
    { at: ago(570), type: "contact.offered", text: "Offered to Nora Vale", detail: "" },
    { at: ago(560), type: "contact.connected", text: "Answered by Nora Vale", detail: "" },
    { at: ago(380), type: "contact.ended", text: "Caller hung up", detail: "" },
    { at: ago(378), type: "writeback.failed", text: "Write-back refused", detail: "HTTP 400: REQUIRED_FIELD_MISSING Subject" },
  ],
  legs: [
    { kind: "customer", address: "sip:+49301234501@192.0.2.20", packetsReceived: 9021, packetsLost: 4, jitterMs: 3.2 },
    { kind: "agent", address: "browser", packetsReceived: 8890, packetsLost: 112, jitterMs: 11.7 },
  ],
  writeBacks: [
    { jobId: "j1", method: "POST", target: "/services/data/v62.0/sobjects/Task", status: "failed", attempts: 5, lastError: "HTTP 400: REQUIRED_FIELD_MISSING Subject", at: ago(300), delivery: "exactly_once", how: "marker in the text", marker: "[ref:K3JX7Q2MPA]", stage: "" },
    { jobId: "j2", method: "PATCH", target: "/services/data/v62.0/sobjects/Case/500xx", status: "204", attempts: 1, lastError: "", at: ago(370), delivery: "exactly_once", how: "comparison and conditional request", marker: "", stage: "done" },
  ],
});

const node = (id, name, op, type, x, y, extra = {}) => ({ id, name, op, type, group: "main", x, y, status: "mapped", properties: {}, problems: [], ...extra });

const variable = (name, extra = {}) => ({ name, type: "STRING", description: "", value: "", cad: false, label: "", editable: false, reportable: false, secure: false, global: false, ...extra });

export const flow = {
  id: "f1",
  name: "Main line",
  format: "webex",
  version: 4,
  publishedVersion: 3,
  etag: "4-3",
  description: "Greets, looks the caller up and queues for billing.",
  kind: "inbound",
  start: "n1",
  options: { maxSteps: 0, zone: "Europe/Berlin", errorText: "", language: "", voice: "", rawInterpolation: false },
  nodes: [
    node("n1", "NewPhoneContact", "start", "start", 0, 120),
    node("n2", "Welcome", "say", "play-message", 260, 120, { properties: { prompts: [{ kind: "tts", text: "Welcome to Marsh & Sons." }], interruptible: true } }),
    node("n3", "FindContact", "http", "http-request-v2", 520, 120, {
      properties: { connector: "Salesforce", method: "GET", path: "/services/data/v57.0/query?q=SELECT Id FROM Contact WHERE Phone = '{{NewPhoneContact.ANI}}'", parse: "JSON", results: "contactId = $.records[0].Id" },
      problems: [0],
    }),
    node("n4", "Found?", "cond", "condition-activity", 780, 120, { properties: { expr: "{{ contacts.size() > 0 }}" }, problems: [1] }),
    node("n5", "PopRecord", "pop", "screen-pop", 1040, 40, { properties: { url: "https://example.my.salesforce.com/{{contactId}}", target: "newBrowserTab" } }),
    node("n6", "ToBilling", "queue", "queue-contact", 1300, 120, { status: "approximated", properties: { queueName: "Billing", priority: 3 } }),
    node("n7", "HoldMusic", "music", "play-music", 1560, 120, { properties: { file: "defaultmusic_on_hold.wav" } }),
    node("n8", "Survey", "unsupported", "feedback-v2", 1560, 280, { status: "unsupported", properties: { template: "csat" } }),
    node("n9", "Goodbye", "hangup", "disconnect-contact", 1820, 120),
    node("e1", "PhoneContactEnded", "event", "event", 520, 420, { group: "event" }),
    node("e2", "WriteTask", "http", "http-request-v2", 780, 420, { group: "event", properties: { method: "POST", path: "/services/data/v57.0/sobjects/Task" } }),
  ],
  edges: [
    { from: "n1", to: "n2", port: "ok" },
    { from: "n2", to: "n3", port: "ok" },
    { from: "n3", to: "n4", port: "ok" },
    { from: "n3", to: "n6", port: "error" },
    { from: "n4", to: "n5", port: "true" },
    { from: "n4", to: "n6", port: "false" },
    { from: "n5", to: "n6", port: "ok" },
    { from: "n6", to: "n7", port: "ok" },
    { from: "n6", to: "n8", port: "failure" },
    { from: "n7", to: "n9", port: "ok" },
    { from: "n8", to: "n9", port: "ok" },
    { from: "e1", to: "e2", port: "ok" },
  ],
  handlers: [{ event: "contactEnded", node: "e1" }],
  variables: [
    variable("contactId", { description: "Whom the caller's number belongs to" }),
    variable("invoice", { cad: true, label: "Invoice", editable: true }),
    variable("pin", { value: "••••", secure: true }),
    variable("tries", { type: "INTEGER", value: "0", reportable: true }),
  ],
  report: {
    format: "webex",
    name: "Main line",
    nodes: 11,
    edges: 12,
    handlers: 1,
    mapped: 9,
    approximated: 1,
    unsupported: [{ node: "Survey", type: "feedback-v2" }],
    unresolved: [
      { node: "ToBilling", kind: "queue", id: "b1a0c1de", name: "Billing" },
      { node: "FindContact", kind: "connector", id: "5f20", name: "Salesforce" },
    ],
    problems: [
      { node: "FindContact", field: "path", position: 35, message: "The number is put into the query without quoting: a caller with an apostrophe breaks it.", fix: "/services/data/v57.0/query?q=SELECT Id FROM Contact WHERE Phone = '{{NewPhoneContact.ANI | soql}}'" },
      { node: "Found?", field: "expr", position: 3, message: "The variable contacts is never set.", fix: "{{ totalSize > 0 }}" },
      { node: "", field: "handlers", position: -1, message: "No handler for AgentDisconnected: the call ends without a write-back when the agent hangs up.", fix: "Add a handler, or accept the loss." },
    ],
  },
  bindings: [
    { kind: "queue", ref: "b1a0c1de", name: "Billing", target: "", targetName: "" },
    { kind: "connector", ref: "5f20", name: "Salesforce", target: "k1", targetName: "Salesforce production" },
  ],
};

/** A flow of 250 nodes without places, for the layout and the canvas. */
export function bigFlow() {
  const nodes = Array.from({ length: 250 }, (_, index) => node(`b${index}`, `Step ${index}`, index ? "say" : "start", "play-message", null, null));
  const edges = [];
  for (let index = 1; index < nodes.length; index++) {
    edges.push({ from: `b${Math.floor((index - 1) / 2)}`, to: `b${index}`, port: index % 2 ? "true" : "false" });
  }
  return { ...flow, id: "f2", name: "Two hundred and fifty steps", start: "b0", nodes, edges, handlers: [], bindings: [], publishedVersion: 0, version: 1, report: { ...flow.report, nodes: 250, edges: 249, mapped: 250, approximated: 0, unsupported: [], unresolved: [], problems: [] } };
}

export const trace = {
  flowId: "f1",
  version: 3,
  steps: [
    { at: ago(600), node: "n1", name: "NewPhoneContact", op: "start", port: "ok", detail: "", durationMs: 0 },
    { at: ago(600), node: "n2", name: "Welcome", op: "say", port: "ok", detail: "Said 24 characters", durationMs: 2140 },
    { at: ago(598), node: "n3", name: "FindContact", op: "http", port: "ok", detail: "GET 200, 412 bytes", durationMs: 186 },
    { at: ago(598), node: "n4", name: "Found?", op: "cond", port: "true", detail: "totalSize > 0", durationMs: 0 },
    { at: ago(598), node: "n5", name: "PopRecord", op: "pop", port: "ok", detail: "", durationMs: 0 },
    { at: ago(598), node: "n6", name: "ToBilling", op: "queue", port: "ok", detail: "Billing, priority 3", durationMs: 18200 },
    { at: ago(560), thread: 2, node: "e1", name: "PhoneContactEnded", op: "event", port: "ok", detail: "", durationMs: 0 },
    { at: ago(560), node: "1/survey", name: "1/survey", op: "", port: "", detail: "", durationMs: 0 },
    { at: ago(559), thread: 2, node: "e2", name: "WriteTask", op: "http", port: "", detail: "POST 201", durationMs: 95 },
  ],
};

export const versions = [
  { version: 4, createdAt: ago(3600), createdBy: "Ada Marsh", note: "Import", published: false },
  { version: 3, createdAt: ago(90000), createdBy: "Ada Marsh", note: "Mends applied", published: true },
  { version: 2, createdAt: ago(180000), createdBy: "Ada Marsh", note: "Import", published: false },
];

export const setup = () => ({
  "entry-points": [{ id: "p1", number: "+49305550100", name: "Main line", flowId: "f1", version: 1 }],
  queues: [
    { id: "q1", name: "Billing", ringSeconds: 20, wrapUpSeconds: 60, maxWaitSeconds: 900, agentIds: ["a1", "a2"], wrapUpCodes: ["w1", "w2"], autoAccept: false, hoursId: "h1", record: true, version: 1 },
    { id: "q2", name: "Support", ringSeconds: 20, wrapUpSeconds: 30, maxWaitSeconds: 1800, agentIds: ["a1"], wrapUpCodes: [], autoAccept: false, hoursId: "", record: false, version: 1 },
  ],
  connectors: [
    { id: "k1", name: "Salesforce production", kind: "salesforce", baseUrl: "https://example.my.salesforce.com", grant: "client_credentials", clientId: "3MVG9example", username: "", allowPrivate: false, region: "", phoneField: "", marker: "", streams: "", streamsCa: "", version: 1 },
    { id: "k3", name: "Salesforce sandbox", kind: "salesforce", baseUrl: "https://example--uat.sandbox.my.salesforce.com", grant: "refresh_token", clientId: "3MVG9sandbox", username: "", allowPrivate: false, region: "DE", phoneField: "Phone_E164__c", marker: "", streams: "", streamsCa: "", version: 1 },
    { id: "k4", name: "Salesforce legacy", kind: "salesforce", baseUrl: "https://legacy.my.salesforce.com", grant: "soap_login", clientId: "", username: "hub@legacy.example", allowPrivate: false, region: "", phoneField: "", marker: "", streams: "", streamsCa: "", version: 1 },
    { id: "k2", name: "Order service", kind: "http", baseUrl: "https://orders.example.com", grant: "bearer", clientId: "", username: "", allowPrivate: false, region: "", phoneField: "", marker: "", streams: "", streamsCa: "", version: 1 },
  ],
  hours: [
    {
      id: "h1",
      name: "Office",
      zone: "Europe/Berlin",
      week: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "17:00" }],
      holidays: [{ name: "New Year", date: "2026-01-01", yearly: true }],
      overrides: [{ name: "Stocktaking", from: "2026-06-30T12:00", to: "2026-06-30T20:00", open: false }],
      version: 1,
    },
  ],
  functions: [
    { id: "n1", name: "Look-up", kind: "http", refs: ["arn:aws:lambda:us-east-1:123456789012:function:look-up"], url: "/look-up", connector: "k2", command: "", timeoutMs: 8000, version: 1 },
    { id: "n2", name: "Grading", kind: "command", refs: ["grade"], url: "", connector: "", command: "grade", timeoutMs: 2500, version: 1 },
  ],
  "function-commands": [{ name: "grade" }],
  users: [
    { ...people.admin, disabled: false },
    { ...people.lead, disabled: false },
    { ...people.agent, disabled: false },
    { ...people.both, disabled: false, locked: true, lockedUntil: new Date(Date.now() + 600000).toISOString() },
  ],
  "api-tokens": [{ id: "t1", name: "Reporting", roles: ["supervisor"], createdAt: ago(864000), expiresAt: new Date(Date.now() + 30 * 86400000).toISOString(), lastUsedAt: ago(120) }],
  "access-keys": [{ id: "AKIA0EXAMPLE", name: "Profile import", createdAt: ago(432000), lastUsedAt: null }],
});

export const audit = Array.from({ length: 40 }, (_, index) => ({
  id: 4000 - index,
  seq: index > 3 ? 4000 - index : 0,
  at: ago(index * 95),
  principal: `arn:aws:iam::000000000001:${["user/admin", "role/svc/flow", "user/lead", "user/reporting"][index % 4]}`,
  action: ["flow:Publish", "connector:Use", "contact:Read", "identity:Login", "identity:UpdateUser"][index % 5],
  resource: `arn:aws:tandem::000000000001:${["flow/f1", "connector/k1", "contact/c1", "user/u3"][index % 4]}`,
  outcome: index % 7 === 3 ? "denied" : "ok",
  detail: index % 7 === 3 ? "No statement allows contact:Read on contact/c1." : "",
  sealed: index > 3,
}));

export const jobs = [
  { id: "j1", kind: "crm.writeback", state: "discarded", attempt: 5, maxAttempts: 5, runAt: ago(300), createdAt: ago(1200), lastError: "HTTP 400: REQUIRED_FIELD_MISSING Subject", orderKey: "contact/c1", recordKey: "", stage: "", delivery: "", how: "" },
  { id: "j3", kind: "crm.writeback", state: "retryable", attempt: 2, maxAttempts: 5, runAt: new Date(Date.now() + 40000).toISOString(), createdAt: ago(90), lastError: "HTTP 503", orderKey: "contact/c5", recordKey: "", stage: "doubtful", delivery: "at_least_once", how: "the request has no external id and no text for a marker" },
  { id: "j4", kind: "audit.seal", state: "scheduled", attempt: 0, maxAttempts: 1, runAt: new Date(Date.now() + 9000).toISOString(), createdAt: ago(1), lastError: "", orderKey: "", recordKey: "", stage: "", delivery: "", how: "" },
  { id: "j2", kind: "crm.writeback", state: "completed", attempt: 1, maxAttempts: 5, runAt: ago(370), createdAt: ago(371), lastError: "", orderKey: "contact/c1", recordKey: "", stage: "", delivery: "", how: "" },
];

export const system = () => ({
  version: "0.4.0",
  startedAt: ago(7260),
  now: ago(0),
  clockOffsetSeconds: 0,
  clockControllable: true,
  draining: false,
  engine: "sqlite",
  listeners: { http: "127.0.0.1:8080", sandbox: "127.0.0.1:8090", sip: "127.0.0.1:5060", webrtc: "127.0.0.1:8443", metrics: "127.0.0.1:9090" },
  speech: { engine: "flite", available: true },
  counts: { contacts: 1284, events: 20417, jobsWaiting: 2 },
});

export const live = () => ({
  now: ago(0),
  calls: [
    { id: "c101", direction: "inbound", ani: "+493012349001", dnis: "+49305550100", state: "connected", stateSince: ago(95), createdAt: ago(160), flow: { id: "f1", name: "Main line" }, node: "HoldMusic", queue: billing, agent: { id: "a1", name: "Nora Vale" } },
    { id: "c102", direction: "inbound", ani: "+493012349002", dnis: "+49305550100", state: "queued", stateSince: ago(41), createdAt: ago(70), flow: { id: "f1", name: "Main line" }, node: "HoldMusic", queue: billing, agent: null },
    { id: "c103", direction: "inbound", ani: "+493012349003", dnis: "+49305550100", state: "flow", stateSince: ago(4), createdAt: ago(4), flow: { id: "f1", name: "Main line" }, node: "Welcome", queue: null, agent: null },
    { id: "c105", direction: "callback", ani: "+493012349005", dnis: "+49305550100", state: "dialing", stateSince: ago(3), createdAt: ago(1300), flow: { id: "f1", name: "Main line" }, node: "", queue: billing, agent: { id: "a3", name: "Ines Ferro" } },
    { id: "c104", direction: "inbound", ani: "+493012349004", dnis: "+49305550100", state: "ringing", stateSince: ago(6), createdAt: ago(50), flow: { id: "f1", name: "Main line" }, node: "HoldMusic", queue: support, agent: { id: "a2", name: "Sam Okoro" } },
  ],
  queues: [
    { ...billing, waiting: 1, longestWaitSeconds: 41, agentsAvailable: 0, agentsBusy: 1, agentsStaffed: 2, abandonedToday: 3, answeredToday: 48, serviceLevel: 0.91 },
    { ...support, waiting: 0, longestWaitSeconds: 0, agentsAvailable: 1, agentsBusy: 1, agentsStaffed: 3, abandonedToday: 0, answeredToday: 31, serviceLevel: 1 },
  ],
  agents: [
    { id: "a1", name: "Nora Vale", state: "connected", reason: null, since: ago(95), contactId: "c101" },
    { id: "a2", name: "Sam Okoro", state: "ringing", reason: null, since: ago(6), contactId: "c104" },
    { id: "a3", name: "Ines Ferro", state: "connected", reason: null, since: ago(3), contactId: "c105" },
    { id: "a4", name: "Jo Lindqvist", state: "idle", reason: reasons[0], since: ago(1190), contactId: null },
    { id: "a5", name: "Mia Tran", state: "offline", reason: null, since: ago(28800), contactId: null },
  ],
});

/**
 * The wire types of /api/v1, in one place so that they can be replaced by the ones generated from
 * api/openapi.yaml (`npm run gen:api`). Times are RFC 3339 in UTC.
 */

export type Time = string;

export interface Page<T> {
  items: T[];
  next?: string;
}

export interface Ref {
  id: string;
  name: string;
}

export interface ProblemItem {
  location: string;
  message: string;
}

export interface Problem {
  type?: string;
  title?: string;
  status: number;
  detail?: string;
  code?: string;
  errors?: ProblemItem[];
}

// Session

export type Role = "admin" | "supervisor" | "agent";

export interface SessionUser {
  id: string;
  login: string;
  name: string;
  roles: Role[];
  agentId?: string;
}

export interface Session {
  user: SessionUser;
  csrf: string;
  expiresAt: Time;
}

// Desk

export type AgentState = "offline" | "available" | "idle" | "ringing" | "connected" | "wrapup" | "rona";
export type ChosenState = "available" | "idle" | "offline";

export interface Quality {
  packetsReceived: number;
  packetsLost: number;
  jitterMs: number;
}

export interface Station {
  kind: "browser" | "sip" | "none";
  connected: boolean;
  address: string;
  quality: Quality | null;
}

export interface DeskVariable {
  name: string;
  label: string;
  value: string;
  type: string;
  editable: boolean;
}

export interface ScreenPop {
  url: string;
  label: string;
  target: "sameBrowserTab" | "newBrowserTab" | "insideDesktop";
  at: Time;
}

export interface CrmRecord {
  id: string;
  type: "Account" | "Contact" | "Case";
  title: string;
  subtitle: string;
  url: string;
  fields: { label: string; value: string }[];
}

export interface Customer {
  status: "loading" | "found" | "ambiguous" | "none" | "error" | "off";
  message: string;
  accounts: CrmRecord[];
  contacts: CrmRecord[];
  cases: CrmRecord[];
}

export type WriteBackStatus = "none" | "pending" | "done" | "failed";

export type Direction = "inbound" | "callback";

export interface ContactSummary {
  id: string;
  direction: Direction;
  ani: string;
  dnis: string;
  state: string;
  entryPoint: string;
  flow: { id: string; name: string; version: number } | null;
  queue: Ref | null;
  agent: Ref | null;
  createdAt: Time;
  answeredAt?: Time | null;
  endedAt?: Time | null;
  durationSeconds: number;
  waitSeconds: number;
  talkSeconds: number;
  disposition: Ref | null;
  endReason: string;
  writeBack: WriteBackStatus;
}

export interface DeskContact {
  id: string;
  ani: string;
  dnis: string;
  callerName: string;
  direction: Direction;
  state: "ringing" | "dialing" | "connected" | "held" | "wrapup";
  callback: { number: string; waitingSince: Time; attempt: number; maxAttempts: number } | null;
  queue: Ref | null;
  priority: number;
  createdAt: Time;
  queuedAt?: Time | null;
  offeredAt?: Time | null;
  answeredAt?: Time | null;
  endedAt?: Time | null;
  ringUntil?: Time | null;
  wrapUpUntil?: Time | null;
  muted: boolean;
  held: boolean;
  endedBy: "customer" | "agent" | "system" | "";
  variables: DeskVariable[];
  screenPop: ScreenPop | null;
  customer: Customer;
  wrapUp: { codeId: string; notes: string };
  writeBack: { status: WriteBackStatus; detail: string };
  earlier: ContactSummary[];
}

export interface DeskQueue {
  id: string;
  name: string;
  waiting: number;
  longestWaitSeconds: number;
}

export interface Desk {
  rev: number;
  now: Time;
  agent: { id: string; name: string; login: string };
  state: AgentState;
  reason: Ref | null;
  since: Time;
  nextState: { state: ChosenState; reason: Ref | null } | null;
  reasons: Ref[];
  wrapUpCodes: Ref[];
  queues: DeskQueue[];
  station: Station;
  contact: DeskContact | null;
}

// Live

export interface LiveCall {
  id: string;
  direction: Direction;
  ani: string;
  dnis: string;
  state: "flow" | "queued" | "ringing" | "dialing" | "connected" | "held" | "transferred" | "wrapup";
  stateSince: Time;
  createdAt: Time;
  flow: string | Ref | null;
  node: string;
  queue: string | Ref | null;
  agent: string | Ref | null;
}

export interface LiveQueue extends DeskQueue {
  agentsAvailable: number;
  agentsBusy: number;
  agentsStaffed: number;
  abandonedToday: number;
  answeredToday: number;
  serviceLevel: number | null;
}

export interface LiveAgent {
  id: string;
  name: string;
  state: AgentState;
  reason: Ref | string | null;
  since: Time;
  contactId?: string | null;
}

export interface Live {
  now: Time;
  calls: LiveCall[];
  queues: LiveQueue[];
  agents: LiveAgent[];
}

// Contacts

export interface Recording {
  id: string;
  startedAt: Time;
  endedAt: Time | null;
  durationSeconds: number;
  agent: boolean;
  customer: boolean;
}

export interface ContactDetail extends ContactSummary {
  callback: { previous: string; attempts: number; maxAttempts: number; nextAt: Time | null } | null;
  calledBack: string;
  recordings: Recording[];
  screenPop: ScreenPop | null;
  notes: string;
  variables: DeskVariable[];
  timeline: { at: Time; type: string; text: string; detail?: string }[];
  legs: { kind: string; address: string; packetsReceived: number; packetsLost: number; jitterMs: number }[];
  writeBacks: {
    jobId: string;
    method: string;
    target: string;
    status: string;
    attempts: number;
    lastError: string;
    at: Time;
    delivery: Delivery;
    how: string;
    marker: string;
    stage: DeliveryStage;
  }[];
}

export interface TraceStep {
  at: Time;
  /** The main way is 1; each handler that runs is another. */
  thread?: number;
  node: string;
  name: string;
  op: string;
  port: string;
  detail: string;
  durationMs: number;
}

export interface Trace {
  flowId: string;
  version: number;
  steps: TraceStep[];
}

// Flows

export interface FlowSummary {
  id: string;
  name: string;
  format: string;
  publishedVersion: number;
  latestVersion: number;
  problems: number;
  unresolved: number;
  updatedAt: Time;
  entryPoints: string[];
}

export type NodeStatus = "mapped" | "approximated" | "unsupported";

export interface FlowNode {
  id: string;
  name: string;
  op: string;
  type: string;
  group: "main" | "event";
  x?: number | null;
  y?: number | null;
  status: NodeStatus;
  properties: Record<string, unknown>;
  problems: number[];
}

export interface FlowEdge {
  from: string;
  to: string;
  port: string;
}

export interface FlowBinding {
  kind: string;
  ref: string;
  name: string;
  target: string;
  targetName: string;
}

export interface FlowVariable {
  name: string;
  type: string;
  description: string;
  /** The initial value as text; dots for a secure one. */
  value: string;
  /** Shown to agents. */
  cad: boolean;
  label: string;
  editable: boolean;
  reportable: boolean;
  secure: boolean;
  global: boolean;
}

export interface FlowHandler {
  event: string;
  node: string;
}

export interface FlowOptions {
  /** Steps between two waits; 0: as usual. */
  maxSteps: number;
  zone: string;
  errorText: string;
  language: string;
  voice: string;
  rawInterpolation: boolean;
}

export interface FlowDetail {
  id: string;
  name: string;
  format: string;
  version: number;
  publishedVersion: number;
  etag?: string;
  description: string;
  kind: string;
  /** The node at which calls come in. */
  start: string;
  options: FlowOptions;
  nodes: FlowNode[];
  edges: FlowEdge[];
  handlers: FlowHandler[];
  variables: FlowVariable[];
  /** The JSON of `tandem flow lint`; read through flows/report.ts, which knows its shape. */
  report: Record<string, unknown> | null;
  bindings: FlowBinding[];
}

export interface FlowVersion {
  version: number;
  createdAt: Time;
  createdBy: string;
  note: string;
  published: boolean;
}

export interface FlowDiffNode {
  id: string;
  name: string;
  op: string;
}

export interface FlowDiffField {
  name: string;
  from: string;
  to: string;
}

export interface FlowDiffChange {
  node: string;
  name: string;
  fields: FlowDiffField[];
}

export interface FlowDiff {
  added: FlowDiffNode[];
  removed: FlowDiffNode[];
  changed: FlowDiffChange[];
  edges: { added: FlowEdge[]; removed: FlowEdge[] };
  variables: FlowDiffField[];
  handlers: FlowDiffField[];
  options: FlowDiffField[];
}

export interface FlowTryStep {
  /** Seconds since the call came in. */
  at: number;
  thread: number;
  node: string;
  name: string;
  op: string;
  /** Empty: the step waits, or the way ends here. */
  port: string;
  detail: string;
}

export interface FlowTryRequest {
  at: number;
  node: string;
  method: string;
  url: string;
  body: string;
  status: number;
  error: string;
  matched: boolean;
}

export interface FlowTry {
  version: number;
  seconds: number;
  end: { reason: string; by: string; detail: string };
  steps: FlowTryStep[];
  prompts: { at: number; node: string; text: string }[];
  requests: FlowTryRequest[];
  /** The run as a suite of flow tests that expects what has happened. */
  suite: Record<string, unknown>;
}

// Set-up

export interface EntryPoint {
  id: string;
  number: string;
  name: string;
  flowId: string;
  version?: number;
}

export interface Queue {
  id: string;
  name: string;
  ringSeconds: number;
  wrapUpSeconds: number;
  maxWaitSeconds: number;
  agentIds: string[];
  wrapUpCodes: string[];
  autoAccept: boolean;
  hoursId: string;
  record: boolean;
  version?: number;
}

export type ConnectorKind = "salesforce" | "http";
export type Grant = "password" | "client_credentials" | "refresh_token" | "jwt_bearer" | "soap_login" | "none" | "basic" | "bearer";

export interface Connector {
  id: string;
  name: string;
  kind: ConnectorKind;
  baseUrl: string;
  grant: Grant;
  clientId: string;
  username: string;
  allowPrivate: boolean;
  region: string;
  phoneField: string;
  marker: string;
  streams: string;
  streamsCa: string;
  version?: number;
}

export interface ConnectorStatus {
  grant: string;
  advice: string;
  problem: string;
  requestsUsed: number;
  requestsMax: number;
  limitsAt: Time | null;
  pausedUntil: Time | null;
  tight: boolean;
}

export interface ConnectorTest {
  ok: boolean;
  message: string;
  durationMs: number;
  detail: string;
}

export interface User {
  id: string;
  login: string;
  name: string;
  roles: Role[];
  agentId?: string;
  agent?: boolean;
  disabled?: boolean;
  locked?: boolean;
  lockedUntil?: Time | null;
  lastSignInAt?: Time | null;
  version?: number;
}

export interface ApiToken {
  id: string;
  name: string;
  roles: Role[];
  createdAt?: Time;
  expiresAt?: Time | null;
  lastUsedAt?: Time | null;
  token?: string;
}

export interface AccessKey {
  id: string;
  name: string;
  createdAt?: Time;
  lastUsedAt?: Time | null;
  accessKeyId?: string;
  secret?: string;
}

export interface AuditEntry {
  id: number;
  /** The place in the sealed log; 0 while the entry waits for the seal. */
  seq: number;
  at: Time;
  principal: string;
  action: string;
  resource: string;
  outcome: string;
  detail: string;
  sealed: boolean;
}

export interface Checkpoint {
  size: number;
  rootHash: string;
  sealedAt?: Time | null;
  pending: number;
}

/** How often a write can have its effect when something fails; empty before the first attempt. */
export type Delivery = "" | "exactly_once" | "at_least_once";
/** Sending and doubtful: the request may have had its effect. */
export type DeliveryStage = "" | "sending" | "doubtful" | "done";

export interface Job {
  id: string;
  kind: string;
  state: string;
  attempt: number;
  maxAttempts: number;
  runAt: Time;
  createdAt: Time;
  lastError: string;
  orderKey: string;
  recordKey: string;
  stage: DeliveryStage;
  delivery: Delivery;
  how: string;
}

export interface System {
  version: string;
  startedAt: Time;
  now: Time;
  clockOffsetSeconds: number;
  clockControllable?: boolean;
  draining: boolean;
  engine: "sqlite" | "postgres";
  listeners: Record<string, string>;
  speech: { engine: string; available: boolean };
  counts: { contacts: number; events: number; jobsWaiting: number };
}

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

export interface Interval {
  days: Weekday[];
  from: string;
  to: string;
}

export interface Holiday {
  name: string;
  date: string;
  yearly: boolean;
}

export interface HoursOverride {
  name: string;
  from: string;
  to: string;
  open: boolean;
}

/** Hours of operation, by the clock of their time zone. */
export interface Hours {
  id: string;
  name: string;
  version: number;
  zone: string;
  week: Interval[];
  holidays: Holiday[];
  overrides: HoursOverride[];
}

export interface HoursState {
  at: Time;
  local: string;
  outcome: "work" | "holiday" | "override" | "closed";
  open: boolean;
  name: string;
}

/** What stands for a function that flows call. */
export interface HubFunction {
  id: string;
  name: string;
  version: number;
  kind: "http" | "command";
  refs: string[];
  url: string;
  connector: string;
  command: string;
  timeoutMs: number;
}

export interface FunctionTest {
  ok: boolean;
  message: string;
  durationMs: number;
  answer: string;
}

export interface FunctionCommand {
  name: string;
}

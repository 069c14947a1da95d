import type { FlowNode } from "../api/types";

export type Family = "talk" | "decide" | "data" | "route" | "end";

interface OpInfo {
  /** What people call it. */
  label: string;
  family: Family;
  /** What it does, in one line. */
  help: string;
  /** Its inputs with what they start with. */
  in: Record<string, unknown>;
  /** Its usual ways out, without those that its inputs name. */
  ports: string[];
}

const speech = [{ kind: "tts", text: "" }];

export const families: Record<Family, string> = { talk: "Speak and listen", decide: "Decide", data: "Data", route: "Route", end: "End" };

/** The operations a step can be added with, as the server knows them. */
export const operations: Record<string, OpInfo> = {
  say: { label: "Say or play", family: "talk", help: "Plays prompts", in: { prompts: speech, interruptible: true }, ports: ["ok", "error"] },
  menu: { label: "Menu", family: "talk", help: "Asks for one digit", in: { prompts: speech, digits: ["1", "2"], entryTimeoutMS: 3000, interruptible: true }, ports: ["timeout", "nomatch", "error"] },
  collect: { label: "Collect digits", family: "talk", help: "Asks for several digits", in: { prompts: speech, min: 1, max: 10, terminators: "#", entryTimeoutMS: 5000 }, ports: ["ok", "timeout", "nomatch", "error"] },
  music: { label: "Play music", family: "talk", help: "Plays music for a while", in: { file: "", durationMS: 30000 }, ports: ["ok", "error"] },
  loopPrompts: { label: "Play again and again", family: "talk", help: "Plays prompts in a loop", in: { prompts: speech, interruptMS: 0 }, ports: ["interrupted", "error"] },
  bot: { label: "Bot", family: "talk", help: "Hands the caller to a dialogue platform", in: { bot: "", params: {} }, ports: ["done", "escalate", "error"] },
  cond: { label: "Condition", family: "decide", help: "Branches on an expression", in: { expr: "{{ true }}" }, ports: ["true", "false", "error"] },
  case: { label: "Case", family: "decide", help: "Branches on a value", in: { expr: "", cases: [""] }, ports: ["nomatch", "error"] },
  compare: { label: "Compare", family: "decide", help: "Branches by comparing a value", in: { value: "", match: [] }, ports: ["nomatch", "error"] },
  hours: { label: "Business hours", family: "decide", help: "Asks whether a schedule is open", in: { hoursName: "" }, ports: ["hours:work", "hours:holiday", "hours:override", "ok", "error"] },
  split: { label: "Split by share", family: "decide", help: "Chooses a branch by chance", in: { weights: [{ label: "A", percent: "50" }, { label: "B", percent: "50" }] }, ports: ["error"] },
  loop: { label: "Loop", family: "decide", help: "Counts how often it is passed", in: { count: 3 }, ports: ["continue", "done"] },
  set: { label: "Set variables", family: "data", help: "Stores values", in: { sets: [{ var: "", value: "" }] }, ports: ["ok", "error"] },
  http: { label: "HTTP request", family: "data", help: "Asks or tells another system", in: { connector: "", method: "GET", path: "/", parse: "JSON", timeoutMS: 2000 }, ports: ["ok", "error"] },
  parse: { label: "Parse a document", family: "data", help: "Reads a document from a variable", in: { input: "", format: "JSON" }, ports: ["ok", "error"] },
  function: { label: "Function", family: "data", help: "Calls a function of the installation", in: { function: "", params: {}, timeoutMS: 8000 }, ports: ["ok", "error"] },
  pop: { label: "Open a page at the desk", family: "data", help: "Shows a page to the agent", in: { url: "" }, ports: ["ok"] },
  queue: { label: "Queue the caller", family: "route", help: "Waits for an agent", in: { queueName: "" }, ports: ["ok", "failure"] },
  queueAgent: { label: "Queue for one agent", family: "route", help: "Offers the caller to one agent", in: { agent: "", lookup: "email" }, ports: ["ok", "error"] },
  queueInfo: { label: "Queue figures", family: "route", help: "Asks how long the wait is", in: { queue: "", lookbackMinutes: 5 }, ports: ["ok", "insufficient", "failure"] },
  setQueue: { label: "Choose the queue", family: "route", help: "Chooses the queue for later", in: { queueName: "" }, ports: ["ok", "error"] },
  metric: { label: "Queue metrics", family: "route", help: "Asks for a queue's metrics", in: { queueName: "", metric: "" }, ports: ["ok", "error"] },
  priority: { label: "Change the priority", family: "route", help: "Moves the caller up or down", in: { priority: 5 }, ports: ["ok", "error"] },
  routing: { label: "Rank in the queue", family: "route", help: "Sets rank and age in the queue", in: { priority: 5 }, ports: ["ok", "error"] },
  hooks: { label: "Accompanying flows", family: "route", help: "Names flows that accompany the call", in: { hooks: {} }, ports: ["ok", "error"] },
  callback: { label: "Register a callback", family: "route", help: "Has the caller called back", in: { number: "", queue: "" }, ports: ["ok", "failure"] },
  transfer: { label: "Transfer to a number", family: "route", help: "Sends the caller elsewhere", in: { number: "", timeoutMS: 30000 }, ports: ["ok", "failure"] },
  goto: { label: "Go to a flow", family: "route", help: "Hands over to another flow", in: { flow: "" }, ports: ["error"] },
  sub: { label: "Run another flow", family: "route", help: "Runs a flow and comes back", in: { flow: "", inputs: {} }, ports: ["ok", "error"] },
  record: { label: "Record the call", family: "route", help: "Turns recording on or off", in: { participants: ["Agent", "Customer"] }, ports: ["ok", "error"] },
  wait: { label: "Wait", family: "end", help: "Waits for a while", in: { seconds: "5" }, ports: ["ok"] },
  pass: { label: "Do nothing", family: "end", help: "Goes on at once", in: {}, ports: ["ok"] },
  endSub: { label: "End this sub-flow", family: "end", help: "Goes back to the calling flow", in: {}, ports: [] },
  hangup: { label: "Hang up", family: "end", help: "Disconnects the caller", in: {}, ports: [] },
  end: { label: "End", family: "end", help: "Ends this way", in: {}, ports: [] },
  event: { label: "Event", family: "end", help: "Where a handler starts", in: { event: "" }, ports: ["ok"] },
};

/** What people call a step's operation. */
export const opLabel = (node: Pick<FlowNode, "op" | "type">): string =>
  node.op === "start" ? "Start" : node.op === "unsupported" ? `${node.type}: not supported` : (operations[node.op]?.label ?? node.op);

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item): item is string => typeof item === "string" && item !== "") : []);

function maps(value: unknown, key: string): string[] {
  if (!Array.isArray(value)) return [];
  return texts(value.map((item: unknown) => (item !== null && typeof item === "object" ? (item as Record<string, unknown>)[key] : undefined)));
}

/** The ways out that a step may have, by its operation and what its inputs say. */
export function portsOf(node: FlowNode): string[] {
  const { properties } = node;
  const named = [
    ...(node.op === "menu" ? texts(properties.digits).map((digit) => `digit:${digit}`) : []),
    ...(node.op === "case" ? texts(properties.cases).map((value) => `case:${value}`) : []),
    ...(node.op === "split" ? maps(properties.weights, "label").map((label) => `pct:${label}`) : []),
    ...maps(properties.match, "port"),
  ];
  return [...new Set([...named, ...(node.op === "start" ? ["ok"] : (operations[node.op]?.ports ?? ["ok", "error"]))])];
}

const portWords: Record<string, string> = {
  ok: "then", error: "on error", true: "if true", false: "if false", timeout: "no entry", nomatch: "no match", failure: "on failure", insufficient: "no figures",
  done: "done", escalate: "to a person", continue: "again", interrupted: "interrupted", "hours:work": "open", "hours:holiday": "holiday", "hours:override": "exception",
};

/** A way out in words, for pictures and screen readers. */
export function portLabel(port: string): string {
  const [kind, ...rest] = port.split(":");
  const value = rest.join(":");
  if (portWords[port]) return portWords[port];
  if (value === "") return port;
  return kind === "digit" ? `key ${value}` : kind === "case" ? `is ${value}` : kind === "pct" ? value : kind === "error" ? `error ${value}` : port;
}

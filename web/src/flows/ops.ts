import type { FlowNode } from "../api/types";

interface OpInfo {
  /** What people call it. */
  label: string;
  /** Its inputs with what they start with. */
  in: Record<string, unknown>;
  /** Its usual ways out, without those that its inputs name. */
  ports: string[];
}

const speech = [{ kind: "tts", text: "" }];

/** The operations a step can be added with, as the server knows them. */
export const operations: Record<string, OpInfo> = {
  say: { label: "Say or play", in: { prompts: speech, interruptible: true }, ports: ["ok", "error"] },
  menu: { label: "Menu", in: { prompts: speech, digits: ["1", "2"], entryTimeoutMS: 3000, interruptible: true }, ports: ["timeout", "nomatch", "error"] },
  collect: { label: "Collect digits", in: { prompts: speech, min: 1, max: 10, terminators: "#", entryTimeoutMS: 5000 }, ports: ["ok", "timeout", "nomatch", "error"] },
  set: { label: "Set variables", in: { sets: [{ var: "", value: "" }] }, ports: ["ok", "error"] },
  cond: { label: "Condition", in: { expr: "{{ true }}" }, ports: ["true", "false", "error"] },
  case: { label: "Case", in: { expr: "", cases: [""] }, ports: ["nomatch", "error"] },
  http: { label: "HTTP request", in: { connector: "", method: "GET", path: "/", parse: "JSON", timeoutMS: 2000 }, ports: ["ok", "error"] },
  parse: { label: "Parse a document", in: { input: "", format: "JSON" }, ports: ["ok", "error"] },
  queue: { label: "Queue the caller", in: { queueName: "" }, ports: ["ok", "failure"] },
  queueAgent: { label: "Queue for one agent", in: { agent: "", lookup: "email" }, ports: ["ok", "error"] },
  queueInfo: { label: "Queue figures", in: { queue: "", lookbackMinutes: 5 }, ports: ["ok", "insufficient", "failure"] },
  music: { label: "Play music", in: { file: "", durationMS: 30000 }, ports: ["ok", "error"] },
  callback: { label: "Register a callback", in: { number: "", queue: "" }, ports: ["ok", "failure"] },
  transfer: { label: "Transfer to a number", in: { number: "", timeoutMS: 30000 }, ports: ["ok", "failure"] },
  pop: { label: "Open a page at the desk", in: { url: "" }, ports: ["ok"] },
  hours: { label: "Business hours", in: { hoursName: "" }, ports: ["hours:work", "hours:holiday", "hours:override", "ok", "error"] },
  split: { label: "Split by share", in: { weights: [{ label: "A", percent: "50" }, { label: "B", percent: "50" }] }, ports: ["error"] },
  goto: { label: "Go to a flow", in: { flow: "" }, ports: ["error"] },
  sub: { label: "Run another flow", in: { flow: "", inputs: {} }, ports: ["ok", "error"] },
  endSub: { label: "End this sub-flow", in: {}, ports: [] },
  wait: { label: "Wait", in: { seconds: "5" }, ports: ["ok"] },
  priority: { label: "Change the priority", in: { priority: 5 }, ports: ["ok", "error"] },
  bot: { label: "Bot", in: { bot: "", params: {} }, ports: ["done", "escalate", "error"] },
  function: { label: "Function", in: { function: "", params: {}, timeoutMS: 8000 }, ports: ["ok", "error"] },
  compare: { label: "Compare", in: { value: "", match: [] }, ports: ["nomatch", "error"] },
  loop: { label: "Loop", in: { count: 3 }, ports: ["continue", "done"] },
  loopPrompts: { label: "Play again and again", in: { prompts: speech, interruptMS: 0 }, ports: ["interrupted", "error"] },
  setQueue: { label: "Choose the queue", in: { queueName: "" }, ports: ["ok", "error"] },
  routing: { label: "Rank in the queue", in: { priority: 5 }, ports: ["ok", "error"] },
  hooks: { label: "Accompanying flows", in: { hooks: {} }, ports: ["ok", "error"] },
  metric: { label: "Queue metrics", in: { queueName: "", metric: "" }, ports: ["ok", "error"] },
  record: { label: "Record the call", in: { participants: ["Agent", "Customer"] }, ports: ["ok", "error"] },
  pass: { label: "Do nothing", in: {}, ports: ["ok"] },
  hangup: { label: "Hang up", in: {}, ports: [] },
  end: { label: "End", in: {}, ports: [] },
};

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
  return [...new Set([...named, ...(operations[node.op]?.ports ?? ["ok", "error"])])];
}

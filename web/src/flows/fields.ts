export type FieldKind = "text" | "line" | "number" | "flag" | "choice" | "texts" | "prompts" | "pairs" | "rows" | "results" | "request" | "url" | "named" | "variable";

/** A column of a list of maps. */
export interface Column {
  name: string;
  label: string;
  choices?: readonly string[];
  /** Its texts may be expressions; the value is a list of texts, one a line. */
  kind?: "text" | "variable" | "lines";
  width?: string;
}

/** How one setting of an operation is edited. */
export interface Field {
  kind: FieldKind;
  label: string;
  help?: string;
  choices?: readonly string[];
  columns?: readonly Column[];
  /** Added to a number. */
  unit?: string;
  /** Where its names come from. */
  list?: "/queues" | "/connectors" | "/flows";
  /** What is added first when the list is empty. */
  fresh?: Record<string, unknown>;
}

const prompts: Field = { kind: "prompts", label: "Prompts" };
const spoken: Record<string, Field> = {
  prompts,
  interruptible: { kind: "flag", label: "The caller may interrupt" },
  language: { kind: "line", label: "Language", help: "As en-US; empty as the call's" },
  voice: { kind: "line", label: "Voice" },
  rate: { kind: "line", label: "Speaking rate" },
  gain: { kind: "line", label: "Volume" },
};
const operators = ["Equals", "NotEquals", "TextStartsWith", "TextEndsWith", "TextContains", "Contains", "Exists", "NumberGreaterThan", "NumberGreaterOrEqualTo", "NumberLessThan", "NumberLessOrEqualTo"] as const;
const match: Field = {
  kind: "rows",
  label: "Conditions",
  help: "The first that holds chooses the exit",
  columns: [
    { name: "op", label: "Compared by", choices: operators },
    { name: "operands", label: "With", kind: "lines" },
    { name: "port", label: "Exit" },
  ],
  fresh: { op: "Equals", operands: [""], port: "" },
};
const timeout: Field = { kind: "number", label: "Time-out", unit: "ms" };
const queue: Field = { kind: "named", label: "Queue", list: "/queues", help: "By its name; what the old system called it is bound under Bindings" };
const priority: Field = { kind: "line", label: "Priority", help: "1 is first" };
const query: Field = { kind: "pairs", label: "Query" };

const byOp: Record<string, Record<string, Field>> = {
  event: { event: { kind: "line", label: "Event", help: "Templates read what it brings by this name" } },
  say: spoken,
  loopPrompts: { ...spoken, interruptMS: { kind: "number", label: "Interrupted after", unit: "ms", help: "0: never" }, match },
  music: {
    file: { kind: "line", label: "Recording" },
    durationMS: { kind: "number", label: "Duration", unit: "ms" },
    offsetMS: { kind: "number", label: "Starts at", unit: "ms" },
  },
  menu: {
    prompts,
    digits: { kind: "texts", label: "Keys", help: "Each key has an exit of its own" },
    labels: { kind: "texts", label: "What the keys are for" },
    entryTimeoutMS: { kind: "number", label: "Waits for a key", unit: "ms" },
    maxTries: { kind: "number", label: "Tries" },
    ...spoken,
  },
  collect: {
    prompts,
    min: { kind: "number", label: "At least", unit: "digits" },
    max: { kind: "number", label: "At most", unit: "digits" },
    terminators: { kind: "line", label: "Ended by", help: "The key that ends the entry" },
    entryTimeoutMS: { kind: "number", label: "Waits for the first digit", unit: "ms" },
    interDigitTimeoutMS: { kind: "number", label: "Waits between digits", unit: "ms" },
    ...spoken,
  },
  set: {
    sets: {
      kind: "rows",
      label: "Values",
      columns: [
        { name: "var", label: "Variable", kind: "variable" },
        { name: "value", label: "Value", kind: "text" },
      ],
      fresh: { var: "", value: "" },
    },
  },
  cond: { expr: { kind: "text", label: "Condition", help: "An expression that is true or false" } },
  case: { expr: { kind: "text", label: "Value" }, cases: { kind: "texts", label: "Cases", help: "Each has an exit of its own" } },
  compare: { value: { kind: "text", label: "Value" }, match },
  loop: { count: { kind: "number", label: "Times" }, match },
  http: {
    connector: { kind: "named", label: "Connector", list: "/connectors", help: "Empty: a request without sign-in" },
    method: { kind: "choice", label: "Method", choices: ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] },
    path: { kind: "request", label: "Path" },
    url: { kind: "url", label: "Address" },
    query,
    headers: { kind: "pairs", label: "Headers" },
    body: { kind: "text", label: "Body" },
    contentType: { kind: "line", label: "Content type of the body" },
    parse: { kind: "choice", label: "The answer is", choices: ["JSON", "XML", ""] },
    timeoutMS: timeout,
    retries: { kind: "number", label: "Tries again" },
    skipWhenUnset: { kind: "variable", label: "Passed over while unset" },
  },
  parse: { input: { kind: "variable", label: "Document in" }, format: { kind: "choice", label: "Format", choices: ["JSON", "XML"] } },
  function: {
    function: { kind: "line", label: "Function", help: "Its ARN, as the installation knows it" },
    params: { kind: "pairs", label: "Parameters" },
    timeoutMS: timeout,
    response: { kind: "choice", label: "The answer is", choices: ["STRING_MAP", "JSON"] },
    async: { kind: "flag", label: "Does not wait for the answer" },
    match,
  },
  pop: {
    url: { kind: "url", label: "Address" },
    query,
    label: { kind: "line", label: "Title at the desk" },
    target: { kind: "choice", label: "Opened in", choices: ["insideDesktop", "newBrowserTab", "existingBrowserTab"] },
  },
  queue: {
    queueName: queue,
    priority,
    skills: {
      kind: "rows",
      label: "Skills",
      columns: [
        { name: "name", label: "Skill" },
        { name: "op", label: "Is", choices: ["is", "gte", "lte", "gt", "lt", "contains"] },
        { name: "value", label: "Value", kind: "text" },
      ],
      fresh: { name: "", op: "gte", value: "1" },
    },
    fallback: { kind: "line", label: "Fallback queue" },
    byVar: { kind: "line", label: "Queue by variable" },
  },
  queueAgent: {
    agent: { kind: "text", label: "Agent" },
    lookup: { kind: "choice", label: "Found by", choices: ["email", "id"] },
    queueName: queue,
    priority,
    park: { kind: "flag", label: "Waits while the agent is busy" },
    recovery: { kind: "line", label: "Queue if the agent is gone" },
  },
  queueInfo: { queueName: queue, lookbackMinutes: { kind: "number", label: "Looks back", unit: "min" } },
  setQueue: { queueName: queue, agent: { kind: "text", label: "Agent" } },
  metric: { queueName: queue, metric: { kind: "line", label: "Metric", help: "Empty: all of them" }, match },
  callback: { number: { kind: "text", label: "Number" }, queueName: queue, queue, ani: { kind: "text", label: "Shown number" } },
  transfer: { number: { kind: "text", label: "Number" }, timeoutMS: timeout, bridged: { kind: "flag", label: "The caller comes back" } },
  hours: { hoursName: { kind: "line", label: "Opening hours" } },
  split: {
    weights: {
      kind: "rows",
      label: "Shares",
      help: "Together 100",
      columns: [
        { name: "label", label: "Branch" },
        { name: "percent", label: "Percent", width: "5em" },
      ],
      fresh: { label: "", percent: "0" },
    },
  },
  goto: { flow: { kind: "named", label: "Flow", list: "/flows" } },
  sub: { flow: { kind: "named", label: "Flow", list: "/flows" }, inputs: { kind: "pairs", label: "Handed over" } },
  wait: { seconds: { kind: "line", label: "Seconds" }, durationMS: { kind: "number", label: "Duration", unit: "ms" }, match },
  priority: { priority },
  routing: { priority, adjustSeconds: { kind: "number", label: "Counts as waiting since", unit: "s" } },
  bot: { bot: { kind: "line", label: "Bot" }, event: { kind: "line", label: "Event" }, params: { kind: "pairs", label: "Parameters" } },
  hooks: { hooks: { kind: "pairs", label: "Flows", help: "As CustomerQueue and the flow's name" } },
  record: { participants: { kind: "texts", label: "Recorded", help: "Agent, Customer; nobody: off" } },
};

const results: Field = { kind: "results", label: "Results", help: "Which part of the answer goes into which variable" };

/** How a setting is edited; undefined when the operation has no such setting of its own. */
export const fieldOf = (op: string, name: string): Field | undefined => (name === "results" ? results : byOp[op]?.[name]);

/** The settings an operation may have, in the order in which people look for them. */
export function namesOf(op: string): string[] {
  const answers = ["http", "parse", "queueInfo", "function", "collect", "menu"].includes(op);
  return [...Object.keys(byOp[op] ?? {}), ...(answers ? ["results"] : [])];
}

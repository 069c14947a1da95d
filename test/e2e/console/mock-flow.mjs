// The mock's editing of flows: versions are kept whole, and a test run follows the first way out it can.
import * as data from "./mock-data.mjs";

const keyOf = (edge) => `${edge.from} ${edge.port} ${edge.to}`;

/** One version of a flow: saved ones as they were, others as the first. */
export const flowVersion = (state, flow, version) => state.kept?.get(`${flow.id} ${version}`) ?? { ...(version < flow.version ? (state.kept?.get(`${flow.id} first`) ?? flow) : flow), version };

/** Saves the flow as the next version, as somebody. */
export function saveVersion(state, change, by = "admin", note = "Edited") {
  state.kept ??= new Map();
  state.savedVersions ??= [];
  const before = structuredClone(state.flow);
  if (!state.kept.has("f1 first")) state.kept.set("f1 first", before);
  state.kept.set(`f1 ${before.version}`, before);
  Object.assign(state.flow, change, { version: before.version + 1 });
  state.kept.set(`f1 ${state.flow.version}`, structuredClone(state.flow));
  state.savedVersions.unshift({ version: state.flow.version, createdAt: data.ago(20), createdBy: by, note, published: false });
  return state.flow;
}

function edited(state, flow, body) {
  const known = new Map(flow.nodes.map((node) => [node.id, node]));
  const nodes = body.nodes.map(({ id, name, op, in: properties, x, y }) => {
    const old = known.get(id) ?? { id, op, type: op, group: "main", x: 0, y: 0, status: "mapped", properties: {}, problems: [] };
    return { ...old, name, properties: properties ?? old.properties, x: x ?? old.x, y: y ?? old.y };
  });
  // The mock's lint: a template that is opened is closed.
  const texts = (value) => (value !== null && typeof value === "object" ? Object.values(value).flatMap(texts) : [String(value)]);
  const problems = nodes
    .filter((node) => texts(node.properties).some((text) => /\{\{[^}]*$/.test(text)))
    .map((node) => ({ node: node.name, field: "prompts", position: 0, message: "The template does not end: }} is missing.", fix: "Close it." }));
  for (const node of nodes) node.problems = problems.flatMap((problem, index) => (problem.node === node.name ? [index] : []));
  const { name, description, kind, start, options, handlers } = body;
  const head = Object.fromEntries(Object.entries({ name, description, kind, start, options, handlers }).filter(([, value]) => value !== undefined));
  const variables = body.variables?.map(({ was, ...variable }) => {
    const old = flow.variables.find((item) => item.name === was);
    const value = variable.value ?? old?.value ?? "";
    return { ...variable, value: variable.secure ? "••••" : value };
  });
  return saveVersion(state, { nodes, edges: body.edges, report: { ...flow.report, problems }, ...head, ...(variables ? { variables } : {}) });
}

/** What differs between two lists of things with a name, as text. */
function named(a, b, nameOf, text) {
  const [left, right] = [a, b].map((list) => new Map(list.map((item) => [nameOf(item), text(item)])));
  return [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name)).map((name) => ({ name, from: left.get(name) ?? "", to: right.get(name) ?? "" }));
}

function diff(a, b) {
  const only = (x, y) => x.nodes.filter((node) => !y.nodes.some((other) => other.id === node.id)).map(({ id, name, op }) => ({ id, name, op }));
  const text = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));
  const all = (node) => ({ ...node.properties, name: node.name, position: `${node.x}, ${node.y}` });
  const changed = b.nodes.flatMap((node) => {
    const old = a.nodes.find((other) => other.id === node.id);
    if (!old) return [];
    const [was, is] = [all(old), all(node)];
    const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => text(was[name]) !== text(is[name])).map((name) => ({ name, from: text(was[name]), to: text(is[name]) }));
    return fields.length > 0 ? [{ node: node.id, name: node.name, fields }] : [];
  });
  const keys = (flow) => new Set(flow.edges.map(keyOf));
  const [left, right] = [keys(a), keys(b)];
  return { added: only(b, a), removed: only(a, b), changed, edges: { added: b.edges.filter((edge) => !left.has(keyOf(edge))), removed: a.edges.filter((edge) => !right.has(keyOf(edge))) }, 
    variables: named(a.variables, b.variables, (item) => item.name, (item) => [item.type, item.value, item.cad && `shown to agents ${item.label}`].filter(Boolean).join(", ")),
    handlers: named(a.handlers, b.handlers, (item) => item.event, (item) => b.nodes.find((node) => node.id === item.node)?.name ?? item.node),
    options: named(Object.entries(a.options), Object.entries(b.options), ([name]) => name, ([, value]) => String(value)),
  };
}

function run(flow, script) {
  const down = script.http.some((answer) => answer.error);
  const steps = [];
  const seen = new Set();
  let at = 0;
  for (let node = flow.nodes.find((item) => item.op === "start"); node && !seen.has(node.id); ) {
    seen.add(node.id);
    const ways = flow.edges.filter((edge) => edge.from === node.id);
    const way = (down && node.op === "http" && ways.find((edge) => edge.port === "error")) || ways.find((edge) => ["ok", "true"].includes(edge.port)) || ways[0];
    steps.push({ at, thread: 1, node: node.id, name: node.name, op: node.op, port: way?.port ?? "", detail: node.op === "http" ? (down ? "connection refused" : "GET 200") : "" });
    at += 0.5;
    node = way && flow.nodes.find((item) => item.id === way.to);
  }
  const request = { at: 1, node: "FindContact", method: "GET", url: "https://crm.example/query", body: "", status: down ? 0 : 200, error: down ? "connection refused" : "", matched: true };
  return { version: flow.version, seconds: at, end: { reason: "contactEnded", by: "flow", detail: "" }, steps, prompts: [{ at: 0.5, node: "Welcome", text: `Welcome, ${script.from}` }], requests: [request], suite: { flow: `${flow.id}.json`, tests: [{ name: "As it went", given: script, then: { path: steps.map((step) => step.name) } }] } };
}

/** The routes of editing. */
export const flowEdit = (answer, flowOf, Refusal) => [
  ["PUT", "/flows/:id/model", answer(({ state, args, body, request }) => {
    const flow = flowOf(state, args[0]);
    if (request.headers["if-match"] !== `"${body.version}"`) throw new Refusal(422, "invalid", "If-Match names another version");
    if (body.version !== flow.version) throw new Refusal(409, "conflict", `version ${flow.version} was saved by nora in the meantime; nothing was saved`);
    return edited(state, flow, body);
  })],
  ["GET", "/flows/:id/written", answer(({ state, args, url }) => {
    const format = url.searchParams.get("format");
    const losses = format === "connect" ? [{ node: "", field: "on", what: "Amazon Connect has no handlers of events: contactEnded is left out" }] : [];
    return { file: `${args[0]}.${format === "yaml" ? "yaml" : "json"}`, text: JSON.stringify(flowOf(state, args[0]).nodes), losses };
  })],
  ["POST", "/flows/:id/restore", answer(({ state, args, body }) => {
    const { nodes, edges, report, variables, handlers, options } = structuredClone(flowVersion(state, flowOf(state, args[0]), body.version));
    return saveVersion(state, { nodes, edges, report, variables, handlers, options }, "admin", `Version ${body.version} restored`);
  })],
  ["GET", "/flows/:id/diff", answer(({ state, args, url }) => {
    const flow = flowOf(state, args[0]);
    return diff(flowVersion(state, flow, Number(url.searchParams.get("from"))), flowVersion(state, flow, Number(url.searchParams.get("to"))));
  })],
  ["POST", "/flows/:id/test", answer(({ state, args, body }) => {
    const flow = flowVersion(state, flowOf(state, args[0]), body.version);
    const nodes = body.model?.nodes.map((node) => ({ ...node, properties: node.in ?? {} })) ?? flow.nodes;
    return run({ ...flow, nodes, edges: body.model?.edges ?? flow.edges }, body.script);
  })],
];

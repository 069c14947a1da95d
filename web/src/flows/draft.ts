import type { FlowDetail, FlowEdge, FlowHandler, FlowNode, FlowOptions, FlowVariable } from "../api/types";
import { placesOf, type Point } from "./layout";
import { operations, portsOf } from "./ops";

/** A variable as it is edited. */
export interface DraftVariable extends FlowVariable {
  /** Its name in the saved version; empty for a new one. */
  was: string;
}

/** What a flow is as a whole. */
export interface Head {
  name: string;
  description: string;
  kind: string;
  start: string;
  options: FlowOptions;
}

/** What is edited of a flow: every node has a place of its own. */
export interface Draft {
  nodes: FlowNode[];
  edges: FlowEdge[];
  variables: DraftVariable[];
  handlers: FlowHandler[];
  head: Head;
}

export const edgeKey = (edge: FlowEdge): string => `${edge.from} ${edge.port}`;

export function draftOf(flow: FlowDetail): Draft {
  const places = placesOf(flow, false);
  return {
    nodes: flow.nodes.map((node) => ({ ...node, ...places.get(node.id) })),
    edges: flow.edges,
    variables: flow.variables.map((variable) => ({ ...variable, was: variable.name })),
    handlers: flow.handlers,
    head: { name: flow.name, description: flow.description, kind: flow.kind, start: flow.start, options: flow.options },
  };
}

/** The flow as the draft has it, to be looked at. */
export const flowOf = (flow: FlowDetail, draft: Draft): FlowDetail => ({ ...flow, ...draft.head, nodes: draft.nodes, edges: draft.edges, handlers: draft.handlers, variables: draft.variables });

export const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

const changeNode = (draft: Draft, id: string, change: Partial<FlowNode>): Draft => ({ ...draft, nodes: draft.nodes.map((node) => (node.id === id ? { ...node, ...change } : node)) });

export const rename = (draft: Draft, id: string, name: string): Draft => changeNode(draft, id, { name });
export const move = (draft: Draft, id: string, to: Point): Draft => changeNode(draft, id, { x: to.x, y: to.y });

/** Sets a property of a step; undefined removes it. */
export function setProperty(draft: Draft, id: string, name: string, value: unknown): Draft {
  const node = draft.nodes.find((item) => item.id === id);
  if (!node) return draft;
  const { [name]: _, ...rest } = node.properties;
  return changeNode(draft, id, { properties: value === undefined ? rest : { ...node.properties, [name]: value } });
}

/** Takes a step away, with the ways to and from it and the handlers that start at it. */
export const removeNode = (draft: Draft, id: string): Draft => ({
  ...draft,
  nodes: draft.nodes.filter((node) => node.id !== id),
  edges: draft.edges.filter((edge) => edge.from !== id && edge.to !== id),
  handlers: draft.handlers.filter((handler) => handler.node !== id),
});

export const removeEdge = (draft: Draft, key: string): Draft => ({ ...draft, edges: draft.edges.filter((edge) => edgeKey(edge) !== key) });

/** A way from one step to another by the port, or by the first that is free. A port leads to one step only. */
export function connect(draft: Draft, from: string, to: string, port?: string): Draft {
  const node = draft.nodes.find((item) => item.id === from);
  if (!node) return draft;
  const taken = new Set(draft.edges.filter((edge) => edge.from === from).map((edge) => edge.port));
  const free = port ?? portsOf(node).find((item) => !taken.has(item)) ?? freeName("exit", taken);
  return { ...draft, edges: [...draft.edges.filter((edge) => edgeKey(edge) !== `${from} ${free}`), { from, to, port: free }] };
}

function freeName(base: string, taken: Set<string>): string {
  let number = 1;
  while (taken.has(`${base} ${number}`)) number++;
  return `${base} ${number}`;
}

const newId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function addNode(draft: Draft, op: string, at: Point, group: FlowNode["group"] = "main"): { draft: Draft; id: string } {
  const info = operations[op];
  const id = newId();
  const name = freeName(info?.label ?? op, new Set(draft.nodes.map((node) => node.name)));
  const node: FlowNode = { id, name, op, type: op, group, x: at.x, y: at.y, status: "mapped", properties: structuredClone(info?.in ?? {}), problems: [] };
  return { draft: { ...draft, nodes: [...draft.nodes, node] }, id };
}

export const changeHead = (draft: Draft, change: Partial<Head>): Draft => ({ ...draft, head: { ...draft.head, ...change } });
export const changeOptions = (draft: Draft, change: Partial<FlowOptions>): Draft => changeHead(draft, { options: { ...draft.head.options, ...change } });

/** Lets an event start at a step; without a step nothing starts at it any more. */
export function handle(draft: Draft, event: string, node?: string): Draft {
  const others = draft.handlers.filter((handler) => handler.event !== event);
  if (node === undefined) return { ...draft, handlers: others };
  const known = draft.handlers.some((handler) => handler.event === event);
  return { ...draft, handlers: known ? draft.handlers.map((handler) => (handler.event === event ? { event, node } : handler)) : [...others, { event, node }] };
}

/** A handler that starts at a step of its own, below all others. */
export function addHandler(draft: Draft, event: string, label: string): { draft: Draft; id: string } {
  const lowest = Math.max(0, ...draft.nodes.map((node) => node.y ?? 0));
  const left = Math.min(...draft.nodes.map((node) => node.x ?? 0));
  const added = addNode(draft, "event", { x: left, y: lowest + 160 }, "event");
  const taken = new Set(draft.nodes.map((node) => node.name));
  const named = rename(added.draft, added.id, taken.has(label) ? freeName(label, taken) : label);
  return { draft: handle(setProperty(named, added.id, "event", label), event, added.id), id: added.id };
}

export function addVariable(draft: Draft): { draft: Draft; name: string } {
  const taken = new Set(draft.variables.map((variable) => variable.name));
  let number = 1;
  while (taken.has(`variable${number}`)) number++;
  const name = `variable${number}`;
  const variable: DraftVariable = { was: "", name, type: "STRING", description: "", value: "", cad: false, label: "", editable: false, reportable: false, secure: false, global: false };
  return { draft: { ...draft, variables: [...draft.variables, variable] }, name };
}

export const changeVariable = (draft: Draft, name: string, change: Partial<DraftVariable>): Draft => ({
  ...draft,
  variables: draft.variables.map((variable) => (variable.name === name ? { ...variable, ...change } : variable)),
});

export const removeVariable = (draft: Draft, name: string): Draft => ({ ...draft, variables: draft.variables.filter((variable) => variable.name !== name) });

function variablesOf(base: Draft, draft: Draft) {
  if (same(base.variables, draft.variables)) return undefined;
  const known = new Map(base.variables.map((variable) => [variable.name, variable]));
  return draft.variables.map(({ was, value, ...rest }) => ({ ...rest, ...(was ? { was } : {}), ...(was && known.get(was)?.value === value ? {} : { value }) }));
}

/** The draft as the server takes it: what was not changed is left out, so that it stays as it came. */
export function modelOf(base: Draft, draft: Draft, version: number) {
  const known = new Map(base.nodes.map((node) => [node.id, node]));
  const moved = draft.nodes.some((node) => {
    const was = known.get(node.id);
    return !was || was.x !== node.x || was.y !== node.y;
  });
  const changed = (Object.keys(draft.head) as (keyof Head)[]).filter((key) => !same(draft.head[key], base.head[key]));
  return {
    version,
    ...Object.fromEntries(changed.map((key) => [key, draft.head[key]])),
    nodes: draft.nodes.map(({ id, name, op, properties, x, y }) => ({
      id,
      name,
      op,
      in: same(properties, known.get(id)?.properties) ? undefined : properties,
      ...(moved ? { x, y } : {}),
    })),
    edges: draft.edges,
    variables: variablesOf(base, draft),
    handlers: same(base.handlers, draft.handlers) ? undefined : draft.handlers,
  };
}

export const isChanged = (base: Draft, draft: Draft): boolean => base !== draft && !same(base, draft);

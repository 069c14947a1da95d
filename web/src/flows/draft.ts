import type { FlowDetail, FlowEdge, FlowNode } from "../api/types";
import { placesOf, type Point } from "./layout";
import { operations, portsOf } from "./ops";

/** What is edited of a flow: every node has a place of its own. */
export interface Draft {
  nodes: FlowNode[];
  edges: FlowEdge[];
}

export const edgeKey = (edge: FlowEdge): string => `${edge.from} ${edge.port}`;

export function draftOf(flow: FlowDetail): Draft {
  const places = placesOf(flow, false);
  return { nodes: flow.nodes.map((node) => ({ ...node, ...places.get(node.id) })), edges: flow.edges };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

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

export const removeNode = (draft: Draft, id: string): Draft => ({
  nodes: draft.nodes.filter((node) => node.id !== id),
  edges: draft.edges.filter((edge) => edge.from !== id && edge.to !== id),
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

export function addNode(draft: Draft, op: string, at: Point): { draft: Draft; id: string } {
  const info = operations[op];
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const name = freeName(info?.label ?? op, new Set(draft.nodes.map((node) => node.name)));
  const node: FlowNode = { id, name, op, type: op, group: "main", x: at.x, y: at.y, status: "mapped", properties: structuredClone(info?.in ?? {}), problems: [] };
  return { draft: { ...draft, nodes: [...draft.nodes, node] }, id };
}

const byId = (draft: Draft) => new Map(draft.nodes.map((node) => [node.id, node]));
const byKey = (draft: Draft) => new Map(draft.edges.map((edge) => [edgeKey(edge), edge]));

/** Puts the changes that lead from base to mine onto theirs. Where both changed the same step, mine is kept. */
export function rebase(base: Draft, mine: Draft, theirs: Draft): Draft {
  const [baseNodes, mineNodes, theirNodes] = [byId(base), byId(mine), byId(theirs)];
  const content = (node: FlowNode | undefined) => node && [node.name, node.properties, node.x, node.y];
  const nodes = theirs.nodes
    .filter((node) => mineNodes.has(node.id) || !baseNodes.has(node.id))
    .map((node) => {
      const own = mineNodes.get(node.id);
      return own && !same(content(own), content(baseNodes.get(node.id))) ? { ...own, status: node.status, problems: node.problems } : node;
    });
  nodes.push(...mine.nodes.filter((node) => !theirNodes.has(node.id) && (!baseNodes.has(node.id) || !same(content(node), content(baseNodes.get(node.id))))));
  const ids = new Set(nodes.map((node) => node.id));
  const [baseEdges, mineEdges] = [byKey(base), byKey(mine)];
  const edges = byKey(theirs);
  for (const [key, edge] of mineEdges) if (!same(edge, baseEdges.get(key))) edges.set(key, edge);
  for (const key of baseEdges.keys()) if (!mineEdges.has(key)) edges.delete(key);
  return { nodes, edges: [...edges.values()].filter((edge) => ids.has(edge.from) && ids.has(edge.to)) };
}

/** The draft as the server takes it. Places are only told when one was changed, so that others stay as drawn. */
export function modelOf(base: Draft, draft: Draft, version: number) {
  const known = byId(base);
  const moved = draft.nodes.some((node) => {
    const was = known.get(node.id);
    return !was || was.x !== node.x || was.y !== node.y;
  });
  return {
    version,
    nodes: draft.nodes.map(({ id, name, op, properties, x, y }) => ({
      id,
      name,
      op,
      in: same(properties, known.get(id)?.properties) ? undefined : properties,
      ...(moved ? { x, y } : {}),
    })),
    edges: draft.edges,
  };
}

export const isChanged = (base: Draft, draft: Draft): boolean => base !== draft && !same([base.nodes, base.edges], [draft.nodes, draft.edges]);

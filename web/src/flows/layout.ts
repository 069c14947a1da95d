import dagre from "@dagrejs/dagre";
import type { FlowDetail, FlowEdge, FlowNode } from "../api/types";

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 62;
const GROUP_GAP = 140;
/** More nodes than this share lying on others makes a drawing useless. */
const OVERLAP_ALLOWED = 0.15;

export interface Point {
  x: number;
  y: number;
}

// Laying out is dear and depends on these lists alone, which are never changed in place.
const known = new WeakMap<FlowNode[], Map<boolean, Map<string, Point>>>();

/** Where each node stands: as drawn in the source system, or laid out when it was not drawn or would not fit. */
export function placesOf(flow: FlowDetail, tidy: boolean): Map<string, Point> {
  const kept = known.get(flow.nodes) ?? new Map<boolean, Map<string, Point>>();
  const places = kept.get(tidy) ?? findPlaces(flow, tidy);
  known.set(flow.nodes, kept.set(tidy, places));
  return places;
}

function findPlaces(flow: FlowDetail, tidy: boolean): Map<string, Point> {
  const main = flow.nodes.filter((node) => node.group !== "event");
  const handlers = flow.nodes.filter((node) => node.group === "event");
  const places = new Map<string, Point>();
  let top = 0;
  for (const group of [main, handlers]) {
    if (group.length === 0) continue;
    const placed = !tidy && isDrawn(group) ? asDrawn(group) : laidOut(group, flow.edges);
    const lowest = Math.min(...[...placed.values()].map((point) => point.y));
    let bottom = top;
    for (const [id, point] of placed) {
      const y = point.y - lowest + top;
      places.set(id, { x: point.x, y });
      bottom = Math.max(bottom, y + NODE_HEIGHT);
    }
    top = bottom + GROUP_GAP;
  }
  return places;
}

const hasPlace = (node: FlowNode): node is FlowNode & Point => Number.isFinite(node.x) && Number.isFinite(node.y) && node.x !== null && node.y !== null;

function isDrawn(nodes: FlowNode[]): boolean {
  if (!nodes.every(hasPlace)) return false;
  let covered = 0;
  for (const [index, node] of nodes.entries()) {
    if (nodes.slice(0, index).some((other) => overlaps(node, other))) covered++;
  }
  return covered <= nodes.length * OVERLAP_ALLOWED;
}

const overlaps = (a: FlowNode, b: FlowNode): boolean =>
  Math.abs((a.x ?? 0) - (b.x ?? 0)) < NODE_WIDTH && Math.abs((a.y ?? 0) - (b.y ?? 0)) < NODE_HEIGHT;

function asDrawn(nodes: FlowNode[]): Map<string, Point> {
  const left = Math.min(...nodes.map((node) => node.x ?? 0));
  return new Map(nodes.map((node) => [node.id, { x: (node.x ?? 0) - left, y: node.y ?? 0 }]));
}

function laidOut(nodes: FlowNode[], edges: FlowEdge[]): Map<string, Point> {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 90 });
  graph.setDefaultEdgeLabel(() => ({}));
  const ids = new Set(nodes.map((node) => node.id));
  for (const id of ids) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const [index, edge] of edges.entries()) {
    if (ids.has(edge.from) && ids.has(edge.to)) graph.setEdge(edge.from, edge.to, {}, String(index));
  }
  dagre.layout(graph);
  return new Map(
    nodes.map((node) => {
      const { x, y } = graph.node(node.id) as Point;
      return [node.id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }];
    }),
  );
}

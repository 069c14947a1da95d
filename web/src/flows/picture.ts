import { MarkerType, type Edge } from "@xyflow/react";
import type { FlowDetail, FlowNode } from "../api/types";
import { edgeKey } from "./draft";
import classes from "./FlowCanvas.module.css";
import type { CanvasNode } from "./FlowNodeView";
import { NODE_HEIGHT, NODE_WIDTH, type Point } from "./layout";
import { opLabel, portLabel } from "./ops";

export type Mark = "added" | "removed" | "changed";

/** What differs between two versions; edges by their markKey. */
export interface Marks {
  nodes: Map<string, Mark>;
  edges: Map<string, Mark>;
}

/** One step that a call took, and the exit by which it left. */
export interface Taken {
  node: string;
  port: string;
}

export const markKey = (edge: { from: string; port: string; to: string }): string => `${edgeKey(edge)} ${edge.to}`;

interface Shown {
  places: Map<string, Point>;
  selected: string | null;
  path?: Taken[];
  marks?: Marks;
}

interface Kept {
  of: FlowNode;
  key: string;
  drawn: CanvasNode;
}

/** Draws nodes, and gives the same object again for what looks the same: only what has changed is drawn anew. */
export class NodeDrawer {
  private kept = new Map<string, Kept>();

  draw(flow: FlowDetail, { places, selected, path, marks }: Shown): CanvasNode[] {
    const order = new Map<string, number>();
    path?.forEach((step, index) => order.has(step.node) || order.set(step.node, index + 1));
    const last = path?.at(-1)?.node;
    const ways = waysOf(flow);
    const next = new Map<string, Kept>();
    const nodes = flow.nodes.map((node) => {
      const place = places.get(node.id) ?? { x: 0, y: 0 };
      const mark = marks?.nodes.get(node.id);
      const number = order.get(node.id) ?? null;
      const events = flow.handlers.filter((handler) => handler.node === node.id).map((handler) => handler.event);
      const start = node.id === flow.start;
      const aria = labelOf(node, { mark, start, events, number, ways: ways.get(node.id) ?? [] });
      const key = [place.x, place.y, node.id === selected, number, path !== undefined, node.id === last, aria].join("|");
      const old = this.kept.get(node.id);
      const drawn =
        old?.of === node && old.key === key
          ? old.drawn
          : {
              id: node.id,
              type: "step" as const,
              position: place,
              width: NODE_WIDTH,
              height: NODE_HEIGHT,
              selected: node.id === selected,
              ariaLabel: aria,
              data: { node, order: number, dimmed: path !== undefined && number === null, now: path !== undefined && node.id === last, start, events, mark },
            };
      next.set(node.id, { of: node, key, drawn });
      return drawn;
    });
    this.kept = next;
    return nodes;
  }
}

function waysOf(flow: FlowDetail): Map<string, string[]> {
  const names = new Map(flow.nodes.map((node) => [node.id, node.name || node.id]));
  const ways = new Map<string, string[]>();
  for (const edge of flow.edges) {
    const list = ways.get(edge.from) ?? [];
    list.push(`${portLabel(edge.port)} ${names.get(edge.to) ?? edge.to}`);
    ways.set(edge.from, list);
  }
  return ways;
}

interface Told {
  mark?: Mark;
  start: boolean;
  events: string[];
  number: number | null;
  ways: string[];
}

/** What a screen reader says of a step. */
function labelOf(node: FlowNode, { mark, start, events, number, ways }: Told): string {
  const problems = node.problems?.length ?? 0;
  return [
    node.name || node.id,
    opLabel(node),
    start && node.op !== "start" && "calls come in here",
    events.length > 0 && `starts at ${events.join(" and ")}`,
    mark ?? (node.status === "mapped" ? "" : node.status),
    problems > 0 && (problems === 1 ? "1 problem" : `${problems} problems`),
    number !== null && `step ${number} of the way`,
    ways.length > 0 ? ways.join(", ") : "the way ends here",
  ]
    .filter(Boolean)
    .join(", ");
}

const markColors: Record<Mark, string> = { added: "var(--good)", removed: "var(--bad)", changed: "var(--warn)" };

/** Draws the ways between the steps. */
export function edgesOf(flow: FlowDetail, path: Taken[] | undefined, marks: Marks | undefined, selected: string | null): Edge[] {
  // A way is lit once the step it leads to was reached, whichever thread got there.
  const taken = new Set(path?.map((step) => `${step.node} ${step.port}`));
  const nameOf = new Map(flow.nodes.map((node) => [node.id, node.name || node.id]));
  return flow.edges.map((edge) => {
    const lit = taken.has(edgeKey(edge));
    const mark = marks?.edges.get(markKey(edge));
    const chosen = selected === edgeKey(edge);
    const color = mark ? markColors[mark] : lit || chosen ? "var(--accent)" : "var(--faint)";
    return {
      id: markKey(edge),
      source: edge.from,
      target: edge.to,
      label: edge.port === "ok" ? undefined : portLabel(edge.port),
      className: mark ? classes[mark] : lit || chosen ? classes.lit : path ? classes.dim : undefined,
      markerEnd: { type: MarkerType.ArrowClosed, width: 12, height: 12, markerUnits: "userSpaceOnUse", color },
      zIndex: lit || chosen || mark ? 1 : 0,
      selected: chosen,
      ariaLabel: `${edge.port} from ${nameOf.get(edge.from) ?? edge.from} to ${nameOf.get(edge.to) ?? edge.to}`,
      data: { key: edgeKey(edge) },
    };
  });
}

/** The step that an arrow key leads to: right and left along the ways, up and down to what stands there. */
export function neighbour(flow: FlowDetail, places: Map<string, Point>, from: string, key: string): string | undefined {
  const here = places.get(from);
  if (!here) return undefined;
  const ranked = (ids: string[]) => [...new Set(ids)].filter((id) => id !== from && places.has(id)).sort((a, b) => Math.abs((places.get(a)?.y ?? 0) - here.y) - Math.abs((places.get(b)?.y ?? 0) - here.y));
  if (key === "ArrowRight") return ranked(flow.edges.filter((edge) => edge.from === from).map((edge) => edge.to))[0];
  if (key === "ArrowLeft") return ranked(flow.edges.filter((edge) => edge.to === from).map((edge) => edge.from))[0];
  const sign = key === "ArrowUp" ? -1 : key === "ArrowDown" ? 1 : 0;
  if (sign === 0) return undefined;
  // The nearest above or below; what stands far to a side counts as far.
  const far = (point: Point) => Math.abs(point.y - here.y) + 2 * Math.abs(point.x - here.x);
  let best: string | undefined;
  for (const [id, point] of places) {
    if (id === from || (point.y - here.y) * sign <= 0) continue;
    const known = best === undefined ? undefined : places.get(best);
    if (!known || far(point) < far(known)) best = id;
  }
  return best;
}

import type { FlowNode } from "../api/types";
import { edgeKey, same, type Draft, type DraftVariable, type Head } from "./draft";

export type Side = "mine" | "theirs";

/** What both sides changed, each in another way; empty texts are what is not there. */
export interface Conflict {
  key: string;
  what: string;
  base: string;
  mine: string;
  theirs: string;
}

export interface Merge {
  conflicts: Conflict[];
  /** What only one side changed, in words. */
  onlyMine: string[];
  onlyTheirs: string[];
  /** Their version with my changes in it; where both changed the same, the choice counts. */
  result: (choice: (key: string) => Side) => Draft;
}

// A flow is compared in parts, each known by its kind and name; a part that is not there is undefined.
type Parts = Map<string, unknown>;
const SEPARATOR = "\u0000";
const keyOf = (...names: string[]) => names.join(SEPARATOR);

function partsOf(draft: Draft): Parts {
  const parts: Parts = new Map();
  for (const node of draft.nodes) {
    parts.set(keyOf("step", node.id), true);
    parts.set(keyOf("name", node.id), node.name);
    for (const [name, value] of Object.entries(node.properties)) parts.set(keyOf("setting", node.id, name), value);
  }
  for (const edge of draft.edges) parts.set(keyOf("way", edge.from, edge.port), edge.to);
  for (const { was, ...variable } of draft.variables) parts.set(keyOf("variable", was || variable.name), variable);
  for (const handler of draft.handlers) parts.set(keyOf("handler", handler.event), handler.node);
  const { options, ...head } = draft.head;
  for (const [name, value] of [...Object.entries(head), ...Object.entries(options)]) parts.set(keyOf("flow", name), value);
  return parts;
}

const wordsOfHead: Record<string, string> = { name: "Name of the flow", description: "Description", kind: "Kind", start: "Start", maxSteps: "Budget", zone: "Time zone", errorText: "Announcement of errors", language: "Language", voice: "Voice", rawInterpolation: "Unescaped values" };

/** Merges two drafts that came from the same version. */
export function merge(base: Draft, mine: Draft, theirs: Draft): Merge {
  const [baseParts, mineParts, theirParts] = [partsOf(base), partsOf(mine), partsOf(theirs)];
  const names = new Map([...base.nodes, ...theirs.nodes, ...mine.nodes].map((node) => [node.id, node.name || node.id]));
  const nameOf = (id: unknown) => names.get(String(id)) ?? String(id);
  const inWords = (key: string): string => {
    const [kind, a = "", b = ""] = key.split(SEPARATOR);
    if (kind === "step") return `Step ${nameOf(a)}`;
    if (kind === "name") return `${nameOf(a)}: name`;
    if (kind === "setting") return `${nameOf(a)}: ${b}`;
    if (kind === "way") return `${nameOf(a)}: exit ${b}`;
    if (kind === "variable") return `Variable ${a}`;
    if (kind === "handler") return `Handler of ${a}`;
    return wordsOfHead[a] ?? a;
  };
  const text = (key: string, value: unknown): string => {
    if (value === undefined) return "";
    if (key.startsWith(`way${SEPARATOR}`) || key.startsWith(`handler${SEPARATOR}`) || key === keyOf("flow", "start")) return `to ${nameOf(value)}`;
    if (key.startsWith(`step${SEPARATOR}`)) return "kept, and changed";
    if (key.startsWith(`variable${SEPARATOR}`)) return inText(value as DraftVariable);
    return typeof value === "string" ? value : JSON.stringify(value, null, 2);
  };

  const merged: Parts = new Map();
  const conflicts: Conflict[] = [];
  const onlyMine = new Set<string>();
  const onlyTheirs = new Set<string>();
  const contested = lostSteps(baseParts, mineParts, theirParts);
  for (const key of new Set([...baseParts.keys(), ...mineParts.keys(), ...theirParts.keys()])) {
    const [was, own, other] = [baseParts.get(key), mineParts.get(key), theirParts.get(key)];
    const step = stepOf(key);
    if (same(own, was) || (step !== undefined && contested.get(step) === "theirs")) merged.set(key, other);
    else if (same(other, was) || same(own, other) || (step !== undefined && contested.get(step) === "mine")) merged.set(key, own);
    else {
      merged.set(key, other);
      conflicts.push({ key, what: inWords(key), base: text(key, was), mine: text(key, own), theirs: text(key, other) });
      continue;
    }
    if (same(own, other) || (step !== undefined && contested.has(step))) continue;
    const [list, parts] = same(own, was) ? [onlyTheirs, theirParts] : [onlyMine, mineParts];
    // A step that came or went is told once, not with each of its settings.
    const whole = step === undefined ? "" : keyOf("step", step);
    if (step === undefined || key === whole || (baseParts.has(whole) && parts.has(whole))) list.add(inWords(key));
  }
  for (const [id, changedBy] of contested) {
    const kept = "kept, and changed";
    conflicts.push({ key: keyOf("step", id), what: inWords(keyOf("step", id)), base: "there", mine: changedBy === "mine" ? kept : "", theirs: changedBy === "theirs" ? kept : "" });
  }
  return {
    conflicts,
    onlyMine: [...onlyMine],
    onlyTheirs: [...onlyTheirs],
    result: (choice) => {
      const parts = new Map(merged);
      for (const { key } of conflicts) {
        const side = choice(key) === "mine" ? mineParts : theirParts;
        if (stepOf(key) !== undefined && contested.has(stepOf(key) ?? "")) takeStep(parts, side, key);
        else parts.set(key, side.get(key));
      }
      return draftFrom(parts, base, mine, theirs);
    },
  };
}

const stepOf = (key: string): string | undefined => {
  const [kind, id] = key.split(SEPARATOR);
  return kind === "step" || kind === "name" || kind === "setting" ? id : undefined;
};

/** Steps that one side removed and the other changed, with who changed them. */
function lostSteps(base: Parts, mine: Parts, theirs: Parts): Map<string, Side> {
  const lost = new Map<string, Side>();
  for (const key of base.keys()) {
    if (!key.startsWith(`step${SEPARATOR}`)) continue;
    const id = stepOf(key) ?? "";
    const changed = (parts: Parts) => [...new Set([...base.keys(), ...parts.keys()])].some((other) => stepOf(other) === id && !same(base.get(other), parts.get(other)));
    if (!mine.has(key) && theirs.has(key) && changed(theirs)) lost.set(id, "theirs");
    if (mine.has(key) && !theirs.has(key) && changed(mine)) lost.set(id, "mine");
  }
  return lost;
}

/** A step as one side has it, or its absence. */
function takeStep(parts: Parts, side: Parts, key: string): void {
  const id = stepOf(key);
  for (const other of [...parts.keys(), ...side.keys()]) if (stepOf(other) === id) parts.set(other, side.get(other));
}

function inText({ name, type, value, label, ...flags }: DraftVariable): string {
  const set = Object.entries(flags).filter(([, on]) => on === true).map(([flag]) => (flag === "cad" ? "shown to agents" : flag));
  return [name, type, value && `= ${value}`, label && `"${label}"`, ...set].filter(Boolean).join(", ");
}

function draftFrom(parts: Parts, base: Draft, mine: Draft, theirs: Draft): Draft {
  const [baseNodes, own] = [byId(base.nodes), byId(mine.nodes)];
  const nodes: FlowNode[] = [];
  for (const node of [...theirs.nodes, ...mine.nodes.filter((item) => !theirs.nodes.some((other) => other.id === item.id))]) {
    if (parts.get(keyOf("step", node.id)) === undefined) continue;
    const prefix = keyOf("setting", node.id, "");
    const settings = [...parts].filter(([key, value]) => key.startsWith(prefix) && value !== undefined).map(([key, value]) => [key.slice(prefix.length), value]);
    const [was, is] = [baseNodes.get(node.id), own.get(node.id)];
    const moved = is && was && (is.x !== was.x || is.y !== was.y) ? { x: is.x, y: is.y } : {};
    nodes.push({ ...node, ...moved, name: String(parts.get(keyOf("name", node.id)) ?? node.name), properties: Object.fromEntries(settings) as FlowNode["properties"] });
  }
  const ids = new Set(nodes.map((node) => node.id));
  const edges = [];
  for (const [key, to] of parts) {
    const [kind, from = "", port = ""] = key.split(SEPARATOR);
    if (kind === "way" && typeof to === "string" && ids.has(from) && ids.has(to)) edges.push({ from, port, to });
  }
  return { nodes, edges: inOrder(edges, theirs.edges, edgeKey), ...rest(parts, theirs, ids) };
}

/** In the order of the list, and what is new at the end. */
function inOrder<T>(items: T[], list: T[], key: (item: T) => string): T[] {
  const rank = new Map(list.map((item, index) => [key(item), index]));
  return [...items].sort((a, b) => (rank.get(key(a)) ?? list.length) - (rank.get(key(b)) ?? list.length));
}

function rest(parts: Parts, theirs: Draft, ids: Set<string>): Pick<Draft, "variables" | "handlers" | "head"> {
  const variables: DraftVariable[] = [];
  const handlers = [];
  const head: Record<string, unknown> = {};
  const known = new Set(theirs.variables.map((variable) => variable.was));
  for (const [key, value] of parts) {
    const [kind, name = ""] = key.split(SEPARATOR);
    if (value === undefined) continue;
    if (kind === "variable") variables.push({ ...(value as DraftVariable), was: known.has(name) ? name : "" });
    else if (kind === "handler" && ids.has(String(value))) handlers.push({ event: name, node: String(value) });
    else if (kind === "flow") head[name] = value;
  }
  const { maxSteps, zone, errorText, language, voice, rawInterpolation, ...whole } = head;
  const start = ids.has(String(whole.start)) ? whole.start : theirs.head.start;
  return {
    variables: inOrder(variables, theirs.variables, (variable) => variable.was || variable.name),
    handlers: inOrder(handlers, theirs.handlers, (handler) => handler.event),
    head: { ...whole, start, options: { maxSteps, zone, errorText, language, voice, rawInterpolation } } as Head,
  };
}

const byId = (nodes: FlowNode[]) => new Map(nodes.map((node) => [node.id, node]));

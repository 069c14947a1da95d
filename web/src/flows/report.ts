import type { FlowDetail, FlowNode } from "../api/types";

export interface FlowProblem {
  /** Its place in the report, by which the server knows it. */
  index: number;
  node: string;
  field: string;
  /** Byte offset in the field's text; negative when the whole field is meant. */
  position: number;
  message: string;
  fix: string;
  /** The fix is advice to a person, not a text that can be put in place. */
  adviceOnly: boolean;
}

export interface FlowReport {
  mapped: number;
  approximated: number;
  unsupported: { node: string; type: string }[];
  problems: FlowProblem[];
}

/** Reads the report of an import: the JSON of `tandem flow lint`. */
export function readReport(flow: FlowDetail): FlowReport {
  const raw = flow.report ?? {};
  const problems = listOf(raw.problems).map((item, index) => ({
    index,
    node: text(item.node),
    field: text(item.field),
    position: typeof item.position === "number" ? item.position : -1,
    message: text(item.message),
    fix: text(item.fix),
    adviceOnly: item.replace === false,
  }));
  return {
    mapped: count(raw.mapped),
    approximated: count(raw.approximated),
    unsupported: listOf(raw.unsupported).map((item) => ({ node: text(item.node), type: text(item.type) })),
    problems,
  };
}

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const count = (value: unknown): number => (typeof value === "number" ? value : 0);

/** The node a problem is about: reports name nodes as people see them. */
export const nodeOf = (flow: FlowDetail, problem: { index?: number; node: string }): FlowNode | undefined =>
  flow.nodes.find((node) => problem.index !== undefined && node.problems?.includes(problem.index)) ??
  flow.nodes.find((node) => node.name === problem.node || node.id === problem.node);

export interface Excerpt {
  before: string;
  at: string;
  after: string;
}

const AROUND = 28;

/** The text around the position of a problem, when the node still shows the field. */
export function excerptOf(node: FlowNode | undefined, problem: FlowProblem): Excerpt | null {
  const value = node && lookUp(node.properties, problem.field);
  if (typeof value !== "string" || problem.position < 0) return null;
  const bytes = new TextEncoder().encode(value);
  if (problem.position > bytes.length) return null;
  const at = new TextDecoder().decode(bytes.slice(0, problem.position)).length;
  const start = Math.max(0, at - AROUND);
  const end = Math.min(value.length, at + AROUND);
  return {
    before: (start > 0 ? "…" : "") + value.slice(start, at),
    at: value.slice(at, at + 1) || " ",
    after: value.slice(at + 1, end) + (end < value.length ? "…" : ""),
  };
}

function lookUp(properties: Record<string, unknown>, path: string): unknown {
  if (path in properties) return properties[path];
  let value: unknown = properties;
  for (const part of path.split(/[.[\]]+/).filter(Boolean)) {
    if (value === null || typeof value !== "object") return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

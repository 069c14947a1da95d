import type { FlowNode } from "../api/types";
import { same, type Draft } from "./draft";

/** Where a variable is used: the step, and the setting in which it stands. */
export interface Use {
  node: string;
  step: string;
  setting: string;
}

const BLOCK = /\{\{[\s\S]*?(?:\}\}|$)|\{%[\s\S]*?(?:%\}|$)/g;
const TOKEN = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*/g;

/** The text with the variable called otherwise, in Pebble templates and in references of Amazon Connect. */
function inText(text: string, from: string, to: string): string {
  const pebble = text.replace(BLOCK, (block) =>
    block.replace(TOKEN, (token, offset: number) => {
      if (token !== from) return token;
      const before = block.slice(0, offset).trimEnd().at(-1);
      const after = block.slice(offset + token.length).trimStart().at(0);
      // After a point or a bar it is a field or a filter, before a bracket a function.
      return before === "." || before === "|" || after === "(" ? token : to;
    }),
  );
  return pebble.replace(/\$\.Attributes\.([A-Za-z_]\w*)/g, (all, name: string) => (name === from ? `$.Attributes.${to}` : all));
}

function inResults(text: string, from: string, to: string): string {
  return text
    .split("\n")
    .map((line) => {
      const [name = "", ...path] = line.split("=");
      return name.trim() === from && path.length > 0 ? `${to} =${path.join("=")}` : line;
    })
    .join("\n");
}

/** Settings that name a variable as such, not within a template. */
const bare: Record<string, string> = { skipWhenUnset: "http", input: "parse" };

function inValue(node: FlowNode, name: string, value: unknown, from: string, to: string): unknown {
  if (typeof value === "string") {
    if (name === "results") return inResults(value, from, to);
    return bare[name] === node.op && value === from ? to : inText(value, from, to);
  }
  if (Array.isArray(value)) return value.map((item: unknown) => inValue(node, name, item, from, to));
  if (value === null || typeof value !== "object") return value;
  const map = value as Record<string, unknown>;
  const isVariable = (key: string) => name === "sets" && (key === "var" || (key === "value" && map.from === "var")) && map[key] === from;
  return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, isVariable(key) ? to : inValue(node, name, item, from, to)]));
}

function changed(node: FlowNode, from: string, to: string): FlowNode["properties"] {
  return Object.fromEntries(Object.entries(node.properties).map(([name, value]) => [name, inValue(node, name, value, from, to)]));
}

/** The settings that name a variable. */
export function usesOf(nodes: FlowNode[], name: string): Use[] {
  const other = `${name}_`;
  return nodes.flatMap((node) => {
    const next = changed(node, name, other);
    return Object.keys(node.properties)
      .filter((setting) => !same(node.properties[setting], next[setting]))
      .map((setting) => ({ node: node.id, step: node.name || node.id, setting }));
  });
}

/** Calls a variable otherwise, and with all its uses if wanted. */
export function renameVariable(draft: Draft, from: string, to: string, uses: boolean): Draft {
  const variables = draft.variables.map((variable) => (variable.name === from ? { ...variable, name: to } : variable));
  if (!uses) return { ...draft, variables };
  return {
    ...draft,
    variables,
    nodes: draft.nodes.map((node) => {
      const properties = changed(node, from, to);
      return same(properties, node.properties) ? node : { ...node, properties };
    }),
  };
}

import type { FlowNode } from "../api/types";
import { opLabel } from "./ops";

/** A step that was found, with the text in which the words stand. */
export interface Found {
  id: string;
  label: string;
  kind: string;
  excerpt: string;
}

interface Entry {
  node: FlowNode;
  head: string;
  texts: [string, string][];
}

const AROUND = 24;
const MOST = 50;

function leaves(name: string, value: unknown): [string, string][] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => leaves(name, item));
  if (value !== null && typeof value === "object") return Object.entries(value).flatMap(([key, item]) => [[name, key] as [string, string], ...leaves(name, item)]);
  return value === null || value === undefined ? [] : [[name, String(value)]];
}

/** Prepares steps for searching by name, by type, and by the texts in their settings. */
export const indexOf = (nodes: FlowNode[]): Entry[] =>
  nodes.map((node) => ({
    node,
    head: [node.name, opLabel(node), node.op, node.type, node.id].join(" ").toLowerCase(),
    texts: Object.entries(node.properties).flatMap(([name, value]) => leaves(name, value)),
  }));

function excerptOf(entry: Entry, words: string[]): string | null {
  for (const [name, text] of entry.texts) {
    const at = text.toLowerCase().indexOf(words[0] ?? "");
    if (at < 0 || !words.every((word) => text.toLowerCase().includes(word))) continue;
    const [start, end] = [Math.max(0, at - AROUND), Math.min(text.length, at + (words[0] ?? "").length + AROUND)];
    return `${name}: ${start > 0 ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`;
  }
  return null;
}

/** The steps that hold all words, those whose name or type does first. */
export function search(index: Entry[], query: string): Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const byHead: Found[] = [];
  const byText: Found[] = [];
  for (const entry of index) {
    const { node } = entry;
    const found = { id: node.id, label: node.name || node.id, kind: opLabel(node) };
    if (words.every((word) => entry.head.includes(word))) byHead.push({ ...found, excerpt: "" });
    else {
      const excerpt = excerptOf(entry, words);
      if (excerpt !== null) byText.push({ ...found, excerpt });
    }
  }
  return [...byHead, ...byText].slice(0, MOST);
}

import { Button } from "@mantine/core";
import type { FlowDetail, FlowDiff, FlowDiffField } from "../api/types";
import { Pill } from "../ui/Status";
import { edgeKey } from "./draft";
import { portLabel } from "./ops";
import classes from "./Editor.module.css";
import { markKey, type Mark, type Marks } from "./picture";
import shared from "./Flows.module.css";

const onlyMoved = (fields: FlowDiffField[]): boolean => fields.every((field) => field.name === "position");

/** The differences on the picture: a step that has only been moved is not marked. */
export function marksOf(diff: FlowDiff): Marks {
  const nodes = new Map<string, Mark>();
  for (const node of diff.added) nodes.set(node.id, "added");
  for (const node of diff.removed) nodes.set(node.id, "removed");
  for (const change of diff.changed) if (!onlyMoved(change.fields)) nodes.set(change.node, "changed");
  const edges = new Map<string, Mark>();
  for (const edge of diff.edges.added) edges.set(markKey(edge), "added");
  for (const edge of diff.edges.removed) edges.set(markKey(edge), "removed");
  return { nodes, edges };
}

/** The newer version with what it no longer has. */
export function bothOf(older: FlowDetail, newer: FlowDetail, diff: FlowDiff): FlowDetail {
  const removed = new Set(diff.removed.map((node) => node.id));
  const known = new Set(newer.edges.map(markKey));
  return {
    ...newer,
    nodes: [...newer.nodes, ...older.nodes.filter((node) => removed.has(node.id)).map((node) => ({ ...node, problems: [] }))],
    edges: [...newer.edges, ...diff.edges.removed.filter((edge) => !known.has(markKey(edge)))],
  };
}

interface Props {
  diff: FlowDiff;
  flow: FlowDetail;
  from: number;
  to: number;
  goTo: (id: string) => void;
  close: () => void;
}

/** What differs between two versions, as a list. */
export function DiffPanel({ diff, flow, from, to, goTo, close }: Props) {
  const nameOf = (id: string) => [...flow.nodes, ...diff.added, ...diff.removed].find((node) => node.id === id)?.name || id;
  const changed = diff.changed.filter((change) => !onlyMoved(change.fields));
  const moved = diff.changed.length - changed.length;
  const edges = [...diff.edges.added.map((edge) => ({ edge, kind: "added" })), ...diff.edges.removed.map((edge) => ({ edge, kind: "removed" }))];
  const nothing = diff.added.length + diff.removed.length + diff.changed.length + edges.length + diff.variables.length + diff.handlers.length + diff.options.length === 0;
  return (
    <section data-testid="diff">
      <div className={shared.row}>
        <h2>
          From version {from} to version {to}
        </h2>
        <Button size="compact-xs" variant="default" onClick={close} data-testid="diff-close">
          Back to all versions
        </Button>
      </div>
      {nothing && <p className="muted">Nothing differs.</p>}
      {[...diff.added.map((node) => ({ node, kind: "added" })), ...diff.removed.map((node) => ({ node, kind: "removed" }))].map(({ node, kind }) => (
        <div key={`${kind} ${node.id}`} className={classes.diff} data-kind={kind}>
          <div className={shared.row}>
            <button type="button" className={shared.nodeLink} onClick={() => goTo(node.id)}>
              {node.name || node.id}
            </button>
            <Pill tone={kind === "added" ? "good" : "bad"}>{kind}</Pill>
          </div>
        </div>
      ))}
      {changed.map((change) => (
        <div key={change.node} className={classes.diff} data-kind="changed">
          <div className={shared.row}>
            <button type="button" className={shared.nodeLink} onClick={() => goTo(change.node)}>
              {change.name || change.node}
            </button>
            <Pill tone="warn">changed</Pill>
          </div>
          {change.fields.map((field) => (
            <Field key={field.name} field={field} />
          ))}
        </div>
      ))}
      {edges.map(({ edge, kind }) => (
        <div key={`${kind} ${edgeKey(edge)} ${edge.to}`} className={classes.diff} data-kind={kind}>
          <div className={shared.row}>
            <span>
              {nameOf(edge.from)}, {portLabel(edge.port)}, to {nameOf(edge.to)}
            </span>
            <Pill tone={kind === "added" ? "good" : "bad"}>{kind}</Pill>
          </div>
        </div>
      ))}
      {[...diff.variables.map((field) => ({ ...field, name: `Variable ${field.name}` })), ...diff.handlers.map((field) => ({ ...field, name: `Handler of ${field.name}` })), ...diff.options.map((field) => ({ ...field, name: `Flow: ${field.name}` }))].map((field) => (
        <div key={field.name} className={classes.diff} data-kind={field.from === "" ? "added" : field.to === "" ? "removed" : "changed"}>
          <Field field={field} />
        </div>
      ))}
      {moved > 0 && <p className="muted">{moved === 1 ? "One step was moved." : `${moved} steps were moved.`}</p>}
    </section>
  );
}

/** What differs of two texts: the lines that both begin and end with are left out. */
function differing(from: string, to: string): [string, string] {
  const [a, b] = [from.split("\n"), to.split("\n")];
  let start = 0;
  while (start < Math.min(a.length, b.length) - 1 && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start - 1 && a.at(-1 - end) === b.at(-1 - end)) end++;
  const part = (lines: string[]) => {
    const kept = lines.slice(start, lines.length - end);
    const indent = Math.min(...kept.filter(Boolean).map((line) => line.length - line.trimStart().length));
    return kept.map((line) => line.slice(Number.isFinite(indent) ? indent : 0)).join("\n");
  };
  return [part(a), part(b)];
}

function Field({ field }: { field: FlowDiffField }) {
  const [from, to] = field.from === "" || field.to === "" ? [field.from, field.to] : differing(field.from, field.to);
  return (
    <div>
      <span className={shared.label}>{field.name}</span>
      {from !== "" && <del className={classes.was}>{from}</del>}
      {to !== "" && <ins className={classes.is}>{to}</ins>}
    </div>
  );
}

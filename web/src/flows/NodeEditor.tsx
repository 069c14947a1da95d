import { ActionIcon, Autocomplete, Button, NativeSelect, TextInput, Textarea } from "@mantine/core";
import { useState } from "react";
import type { FlowNode } from "../api/types";
import { Icon } from "../ui/Icon";
import { connect, edgeKey, removeEdge, rename, setProperty } from "./draft";
import classes from "./Editor.module.css";
import shared from "./Flows.module.css";
import { operations, portsOf } from "./ops";
import type { FlowProblem } from "./report";
import type { Editor } from "./useEditor";

interface Props {
  editor: Editor;
  node: FlowNode;
  /** Problems of the version that was saved last. */
  problems: FlowProblem[];
}

/** The properties and ways out of one step, to be changed. */
export function NodeEditor({ editor, node, problems }: Props) {
  const { draft, change } = editor;
  return (
    <div className={classes.form}>
      <TextInput label="Name" value={node.name} error={nameProblem(editor, node)} onChange={(event) => change(rename(draft, node.id, event.currentTarget.value), `name ${node.id}`)} data-testid="step-name" />
      <p className="muted">{operations[node.op]?.label ?? node.op}</p>
      {problems.map((problem) => (
        <p key={problem.index} className={shared.bad} data-testid="step-problem">
          {problem.field && `${problem.field}: `}
          {problem.message}
        </p>
      ))}
      <section>
        <h2>Settings</h2>
        {Object.entries(node.properties).map(([name, value]) => (
          <Property key={name} editor={editor} node={node} name={name} value={value} />
        ))}
        <AddProperty editor={editor} node={node} />
      </section>
      <Exits editor={editor} node={node} />
    </div>
  );
}

function nameProblem({ draft }: Editor, node: FlowNode): string | undefined {
  if (node.name.trim() === "") return "A step needs a name.";
  return draft.nodes.some((other) => other.id !== node.id && other.name === node.name) ? "Another step has this name." : undefined;
}

type Path = (string | number)[];
interface Leaf {
  path: Path;
  text: string;
  kind: string;
}

/** The texts, numbers and truth values within a value. */
function leavesOf(value: unknown, path: Path = []): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => leavesOf(item, [...path, index]));
  if (value !== null && typeof value === "object") return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
  return [{ path, text: value === null || value === undefined ? "" : String(value), kind: typeof value }];
}

function replaced(value: unknown, [key, ...rest]: Path, leaf: unknown): unknown {
  if (key === undefined) return leaf;
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? replaced(item, rest, leaf) : item));
  const map = value as Record<string, unknown>;
  return { ...map, [key]: replaced(map[key as string], rest, leaf) };
}

/** What was typed, of the kind it had if it still reads so. */
function typed(text: string, kind: string): unknown {
  if (kind === "number" && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  if (kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

const labelOf = (name: string, path: Path) => [name, ...path.map((part) => (typeof part === "number" ? part + 1 : part))].join(" ");

function Property({ editor, node, name, value }: { editor: Editor; node: FlowNode; name: string; value: unknown }) {
  const nested = value !== null && typeof value === "object";
  const set = (next: unknown, about: string) => editor.change(setProperty(editor.draft, node.id, name, next), `${node.id} ${about}`);
  return (
    <div className={classes.property}>
      <div className={classes.fields}>
        {leavesOf(value).map(({ path, text, kind }) => (
          <Textarea
            key={path.join(" ")}
            label={labelOf(name, path)}
            classNames={{ input: "mono" }}
            size="xs"
            autosize
            maxRows={12}
            value={text}
            onChange={(event) => set(replaced(value, path, typed(event.currentTarget.value, kind)), labelOf(name, path))}
          />
        ))}
        {nested && <AsJSON key={JSON.stringify(value)} name={name} value={value} set={(next) => set(next, "")} />}
      </div>
      <ActionIcon variant="subtle" color="gray" onClick={() => set(undefined, "")} aria-label={`Remove ${name}`} title={`Remove ${name}`}>
        <Icon name="close" size={14} />
      </ActionIcon>
    </div>
  );
}

/** The whole of a list or map, where entries come and go. */
function AsJSON({ name, value, set }: { name: string; value: unknown; set: (next: unknown) => void }) {
  const [text, setText] = useState(JSON.stringify(value, null, 2));
  const [problem, setProblem] = useState("");
  const apply = () => {
    try {
      const next: unknown = JSON.parse(text);
      setProblem("");
      if (JSON.stringify(next) !== JSON.stringify(value)) set(next);
    } catch {
      setProblem("This is not JSON, and was not taken over.");
    }
  };
  return (
    <details>
      <summary>{name} as JSON</summary>
      <Textarea aria-label={`${name} as JSON`} classNames={{ input: "mono" }} size="xs" autosize maxRows={20} value={text} error={problem} onChange={(event) => setText(event.currentTarget.value)} onBlur={apply} />
    </details>
  );
}

function AddProperty({ editor, node }: { editor: Editor; node: FlowNode }) {
  const [name, setName] = useState("");
  const known = Object.keys(operations[node.op]?.in ?? {}).filter((item) => !(item in node.properties));
  const add = () => {
    editor.change(setProperty(editor.draft, node.id, name.trim(), operations[node.op]?.in[name.trim()] ?? ""));
    setName("");
  };
  return (
    <div className={shared.row}>
      <Autocomplete size="xs" aria-label="Name of another setting" placeholder="Another setting" data={[...known, ...("results" in node.properties ? [] : ["results"])]} value={name} onChange={setName} />
      <Button size="xs" variant="default" disabled={name.trim() === "" || name.trim() in node.properties} onClick={add}>
        Add the setting
      </Button>
    </div>
  );
}

function Exits({ editor, node }: { editor: Editor; node: FlowNode }) {
  const { draft, change } = editor;
  const exits = draft.edges.filter((edge) => edge.from === node.id);
  const targets = draft.nodes.filter((item) => item.id !== node.id && item.op !== "start").map((item) => ({ value: item.id, label: item.name || item.id }));
  const free = portsOf(node).filter((port) => !exits.some((edge) => edge.port === port));
  const [port, setPort] = useState("");
  const [target, setTarget] = useState("");
  const chosen = port.trim() || free[0] || "";
  return (
    <section>
      <h2>Exits</h2>
      {exits.length === 0 && <p className="muted">The way ends here.</p>}
      <ul className={shared.plain}>
        {exits.map((edge) => (
          <li key={edgeKey(edge)} className={classes.exit}>
            <span className={shared.where}>{edge.port}</span>
            <NativeSelect size="xs" aria-label={`Where ${edge.port} leads`} data={[...targets, ...(edge.to === node.id ? [{ value: node.id, label: node.name }] : [])]} value={edge.to} onChange={(event) => change(connect(draft, node.id, event.currentTarget.value, edge.port))} />
            <ActionIcon variant="subtle" color="gray" aria-label={`Delete the exit ${edge.port}`} onClick={() => change(removeEdge(draft, edgeKey(edge)))}>
              <Icon name="close" size={14} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <div className={`${classes.exit} ${classes.newExit}`}>
        <Autocomplete size="xs" label="New exit" placeholder={free[0] ?? "Name"} data={free} value={port} onChange={setPort} />
        <NativeSelect size="xs" label="Leads to" data={[{ value: "", label: "Choose a step" }, ...targets]} value={target} onChange={(event) => setTarget(event.currentTarget.value)} />
        <Button
          size="xs"
          variant="default"
          disabled={chosen === "" || target === ""}
          data-testid="connect"
          onClick={() => {
            change(connect(draft, node.id, target, chosen));
            setPort("");
            setTarget("");
          }}
        >
          Connect
        </Button>
      </div>
    </section>
  );
}

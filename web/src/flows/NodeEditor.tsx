import { ActionIcon, Autocomplete, Button, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import type { FlowNode } from "../api/types";
import { Icon } from "../ui/Icon";
import { changeHead, connect, edgeKey, removeEdge, rename, setProperty } from "./draft";
import classes from "./Editor.module.css";
import { fieldOf, namesOf } from "./fields";
import shared from "./Flows.module.css";
import { opLabel, operations, portLabel, portsOf } from "./ops";
import { ValueEditor } from "./Property";
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
  const isStart = draft.head.start === node.id;
  return (
    <div className={classes.form}>
      <TextInput label="Name" value={node.name} error={nameProblem(editor, node)} onChange={(event) => change(rename(draft, node.id, event.currentTarget.value), `name ${node.id}`)} data-testid="step-name" />
      <div className={shared.row}>
        <span className="muted">
          {opLabel(node)}
          {operations[node.op]?.help && `: ${operations[node.op]?.help}`}
        </span>
        {isStart ? (
          <span className="muted small">Calls come in here</span>
        ) : (
          node.group !== "event" &&
          draft.nodes.find((item) => item.id === draft.head.start)?.op !== "start" && (
            <Button size="compact-xs" variant="default" onClick={() => change(changeHead(draft, { start: node.id }))}>
              Start here
            </Button>
          )
        )}
      </div>
      {problems.map((problem) => (
        <p key={problem.index} className={shared.bad} data-testid="step-problem">
          {problem.field && `${problem.field}: `}
          {problem.message}
        </p>
      ))}
      <Settings editor={editor} node={node} />
      <Exits editor={editor} node={node} />
    </div>
  );
}

function nameProblem({ draft }: Editor, node: FlowNode): string | undefined {
  if (node.name.trim() === "") return "A step needs a name.";
  return draft.nodes.some((other) => other.id !== node.id && other.name === node.name) ? "Another step has this name." : undefined;
}

// The identifiers of another system; a name that is chosen anew takes their place.
const replacedBy: Record<string, string> = { queueName: "queue", hoursName: "hours", connector: "connectorName", flow: "flowName", function: "functionName" };

function Settings({ editor, node }: { editor: Editor; node: FlowNode }) {
  const { draft, change } = editor;
  const known = namesOf(node.op);
  const names = [...known.filter((name) => name in node.properties), ...Object.keys(node.properties).filter((name) => !known.includes(name))];
  const set = (name: string, value: unknown, about = "") => {
    let next = setProperty(draft, node.id, name, value);
    const other = replacedBy[name];
    if (other && value !== node.properties[name] && other in node.properties) next = setProperty(next, node.id, other, undefined);
    change(next, `${node.id} ${name} ${about}`);
  };
  return (
    <section>
      <h2>Settings</h2>
      {names.length === 0 && <p className="muted">This step has none.</p>}
      {names.map((name) => {
        const field = fieldOf(node.op, name);
        const label = field?.label ?? name;
        return (
          <div key={name} className={classes.property}>
            <ValueEditor field={field} label={label} value={node.properties[name]} set={(value, about) => set(name, value, about)} />
            <ActionIcon variant="subtle" color="gray" size="sm" onClick={() => set(name, undefined)} aria-label={`Remove ${label}`} title={`Remove the setting ${name}`}>
              <Icon name="close" size={14} />
            </ActionIcon>
          </div>
        );
      })}
      <AddProperty editor={editor} node={node} />
    </section>
  );
}

/** What a setting that is added starts with. */
function startOf(node: FlowNode, name: string): unknown {
  const given = operations[node.op]?.in[name];
  if (given !== undefined) return structuredClone(given);
  switch (fieldOf(node.op, name)?.kind) {
    case "texts":
    case "prompts":
    case "rows":
      return [];
    case "pairs":
      return {};
    case "flag":
      return false;
    case "number":
      return 0;
    default:
      return "";
  }
}

function AddProperty({ editor, node }: { editor: Editor; node: FlowNode }) {
  const [name, setName] = useState("");
  const left = namesOf(node.op).filter((item) => !(item in node.properties));
  const labels = new Map(left.map((item) => [fieldOf(node.op, item)?.label ?? item, item]));
  const wanted = labels.get(name.trim()) ?? name.trim();
  const add = () => {
    editor.change(setProperty(editor.draft, node.id, wanted, startOf(node, wanted)));
    setName("");
  };
  return (
    <div className={classes.addLine}>
      <Autocomplete size="xs" aria-label="Name of another setting" placeholder="Another setting" data={[...labels.keys()]} value={name} onChange={setName} />
      <Button size="xs" variant="default" disabled={wanted === "" || wanted in node.properties} onClick={add}>
        Add
      </Button>
    </div>
  );
}

function Exits({ editor, node }: { editor: Editor; node: FlowNode }) {
  const { draft, change } = editor;
  const exits = draft.edges.filter((edge) => edge.from === node.id);
  const targets = draft.nodes.filter((item) => item.id !== node.id && item.id !== draft.head.start && item.op !== "event").map((item) => ({ value: item.id, label: item.name || item.id }));
  const choicesFor = (to: string) => (targets.some((item) => item.value === to) ? targets : [...targets, { value: to, label: draft.nodes.find((item) => item.id === to)?.name ?? to }]);
  const free = portsOf(node).filter((port) => !exits.some((edge) => edge.port === port));
  const [port, setPort] = useState("");
  const [target, setTarget] = useState("");
  const chosen = port.trim() || free[0] || "";
  return (
    <section>
      <h2>Exits</h2>
      {exits.length === 0 && <p className="muted">The way ends here.</p>}
      <ul className={classes.exits}>
        {exits.map((edge) => (
          <li key={edgeKey(edge)} className={classes.exit}>
            <span className={shared.where} title={edge.port}>
              {portLabel(edge.port)}
            </span>
            <NativeSelect size="xs" aria-label={`Where ${edge.port} leads`} data={choicesFor(edge.to)} value={edge.to} onChange={(event) => change(connect(draft, node.id, event.currentTarget.value, edge.port))} />
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Delete the exit ${edge.port}`} title="Delete the exit" onClick={() => change(removeEdge(draft, edgeKey(edge)))}>
              <Icon name="close" size={14} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <div className={classes.newExit}>
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

import { Alert, Button, Group, NativeSelect, Switch, TextInput, Textarea } from "@mantine/core";
import { useMemo, useState } from "react";
import type { FlowDetail, FlowVariable } from "../api/types";
import { Icon } from "../ui/Icon";
import { Empty } from "../ui/States";
import { Pill } from "../ui/Status";
import { addVariable, changeVariable, removeVariable, type DraftVariable } from "./draft";
import classes from "./Editor.module.css";
import shared from "./Flows.module.css";
import type { Editor } from "./useEditor";
import { renameVariable, usesOf, type Use } from "./uses";

interface Props {
  /** As it is shown: the draft while it is edited. */
  flow: FlowDetail;
  editor: Editor | null;
  goTo: (id: string) => void;
}

/** The variables of a flow: what it remembers of a call, and what of it agents see. */
export function VariablesPanel({ flow, editor, goTo }: Props) {
  const [open, setOpen] = useState<string | null>(null);
  const { variables } = flow;
  const add = () => {
    if (!editor) return;
    const added = addVariable(editor.draft);
    editor.change(added.draft);
    setOpen(added.name);
  };
  const button = editor && (
    <Button size="xs" variant="default" leftSection={<Icon name="plus" size={14} />} onClick={add} data-testid="add-variable">
      Add a variable
    </Button>
  );
  if (variables.length === 0) {
    return (
      <Empty icon="tag" title="No variables" action={button}>
        Variables hold what a flow learns of a call; those that are shown appear at the agent's desk.
      </Empty>
    );
  }
  return (
    <>
      <div className={shared.row}>
        <p className="muted">{variables.length === 1 ? "One variable" : `${variables.length} variables`}</p>
        {button}
      </div>
      <ul className={classes.variables} data-testid="variables">
        {variables.map((variable, index) => (
          <li key={index}>
            <Summary flow={flow} variable={variable} open={open === variable.name} toggle={editor ? () => setOpen(open === variable.name ? null : variable.name) : undefined} />
            {editor && open === variable.name && <VariableForm editor={editor} variable={variable as DraftVariable} goTo={goTo} renamed={setOpen} />}
          </li>
        ))}
      </ul>
    </>
  );
}

function Summary({ flow, variable, open, toggle }: { flow: FlowDetail; variable: FlowVariable; open: boolean; toggle?: () => void }) {
  const uses = useMemo(() => usesOf(flow.nodes, variable.name).length, [flow.nodes, variable.name]);
  const content = (
    <>
      <span className={classes.variableName}>
        <strong className="mono">{variable.name}</strong>
        <span className="muted small">{variable.type.toLowerCase()}</span>
      </span>
      <span className={classes.pills}>
        {variable.cad && <Pill tone="accent">{variable.editable ? "Agents edit" : "Agents see"}</Pill>}
        {variable.secure && <Pill tone="warn">Secure</Pill>}
        {variable.reportable && <Pill>Reportable</Pill>}
        {variable.global && <Pill>Global</Pill>}
      </span>
      <span className={`muted small ${classes.variableValue}`}>
        {[variable.label, variable.value === "" ? "starts empty" : `starts as ${variable.value}`, uses === 0 ? "not used" : uses === 1 ? "used in one place" : `used in ${uses} places`].filter(Boolean).join(" · ")}
      </span>
    </>
  );
  if (!toggle) return <div className={classes.variable}>{content}</div>;
  return (
    <button type="button" className={classes.variable} aria-expanded={open} onClick={toggle}>
      {content}
    </button>
  );
}

const types = ["STRING", "INTEGER", "BOOLEAN", "DECIMAL", "DATETIME", "JSON"];

function valueProblem({ type, value, secure, was }: DraftVariable): string | undefined {
  if (value.trim() === "" || (secure && was !== "" && value.startsWith("••"))) return undefined;
  if (type === "INTEGER" && !/^[+-]?\d+$/.test(value.trim())) return "A whole number is needed.";
  if (type === "DECIMAL" && !Number.isFinite(Number(value))) return "A number is needed.";
  if (type === "BOOLEAN" && !/^(true|false|0|1)$/i.test(value.trim())) return "true or false is needed.";
  if (type !== "JSON") return undefined;
  try {
    JSON.parse(value);
    return undefined;
  } catch {
    return "This is not JSON.";
  }
}

function VariableForm({ editor, variable, goTo, renamed }: { editor: Editor; variable: DraftVariable; goTo: (id: string) => void; renamed: (name: string) => void }) {
  const { draft, change } = editor;
  const set = (part: Partial<DraftVariable>, about: string) => change(changeVariable(draft, variable.name, part), `variable ${variable.was || variable.name} ${about}`);
  const uses = usesOf(draft.nodes, variable.name);
  const laidOpen = !variable.secure && variable.value.startsWith("••");
  return (
    <div className={classes.variableForm} role="group" aria-label={`Variable ${variable.name}`}>
      <Name key={variable.name} editor={editor} variable={variable} uses={uses} goTo={goTo} renamed={renamed} />
      <div className={classes.pair}>
        <NativeSelect size="xs" label="Type" data={types.includes(variable.type) ? types : [...types, variable.type]} value={variable.type} onChange={(event) => set({ type: event.currentTarget.value }, "")} />
        {variable.type === "BOOLEAN" ? (
          <NativeSelect size="xs" label="Starts as" data={[{ value: "", label: "empty" }, "true", "false", ...(["", "true", "false"].includes(variable.value) ? [] : [variable.value])]} value={variable.value} onChange={(event) => set({ value: event.currentTarget.value }, "")} />
        ) : (
          variable.type !== "JSON" && (
            <TextInput size="xs" label="Starts as" placeholder={variable.type === "DATETIME" ? "2026-01-31T09:00:00Z" : "empty"} value={variable.value} error={laidOpen ? "Give a new value: the secret one is not shown." : valueProblem(variable)} onChange={(event) => set({ value: event.currentTarget.value }, "value")} />
          )
        )}
      </div>
      {variable.type === "JSON" && <Textarea size="xs" label="Starts as" classNames={{ input: "mono" }} autosize minRows={2} maxRows={12} value={variable.value} error={laidOpen ? "Give a new value: the secret one is not shown." : valueProblem(variable)} onChange={(event) => set({ value: event.currentTarget.value }, "value")} />}
      <TextInput size="xs" label="Description" value={variable.description} onChange={(event) => set({ description: event.currentTarget.value }, "description")} />
      <div className={classes.switches}>
        <Switch size="xs" label="Agents see it" checked={variable.cad} onChange={(event) => set({ cad: event.currentTarget.checked, ...(event.currentTarget.checked ? {} : { editable: false }) }, "")} />
        <Switch size="xs" label="Agents may edit it" disabled={!variable.cad} checked={variable.editable} onChange={(event) => set({ editable: event.currentTarget.checked }, "")} />
        <Switch size="xs" label="Secure: in no log and trace" checked={variable.secure} onChange={(event) => set({ secure: event.currentTarget.checked }, "")} />
        <Switch size="xs" label="Reportable" checked={variable.reportable} onChange={(event) => set({ reportable: event.currentTarget.checked }, "")} />
      </div>
      {variable.cad && <TextInput size="xs" label="Label at the desk" placeholder={variable.name} value={variable.label} onChange={(event) => set({ label: event.currentTarget.value }, "label")} />}
      <Remove editor={editor} variable={variable} uses={uses} goTo={goTo} />
    </div>
  );
}

interface PartProps {
  editor: Editor;
  variable: DraftVariable;
  uses: Use[];
  goTo: (id: string) => void;
}

/** A name that is used elsewhere is not changed before it is said what becomes of its uses. */
function Name({ editor, variable, uses, goTo, renamed }: PartProps & { renamed: (name: string) => void }) {
  const [text, setText] = useState(variable.name);
  const name = text.trim();
  const taken = editor.draft.variables.some((other) => other !== variable && other.name === name);
  const problem = name === variable.name ? undefined : taken ? "Another variable has this name." : /^[A-Za-z_]\w{0,99}$/.test(name) ? undefined : "Use letters, digits and _, and no digit at the start.";
  const ask = name !== variable.name && !problem && uses.length > 0;
  const apply = (everywhere: boolean) => {
    editor.change(renameVariable(editor.draft, variable.name, name, everywhere));
    renamed(name);
  };
  return (
    <>
      <TextInput
        size="xs"
        label="Name"
        classNames={{ input: "mono" }}
        value={text}
        error={problem}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={() => name !== variable.name && !problem && !ask && apply(false)}
        onKeyDown={(event) => event.key === "Enter" && !problem && name !== variable.name && apply(uses.length > 0)}
        data-testid="variable-name"
      />
      {ask && (
        <Alert color="amber" icon={<Icon name="alert" />} title={uses.length === 1 ? `${variable.name} is used in one place` : `${variable.name} is used in ${uses.length} places`} data-testid="rename-uses">
          <Uses uses={uses} goTo={goTo} />
          <Group gap="xs" mt="xs">
            <Button size="compact-xs" onClick={() => apply(true)} data-testid="rename-all">
              Rename it there too
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => apply(false)}>
              Only here
            </Button>
            <Button size="compact-xs" variant="subtle" onClick={() => setText(variable.name)}>
              Keep the name
            </Button>
          </Group>
        </Alert>
      )}
    </>
  );
}

function Uses({ uses, goTo }: { uses: Use[]; goTo: (id: string) => void }) {
  return (
    <ul className={shared.plain}>
      {uses.map((use) => (
        <li key={`${use.node} ${use.setting}`}>
          <button type="button" className={shared.nodeLink} onClick={() => goTo(use.node)}>
            {use.step}
          </button>{" "}
          <span className="muted">{use.setting}</span>
        </li>
      ))}
    </ul>
  );
}

function Remove({ editor, variable, uses, goTo }: PartProps) {
  const [asking, setAsking] = useState(false);
  const remove = () => editor.change(removeVariable(editor.draft, variable.name));
  if (asking) {
    return (
      <Alert color="red" icon={<Icon name="alert" />} title={`${variable.name} is still used`}>
        <Uses uses={uses} goTo={goTo} />
        <Group gap="xs" mt="xs">
          <Button size="compact-xs" color="red" onClick={remove}>
            Delete it all the same
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => setAsking(false)}>
            Keep it
          </Button>
        </Group>
      </Alert>
    );
  }
  return (
    <div>
      <Button size="compact-xs" variant="default" onClick={() => (uses.length > 0 ? setAsking(true) : remove())} data-testid="delete-variable">
        Delete the variable
      </Button>
    </div>
  );
}

import { NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAll } from "../api/lists";
import type { FlowBinding, FlowDetail, Ref } from "../api/types";
import { useRole } from "../app/session";
import { Empty } from "../ui/States";
import { Pill } from "../ui/Status";
import { useBind } from "./api";
import classes from "./Flows.module.css";

const kinds: Record<string, string> = { queue: "Queue", connector: "Connector", prompt: "Recording", flow: "Flow", hours: "Opening hours", function: "Function", skill: "Skill", bot: "Bot", other: "Other" };
const lists: Record<string, string> = { queue: "/queues", connector: "/connectors", flow: "/flows", hours: "/hours", function: "/functions" };

/** What the flow names in its old system, and what stands for it here. Answers are remembered for the next import. */
export function BindingsPanel({ flow, editable }: { flow: FlowDetail; editable: boolean }) {
  if (flow.bindings.length === 0) {
    return (
      <Empty icon="plug" title="Nothing to bind">
        This flow names no queue, connector or other thing outside of itself.
      </Empty>
    );
  }
  return (
    <>
      <p className="muted">The file names things of its old system. Choose what stands for each of them here; the choice is remembered for the next import.</p>
      <ul className={classes.problems}>
        {flow.bindings.map((binding) => (
          <li key={`${binding.kind} ${binding.ref}`}>
            <Binding flow={flow} binding={binding} editable={editable} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Binding({ flow, binding, editable }: { flow: FlowDetail; binding: FlowBinding; editable: boolean }) {
  const label = `${kinds[binding.kind] ?? binding.kind}: ${binding.name || binding.ref}`;
  const bind = useBind(flow.id);
  const choose = (target: string) => bind.mutate({ version: flow.version, bindings: [{ kind: binding.kind, ref: binding.ref, target }] });
  const list = lists[binding.kind];
  return (
    <>
      <div className={classes.row}>
        <strong>{label}</strong>
        {binding.target ? <Pill tone="good">Bound</Pill> : <Pill tone="warn">Not bound</Pill>}
      </div>
      {!editable && <p>{binding.targetName || binding.target || <span className="muted">nothing stands for it yet</span>}</p>}
      {editable && list && <Choice list={list} label={label} value={binding.target} name={binding.targetName} busy={bind.isPending} choose={choose} />}
      {editable && !list && <Free label={label} value={binding.target} busy={bind.isPending} choose={choose} />}
    </>
  );
}

interface FieldProps {
  label: string;
  value: string;
  busy: boolean;
  choose: (target: string) => void;
}

function Choice({ list, label, value, name, busy, choose }: FieldProps & { list: string; name: string }) {
  const admin = useRole("admin");
  const items = useAll<Ref>(list);
  const options = (items.data ?? []).map((item) => ({ value: item.id, label: item.name }));
  if (value && !options.some((option) => option.value === value)) options.push({ value, label: name || value });
  return (
    <NativeSelect
      aria-label={`What stands for ${label}`}
      data={[{ value: "", label: items.isLoading ? "Loading" : "Choose what stands for it" }, ...options]}
      value={value}
      disabled={busy || !admin}
      onChange={(event) => choose(event.currentTarget.value)}
    />
  );
}

function Free({ label, value, busy, choose }: FieldProps) {
  const [text, setText] = useState(value);
  const save = () => {
    if (text.trim() !== value) choose(text.trim());
  };
  return (
    <TextInput
      aria-label={`What stands for ${label}`}
      placeholder="Name or identifier here"
      value={text}
      disabled={busy}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key === "Enter") save();
      }}
    />
  );
}

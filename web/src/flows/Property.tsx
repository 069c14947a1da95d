import { ActionIcon, Autocomplete, Button, NativeSelect, Switch, TextInput, Textarea } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { useAll } from "../api/lists";
import type { Ref } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./Editor.module.css";
import { ExprInput, VariableInput } from "./ExprInput";
import type { Column, Field } from "./fields";
import shared from "./Flows.module.css";
import { readRequest, writeRequest } from "./request";

export interface ValueProps {
  label: string;
  value: unknown;
  /** The part of the value that is changed is named, so that typing on is one change. */
  set: (next: unknown, about?: string) => void;
}

const isMap = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object" && !Array.isArray(value);
const isScalar = (value: unknown): boolean => value === null || value === undefined || typeof value !== "object";
const asText = (value: unknown): string => (value === null || value === undefined ? "" : String(value));

/** What was typed, of the kind it had if it still reads so. */
export function typed(text: string, was: unknown): unknown {
  if (typeof was === "number" && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  if (typeof was === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

/** The right editor for one setting of a step; a value of another shape is edited as it is. */
export function ValueEditor({ field, ...props }: ValueProps & { field?: Field }) {
  const { value } = props;
  const list = Array.isArray(value) ? value : undefined;
  if (field?.kind === "prompts" && list) return <Prompts {...props} list={list} help={field.help} />;
  if (field?.kind === "texts" && list?.every(isScalar)) return <Texts {...props} list={list} help={field.help} />;
  if (field?.kind === "rows" && list?.every(isMap)) return <Rows {...props} list={list} field={field} />;
  if (field?.kind === "pairs" && isMap(value)) return <Pairs {...props} map={value} help={field.help} />;
  if (field?.kind === "results" && isScalar(value)) return <Results {...props} text={asText(value)} help={field.help} />;
  if (!isScalar(value)) return <AsIs {...props} />;
  return <Scalar {...props} field={field} />;
}

function Scalar({ label, value, set, field }: ValueProps & { field?: Field }) {
  const text = asText(value);
  const change = (next: string) => set(typed(next, field?.kind === "number" && value === "" ? 0 : value));
  const common = { label, description: field?.help, size: "xs" as const };
  switch (field?.kind) {
    case "flag":
      if (text !== "" && text !== "true" && text !== "false") break; // an expression
      return <Switch label={label} description={field.help} checked={text === "true"} onChange={(event) => set(event.currentTarget.checked)} />;
    case "choice":
      return <NativeSelect {...common} data={[...new Set([...(field.choices ?? []), text])].map((item) => ({ value: item, label: item || "(as it comes)" }))} value={text} onChange={(event) => set(event.currentTarget.value)} />;
    case "number":
      return (
        <TextInput
          {...common}
          inputMode="numeric"
          value={text}
          error={text !== "" && !/^-?\d+(\.\d+)?$|\{|\$/.test(text) ? "Give a number or an expression." : undefined}
          onChange={(event) => change(event.currentTarget.value)}
          rightSection={field.unit && <span className="muted small">{field.unit}</span>}
          rightSectionWidth={field.unit ? 46 : undefined}
        />
      );
    case "named":
      return <Named {...common} list={field.list ?? "/queues"} value={text} set={set} />;
    case "variable":
      return <VariableInput label={label} description={field.help} value={text} onChange={set} />;
    case "request":
    case "url":
      return <Request label={label} text={text} set={set} />;
    default:
  }
  if (typeof value === "boolean") return <Switch label={label} checked={value} onChange={(event) => set(event.currentTarget.checked)} />;
  return <ExprInput label={label} description={field?.help} value={text} onChange={change} line={field?.kind === "line" || typeof value === "number"} />;
}

function Named({ list, value, set, ...common }: { label: string; description?: string; size: "xs"; list: string; value: string; set: (next: string) => void }) {
  const items = useAll<Ref>(list);
  const names = [...new Set((items.data ?? []).map((item) => item.name))];
  return <Autocomplete {...common} data={names} value={value} onChange={set} placeholder="Choose or write" />;
}

/** A path or an address; a query within it has a field of its own. */
function Request({ label, text, set }: { label: string; text: string; set: (next: string) => void }) {
  const parts = readRequest(text);
  return (
    <div className={classes.fields}>
      <ExprInput label={label} value={text} onChange={set} />
      {parts && <ExprInput label="SOQL" description="The query of the path above; values are escaped for it" value={parts.query} onChange={(query) => set(writeRequest(parts, query))} />}
    </div>
  );
}

interface ListProps {
  label: string;
  help?: string;
  onAdd: () => void;
  addLabel: string;
  children: ReactNode;
}

function ListFrame({ label, help, onAdd, addLabel, children }: ListProps) {
  return (
    <fieldset className={classes.list}>
      <legend>{label}</legend>
      {help && <p className="muted small">{help}</p>}
      {children}
      <div>
        <Button size="compact-xs" variant="default" leftSection={<Icon name="plus" size={12} />} onClick={onAdd}>
          {addLabel}
        </Button>
      </div>
    </fieldset>
  );
}

interface RowProps {
  name: string;
  first: boolean;
  onRemove: () => void;
  onUp?: () => void;
  children: ReactNode;
}

function Row({ name, first, onRemove, onUp, children }: RowProps) {
  return (
    <div className={classes.row}>
      <div className={classes.fields}>{children}</div>
      <div className={classes.rowTools}>
        {onUp && (
          <ActionIcon variant="subtle" color="gray" size="sm" disabled={first} onClick={onUp} aria-label={`Move ${name} up`} title="Move up">
            <Icon name="up" size={14} />
          </ActionIcon>
        )}
        <ActionIcon variant="subtle" color="gray" size="sm" onClick={onRemove} aria-label={`Remove ${name}`} title="Remove">
          <Icon name="close" size={14} />
        </ActionIcon>
      </div>
    </div>
  );
}

const without = (list: unknown[], index: number) => list.filter((_, other) => other !== index);
const replaced = (list: unknown[], index: number, value: unknown) => list.map((item, other) => (other === index ? value : item));
function raised(list: unknown[], index: number): unknown[] {
  const next = [...list];
  next.splice(index - 1, 0, ...next.splice(index, 1));
  return next;
}

const kinds = [
  { value: "tts", label: "Spoken text" },
  { value: "ssml", label: "SSML" },
  { value: "file", label: "Recording" },
];

function Prompts({ label, list, set, help }: ValueProps & { list: unknown[]; help?: string }) {
  return (
    <ListFrame label={label} help={help} addLabel="Add a prompt" onAdd={() => set([...list, { kind: "tts", text: "" }])}>
      {list.map((item, index) => {
        const name = `Prompt ${index + 1}`;
        const map = isMap(item) ? item : undefined;
        const change = (next: unknown) => set(replaced(list, index, next), String(index));
        return (
          <Row key={index} name={name} first={index === 0} onUp={() => set(raised(list, index))} onRemove={() => set(without(list, index))}>
            {map && <NativeSelect size="xs" aria-label={`Kind of ${name}`} data={kinds} value={asText(map.kind) || "tts"} onChange={(event) => change({ ...map, kind: event.currentTarget.value })} />}
            <ExprInput label={name} hideLabel line={map?.kind === "file"} value={asText(map ? map.text : item)} onChange={(text) => change(map ? { ...map, text } : text)} />
          </Row>
        );
      })}
    </ListFrame>
  );
}

function Texts({ label, list, set, help }: ValueProps & { list: unknown[]; help?: string }) {
  return (
    <ListFrame label={label} help={help} addLabel="Add one" onAdd={() => set([...list, ""])}>
      {list.map((item, index) => (
        <Row key={index} name={`${label} ${index + 1}`} first={index === 0} onUp={() => set(raised(list, index))} onRemove={() => set(without(list, index))}>
          <TextInput size="xs" classNames={{ input: "mono" }} aria-label={`${label} ${index + 1}`} value={asText(item)} onChange={(event) => set(replaced(list, index, typed(event.currentTarget.value, item)), String(index))} />
        </Row>
      ))}
    </ListFrame>
  );
}

function Cell({ column, row, label, set }: { column: Column; row: Record<string, unknown>; label: string; set: (next: Record<string, unknown>) => void }) {
  const value = row[column.name];
  const change = (next: unknown) => set({ ...row, [column.name]: next });
  if (column.choices) return <NativeSelect size="xs" aria-label={label} data={[...new Set([...column.choices, asText(value)])].filter(Boolean)} value={asText(value)} onChange={(event) => change(event.currentTarget.value)} />;
  if (column.kind === "variable") return <VariableInput hideLabel label={label} value={asText(value)} onChange={change} />;
  if (column.kind === "lines" && Array.isArray(value)) return <Textarea size="xs" classNames={{ input: "mono" }} autosize aria-label={label} value={value.map(asText).join("\n")} onChange={(event) => change(event.currentTarget.value.split("\n"))} />;
  if (column.kind === "text") return <ExprInput hideLabel line label={label} value={asText(value)} onChange={(text) => change(typed(text, value))} />;
  return <TextInput size="xs" aria-label={label} value={asText(value)} onChange={(event) => change(typed(event.currentTarget.value, value))} />;
}

function Rows({ label, list, set, field }: ValueProps & { list: Record<string, unknown>[]; field: Field }) {
  return (
    <ListFrame label={label} help={field.help} addLabel="Add one" onAdd={() => set([...list, structuredClone(field.fresh ?? {})])}>
      {list.map((row, index) => (
        <Row key={index} name={`${label} ${index + 1}`} first={index === 0} onUp={() => set(raised(list, index))} onRemove={() => set(without(list, index))}>
          {(field.columns ?? []).map((column) => (
            <div key={column.name} className={classes.cell}>
              <span aria-hidden="true">{column.label}</span>
              <Cell column={column} row={row} label={`${column.label} ${index + 1}`} set={(next) => set(replaced(list, index, next), `${index} ${column.name}`)} />
            </div>
          ))}
        </Row>
      ))}
    </ListFrame>
  );
}

function Pairs({ label, map, set, help }: ValueProps & { map: Record<string, unknown>; help?: string }) {
  const entries = Object.entries(map);
  const put = (index: number, name: string, value: unknown, about: string) => set(Object.fromEntries(replaced(entries, index, [name, value]) as [string, unknown][]), about);
  const add = () => {
    let number = entries.length + 1;
    while (`name${number}` in map) number++;
    set({ ...map, [`name${number}`]: "" });
  };
  return (
    <ListFrame label={label} help={help} addLabel="Add one" onAdd={add}>
      {entries.map(([name, value], index) => (
        <Row key={index} name={`${label} ${name}`} first onRemove={() => set(Object.fromEntries(without(entries, index) as [string, unknown][]))}>
          <PairName label={`Name ${index + 1} of ${label}`} name={name} taken={(next) => next !== name && next in map} set={(next) => put(index, next, value, `${index} name`)} />
          <ExprInput hideLabel line label={`${label} ${name}`} value={isScalar(value) ? asText(value) : JSON.stringify(value)} onChange={(text) => put(index, name, typed(text, value), `${index} value`)} />
        </Row>
      ))}
    </ListFrame>
  );
}

/** The name is taken over when the field is left, so that it is never that of another for a moment. */
function PairName({ label, name, taken, set }: { label: string; name: string; taken: (name: string) => boolean; set: (name: string) => void }) {
  const [text, setText] = useState(name);
  const refused = text.trim() === "" || taken(text.trim());
  return (
    <TextInput
      size="xs"
      classNames={{ input: "mono" }}
      aria-label={label}
      value={text}
      error={refused ? "Give a name of its own." : undefined}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => (refused ? setText(name) : text.trim() !== name && set(text.trim()))}
    />
  );
}

function Results({ label, text, set, help }: ValueProps & { text: string; help?: string }) {
  const lines = text === "" ? [] : text.split("\n").map((line) => [line.slice(0, Math.max(0, line.indexOf("="))).trim(), line.slice(line.indexOf("=") + 1).trim()] as const);
  const put = (rows: (readonly [string, string])[], about?: string) => set(rows.map(([name, path]) => `${name} = ${path}`).join("\n"), about);
  return (
    <ListFrame label={label} help={help} addLabel="Add a result" onAdd={() => put([...lines, ["", "$"]])}>
      {lines.map(([name, path], index) => (
        <Row key={index} name={`result ${index + 1}`} first onRemove={() => put(without([...lines], index) as [string, string][])}>
          <div className={classes.cell}>
            <span aria-hidden="true">Variable</span>
            <VariableInput hideLabel label={`Variable ${index + 1}`} value={name} onChange={(next) => put(replaced([...lines], index, [next, path]) as [string, string][], `${index} name`)} />
          </div>
          <div className={classes.cell}>
            <span aria-hidden="true">JSONPath</span>
            <TextInput size="xs" classNames={{ input: "mono" }} aria-label={`Path ${index + 1}`} value={path} error={path.startsWith("$") ? undefined : "A path begins with $."} onChange={(event) => put(replaced([...lines], index, [name, event.currentTarget.value]) as [string, string][], `${index} path`)} />
          </div>
        </Row>
      ))}
    </ListFrame>
  );
}

/** A list or map that has no editor of its own, as JSON. */
function AsIs({ label, value, set }: ValueProps) {
  const saved = JSON.stringify(value, null, 2);
  const [text, setText] = useState(saved);
  const [seen, setSeen] = useState(saved);
  const [problem, setProblem] = useState("");
  if (seen !== saved) {
    setSeen(saved);
    setText(saved);
  }
  const apply = () => {
    try {
      const next: unknown = JSON.parse(text);
      setProblem("");
      if (JSON.stringify(next) !== JSON.stringify(value)) set(next);
    } catch {
      setProblem("This is not JSON, and was not taken over.");
    }
  };
  return <Textarea label={label} classNames={{ input: `mono ${shared.where}` }} size="xs" autosize maxRows={20} value={text} error={problem} onChange={(event) => setText(event.currentTarget.value)} onBlur={apply} />;
}

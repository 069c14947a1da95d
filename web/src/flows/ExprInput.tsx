import { ActionIcon, Autocomplete, Menu, Textarea } from "@mantine/core";
import { createContext, useContext, useRef } from "react";
import classes from "./Editor.module.css";

/** What expressions of a flow can read. */
export interface Known {
  variables: string[];
  /** What steps and events give, such as FindContact.httpStatusCode. */
  outputs: string[];
  /** Values are written in the manner of Amazon Connect. */
  connect: boolean;
}

export const KnownNames = createContext<Known>({ variables: [], outputs: [], connect: false });

const call = ["NewPhoneContact.ANI", "NewPhoneContact.DNIS", "NewPhoneContact.InteractionId"];
const connectCall = ["$.CustomerEndpoint.Address", "$.SystemEndpoint.Address", "$.ContactId", "$.StoredCustomerInput", "$.External."];

/** What is plainly wrong with a template; the server looks closer when the flow is saved. */
export function templateProblem(text: string, known: Known): string | undefined {
  if (known.connect) return undefined;
  const opens = text.split("{{").length;
  const closes = text.split("}}").length;
  if (opens > closes) return "An expression is opened by {{ and not closed by }}.";
  if (text.split("{%").length > text.split("%}").length) return "A tag is opened by {% and not closed by %}.";
  const sole = /\{\{\s*([A-Za-z_]\w*)\s*\}\}/g;
  const readable = new Set([...known.variables, ...known.outputs.map((name) => name.split(".")[0] ?? ""), "NewPhoneContact", "NewContact", "now", "true", "false", "null", "none", "loop"]);
  for (const [, name = ""] of text.matchAll(sole)) if (!readable.has(name)) return `There is no variable ${name}.`;
  return undefined;
}

interface Props {
  label: string;
  hideLabel?: boolean;
  description?: string;
  value: string;
  onChange: (text: string) => void;
  /** A line rather than a text of several. */
  line?: boolean;
}

/** A text in which expressions may stand, with a menu of what they can read. */
export function ExprInput({ label, hideLabel, description, value, onChange, line }: Props) {
  const known = useContext(KnownNames);
  const input = useRef<HTMLTextAreaElement>(null);
  const insert = (name: string) => {
    const text = known.connect ? name : `{{ ${name} }}`;
    const [start, end] = [input.current?.selectionStart ?? value.length, input.current?.selectionEnd ?? value.length];
    // Within an expression the bare name is what is meant.
    const before = value.slice(0, start);
    const within = before.lastIndexOf("{{") > before.lastIndexOf("}}");
    onChange(before + (within && !known.connect ? name : text) + value.slice(end));
    input.current?.focus();
  };
  return (
    <Textarea
      ref={input}
      label={hideLabel ? undefined : label}
      aria-label={hideLabel ? label : undefined}
      description={description}
      classNames={{ input: "mono" }}
      size="xs"
      autosize
      minRows={line ? 1 : 2}
      maxRows={14}
      value={value}
      error={templateProblem(value, known)}
      onChange={(event) => onChange(event.currentTarget.value)}
      rightSection={<Insert label={label} known={known} onInsert={insert} />}
      rightSectionProps={{ className: classes.insert }}
    />
  );
}

function Insert({ label, known, onInsert }: { label: string; known: Known; onInsert: (name: string) => void }) {
  const variables = known.connect ? known.variables.map((name) => `$.Attributes.${name}`) : known.variables;
  const groups: [string, string[]][] = [
    ["Variables", variables],
    ["The call", known.connect ? connectCall : call],
    ["What steps give", known.connect ? [] : known.outputs],
  ];
  return (
    <Menu position="bottom-end" shadow="md" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Insert into ${label}`} title="Insert a variable">
          <span className="mono">{"{}"}</span>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown className={classes.insertList}>
        {groups.map(([title, names]) =>
          names.length === 0 ? null : (
            <div key={title}>
              <Menu.Label>{title}</Menu.Label>
              {names.map((name) => (
                <Menu.Item key={name} className="mono" onClick={() => onInsert(name)}>
                  {name}
                </Menu.Item>
              ))}
            </div>
          ),
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

/** The name of a variable. */
export function VariableInput({ label, hideLabel, description, value, onChange }: Omit<Props, "line">) {
  const { variables } = useContext(KnownNames);
  const missing = value !== "" && variables.length > 0 && !variables.includes(value) && /^[A-Za-z_]\w*$/.test(value);
  return (
    <Autocomplete
      size="xs"
      label={hideLabel ? undefined : label}
      aria-label={hideLabel ? label : undefined}
      description={description}
      classNames={{ input: "mono" }}
      data={variables}
      value={value}
      onChange={onChange}
      placeholder="Variable"
      error={missing ? `There is no variable ${value}.` : undefined}
    />
  );
}

import { Button, NativeSelect, NumberInput, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { post } from "../api/client";
import { useAll } from "../api/lists";
import type { Connector, FunctionCommand, FunctionTest, HubFunction } from "../api/types";
import { Icon } from "../ui/Icon";
import { ResourcePage, type FormProps } from "./ResourcePage";
import classes from "./Setup.module.css";
import { TestResult } from "./TestResult";

type Value = Omit<HubFunction, "id" | "version">;

const kinds: Record<HubFunction["kind"], string> = { http: "HTTP endpoint", command: "Command of the hub's machine" };

/** What stands for the functions that flows call. */
export function FunctionsPage() {
  return (
    <ResourcePage<HubFunction, Value>
      path="/functions"
      title="Functions"
      noun="function"
      lead="What stands for the Lambda functions that flows call: an HTTP endpoint that takes the same event, or a command that the configuration file allows."
      icon="bolt"
      empty="Flows that call a function leave by their error branch until something stands for it."
      deleteWarning="Flows that call this function leave by their error branch."
      nameOf={(fn) => fn.name}
      columns={[
        { label: "Function", cell: (fn) => fn.name },
        { label: "Kind", cell: (fn) => kinds[fn.kind] ?? fn.kind },
        { label: "Calls", cell: (fn) => <span className="mono">{fn.kind === "http" ? fn.url : fn.command}</span> },
        { label: "ARNs and names", numeric: true, cell: (fn) => fn.refs.length },
        { label: "Time limit", numeric: true, cell: (fn) => `${fn.timeoutMs} ms` },
      ]}
      toValue={(fn) => ({
        name: fn?.name ?? "",
        refs: fn?.refs ?? [],
        kind: fn?.kind ?? "http",
        url: fn?.url ?? "",
        connector: fn?.connector ?? "",
        command: fn?.command ?? "",
        timeoutMs: fn?.timeoutMs ?? 8000,
      })}
      toBody={bodyOf}
      fields={(props) => <Fields {...props} />}
    />
  );
}

function bodyOf({ name, refs, kind, url, connector, command, timeoutMs }: Value): Partial<Value> {
  const body = { name, refs, kind, timeoutMs };
  return kind === "http" ? { ...body, url: url.trim(), connector } : { ...body, command };
}

function Fields({ item, value, set }: FormProps<HubFunction, Value>) {
  return (
    <>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={value.name} onChange={(event) => set("name", event.currentTarget.value)} />
      <TagsInput
        label="ARNs and names"
        description="By which flows call it. Without a version or alias it stands for all of them."
        placeholder={value.refs.length === 0 ? "arn:aws:lambda:…:function:look-up" : undefined}
        value={value.refs}
        onChange={(refs) => set("refs", refs)}
      />
      <NativeSelect label="Kind" data={Object.entries(kinds).map(([kind, label]) => ({ value: kind, label }))} value={value.kind} onChange={(event) => set("kind", event.currentTarget.value as HubFunction["kind"])} />
      {value.kind === "http" ? <Endpoint value={value} set={set} /> : <Command value={value} set={set} />}
      <NumberInput label="Time limit, milliseconds" description="The flow's own limit counts when it is shorter." min={100} max={30_000} allowDecimal={false} hideControls value={value.timeoutMs} onChange={(next) => set("timeoutMs", Number(next) || 0)} />
      {item && <Test id={item.id} />}
    </>
  );
}

type Part = Pick<FormProps<HubFunction, Value>, "value" | "set">;

function Endpoint({ value, set }: Part) {
  const connectors = useAll<Connector>("/connectors");
  const choices = [{ value: "", label: "None: the address is open" }, ...(connectors.data ?? []).map((one) => ({ value: one.id, label: one.name }))];
  return (
    <>
      <NativeSelect label="Signs in with the connector" data={choices} value={value.connector} onChange={(event) => set("connector", event.currentTarget.value)} />
      <TextInput
        label={value.connector ? "Path behind the connector's address" : "Address"}
        required={!value.connector}
        withAsterisk={false}
        placeholder={value.connector ? "/functions/look-up" : "https://functions.example.com/look-up"}
        value={value.url}
        onChange={(event) => set("url", event.currentTarget.value)}
      />
    </>
  );
}

function Command({ value, set }: Part) {
  const commands = useAll<FunctionCommand>("/function-commands");
  const names = (commands.data ?? []).map((command) => command.name);
  if (value.command && !names.includes(value.command)) names.push(value.command);
  return (
    <NativeSelect
      label="Command"
      description="Operators allow commands in the configuration file, under functions.commands."
      data={[{ value: "", label: names.length === 0 ? "The configuration file allows none" : "Choose a command" }, ...names.map((name) => ({ value: name, label: name }))]}
      value={value.command}
      onChange={(event) => set("command", event.currentTarget.value)}
    />
  );
}

/** Parameters as they are typed: name = value, one a line. */
function parametersOf(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) out[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return out;
}

function Test({ id }: { id: string }) {
  const [text, setText] = useState("");
  const test = useMutation({ mutationFn: () => post<FunctionTest>(`/functions/${encodeURIComponent(id)}/test`, { parameters: parametersOf(text) }) });
  return (
    <>
      <Textarea label="Parameters of the test" description="One a line: name = value" autosize minRows={2} maxRows={8} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <div>
        <Button variant="default" leftSection={<Icon name="bolt" />} loading={test.isPending} onClick={() => test.mutate()} data-testid="function-test">
          Test the saved function
        </Button>
      </div>
      <TestResult result={test.data} error={test.error} testId="function-result">
        <p className="small">{`${test.data?.durationMs} ms`}</p>
        {test.data?.answer && <pre className={classes.answer}>{test.data.answer}</pre>}
      </TestResult>
    </>
  );
}

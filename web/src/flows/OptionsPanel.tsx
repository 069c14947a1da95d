import { ActionIcon, Button, NativeSelect, Select, Switch, TextInput, Textarea } from "@mantine/core";
import { useState } from "react";
import type { FlowDetail } from "../api/types";
import { Icon } from "../ui/Icon";
import { addHandler, changeHead, changeOptions, handle } from "./draft";
import classes from "./Editor.module.css";
import shared from "./Flows.module.css";
import type { Editor } from "./useEditor";

interface Props {
  flow: FlowDetail;
  editor: Editor | null;
  goTo: (id: string) => void;
}

const kinds: Record<string, string> = {
  inbound: "Answers calls",
  queue: "Plays while a caller waits",
  hold: "Plays on hold",
  whisper: "Whispers before the talk",
  transfer: "Takes transferred calls",
  sub: "Runs within other flows",
};

/** The events that a handler can start at, with what they are called on the picture. */
const events: Record<string, { label: string; help: string }> = {
  agentOffered: { label: "AgentOffered", help: "An agent is rung" },
  agentAnswered: { label: "AgentAnswered", help: "An agent has answered" },
  agentDisconnected: { label: "AgentDisconnected", help: "The agent has left, the caller is still there" },
  contactEnded: { label: "ContactEnded", help: "The call is over" },
  error: { label: "OnError", help: "A step failed and has no exit for it" },
};

const usualBudget = 1000;

/** What a flow is as a whole: its name, its limits, and which handler starts at which event. */
export function OptionsPanel(props: Props) {
  const { flow, editor } = props;
  return (
    <>
      <section aria-labelledby="handlers">
        <h2 id="handlers">Event handlers</h2>
        <Handlers {...props} />
      </section>
      <section aria-labelledby="about">
        <h2 id="about">About this flow</h2>
        {editor ? <About editor={editor} /> : <Shown flow={flow} />}
      </section>
    </>
  );
}

function Handlers({ flow, editor, goTo }: Props) {
  const nameOf = (id: string) => flow.nodes.find((node) => node.id === id)?.name || id;
  const targets = flow.nodes.filter((node) => node.id !== flow.start).map((node) => ({ value: node.id, label: node.name || node.id }));
  return (
    <>
      {flow.handlers.length === 0 && <p className="muted">No event starts anything: what happens after the call is over, or when an agent leaves, is not handled.</p>}
      <ul className={classes.exits} data-testid="handlers">
        {flow.handlers.map(({ event, node }) => (
          <li key={event} className={classes.handler} data-shown={!editor || undefined}>
            <span>
              <strong>{events[event]?.label ?? event}</strong>
              <span className="muted small">{events[event]?.help}</span>
            </span>
            {editor && (
              <>
                <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Remove the handler of ${event}`} title="Remove the handler" onClick={() => editor.change(handle(editor.draft, event))}>
                  <Icon name="close" size={14} />
                </ActionIcon>
                <NativeSelect size="xs" aria-label={`Where ${event} starts`} data={targets} value={node} onChange={(change) => editor.change(handle(editor.draft, event, change.currentTarget.value))} />
              </>
            )}
            <button type="button" className={shared.nodeLink} onClick={() => goTo(node)}>
              {editor ? "Show" : nameOf(node)}
            </button>
          </li>
        ))}
      </ul>
      {editor && <NewHandler editor={editor} goTo={goTo} />}
    </>
  );
}

const OWN = "own";

function NewHandler({ editor, goTo }: { editor: Editor; goTo: (id: string) => void }) {
  const { draft } = editor;
  const free = Object.keys(events).filter((event) => !draft.handlers.some((handler) => handler.event === event));
  const [chosen, setChosen] = useState("");
  const [own, setOwn] = useState("");
  const kind = chosen || free[0] || OWN;
  const event = kind === OWN ? own.trim() : kind;
  const taken = draft.handlers.some((handler) => handler.event === event);
  const add = () => {
    const added = addHandler(draft, event, events[event]?.label ?? event);
    editor.change(added.draft);
    goTo(added.id);
    setChosen("");
    setOwn("");
  };
  return (
    <div className={classes.addLine}>
      <NativeSelect size="xs" aria-label="Event of a new handler" data={[...free.map((item) => ({ value: item, label: `${events[item]?.label}: ${events[item]?.help.toLowerCase()}` })), { value: OWN, label: "Another event" }]} value={kind} onChange={(change) => setChosen(change.currentTarget.value)} />
      {kind === OWN && <TextInput size="xs" aria-label="Name of the event" placeholder="Name of the event" value={own} error={taken ? "It has a handler." : undefined} onChange={(change) => setOwn(change.currentTarget.value)} />}
      <Button size="xs" variant="default" disabled={event === "" || taken} onClick={add} data-testid="add-handler">
        Add a handler
      </Button>
    </div>
  );
}

const zones = Intl.supportedValuesOf("timeZone");

function About({ editor }: { editor: Editor }) {
  const { draft, change } = editor;
  const { head } = draft;
  const { options } = head;
  return (
    <div className={classes.form}>
      <TextInput size="xs" label="Name" value={head.name} error={head.name.trim() === "" ? "A flow needs a name." : undefined} onChange={(event) => change(changeHead(draft, { name: event.currentTarget.value }), "flow name")} data-testid="flow-title" />
      <Textarea size="xs" label="Description" autosize minRows={2} maxRows={8} value={head.description} onChange={(event) => change(changeHead(draft, { description: event.currentTarget.value }), "flow description")} />
      <NativeSelect size="xs" label="What it is for" data={Object.entries(kinds).map(([value, label]) => ({ value, label }))} value={head.kind} onChange={(event) => change(changeHead(draft, { kind: event.currentTarget.value }))} />
      <TextInput
        size="xs"
        label="Budget"
        description={`Steps a way may run between two waits, so that no loop runs for ever. Empty: ${usualBudget}`}
        inputMode="numeric"
        placeholder={String(usualBudget)}
        value={options.maxSteps === 0 ? "" : String(options.maxSteps)}
        error={options.maxSteps > 100_000 ? "At most 100000." : undefined}
        onChange={(event) => change(changeOptions(draft, { maxSteps: Number(event.currentTarget.value.replaceAll(/\D/g, "").slice(0, 7)) || 0 }), "flow budget")}
        data-testid="flow-budget"
      />
      <Select size="xs" label="Time zone" placeholder="UTC" searchable clearable clearButtonProps={{ "aria-label": "Clear the time zone" }} limit={60} data={zones.includes(options.zone) || options.zone === "" ? zones : [...zones, options.zone]} value={options.zone || null} onChange={(zone) => change(changeOptions(draft, { zone: zone ?? "" }))} />
      <Textarea size="xs" label="When nothing handles an error" description="What the caller then hears" autosize placeholder="We are sorry, something went wrong. Please call again later." value={options.errorText} onChange={(event) => change(changeOptions(draft, { errorText: event.currentTarget.value }), "flow error")} />
      <div className={classes.pair}>
        <TextInput size="xs" label="Language" placeholder="en-US" value={options.language} onChange={(event) => change(changeOptions(draft, { language: event.currentTarget.value }), "flow language")} />
        <TextInput size="xs" label="Voice" value={options.voice} onChange={(event) => change(changeOptions(draft, { voice: event.currentTarget.value }), "flow voice")} />
      </div>
      <Switch
        size="xs"
        label="Values go into queries and addresses unescaped"
        description="Only for a flow that escapes everything itself: a caller's input may otherwise change the query."
        checked={options.rawInterpolation}
        onChange={(event) => change(changeOptions(draft, { rawInterpolation: event.currentTarget.checked }))}
      />
    </div>
  );
}

function Shown({ flow }: { flow: FlowDetail }) {
  const { options } = flow;
  const lines: [string, string][] = [
    ["Description", flow.description],
    ["What it is for", kinds[flow.kind] ?? flow.kind],
    ["Budget", `${options.maxSteps || usualBudget} steps between two waits`],
    ["Time zone", options.zone || "UTC"],
    ["When nothing handles an error", options.errorText || "the usual announcement"],
    ["Language", options.language],
    ["Voice", options.voice],
    ["Values in queries and addresses", options.rawInterpolation ? "go in unescaped" : "are escaped"],
  ];
  return (
    <dl className={shared.properties}>
      {lines.map(([name, value]) =>
        value === "" ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

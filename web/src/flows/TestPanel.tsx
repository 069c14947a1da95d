import { ActionIcon, Alert, Button, NativeSelect, SegmentedControl, TextInput, Textarea } from "@mantine/core";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { messageOf } from "../api/client";
import type { FlowDetail, FlowTry } from "../api/types";
import { Icon } from "../ui/Icon";
import { useTry } from "./api";
import { modelOf } from "./draft";
import classes from "./Editor.module.css";
import shared from "./Flows.module.css";
import type { Taken } from "./picture";
import { answerKinds, FOUND, scriptOf, type Answer, type TestForm } from "./script";
import type { Editor } from "./useEditor";

const STEP_MS = 350;

interface Props {
  /** As it is shown: the draft while it is edited. */
  flow: FlowDetail;
  editor: Editor | null;
  /** Lights the way on the picture: the steps taken so far; undefined puts it out. */
  onPath: (path: Taken[] | undefined) => void;
}

const anyAnswer: Answer = { step: "", kind: "found", status: "200", body: FOUND };

/** Plays one call through the flow as it is shown, saved or not: the way lights up step by step. */
export function TestPanel({ flow, editor, onPath }: Props) {
  const [form, setForm] = useState<TestForm>({ from: "+14155550123", to: "", digits: "1", at: "", answers: [anyAnswer], queue: "answered", hangUp: "" });
  const run = useTry(flow.id);
  const set = (change: Partial<TestForm>) => setForm({ ...form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onPath(undefined);
    run.mutate({ version: flow.version, script: scriptOf(form), ...(editor?.dirty ? { model: modelOf(editor.base, editor.draft, editor.version) } : {}) });
  };
  return (
    <>
      <form className={classes.form} onSubmit={submit}>
        <div className={classes.pair}>
          <TextInput size="xs" label="Caller" value={form.from} onChange={(event) => set({ from: event.currentTarget.value })} />
          <TextInput size="xs" label="Called number" placeholder="any" value={form.to} onChange={(event) => set({ to: event.currentTarget.value })} />
        </div>
        <TextInput size="xs" label="Digits" description="What the caller enters, one entry for each question: 1, 12345#" value={form.digits} onChange={(event) => set({ digits: event.currentTarget.value })} />
        <Answers flow={flow} answers={form.answers} set={(answers) => set({ answers })} />
        <div className={`${classes.pair} ${classes.wideFirst}`}>
          <TextInput size="xs" type="datetime-local" label="Comes in at" value={form.at} onChange={(event) => set({ at: event.currentTarget.value })} />
          <TextInput size="xs" label="Hangs up after" placeholder="at the end" inputMode="numeric" value={form.hangUp} rightSection={<span className="muted small">s</span>} onChange={(event) => set({ hangUp: event.currentTarget.value.replaceAll(/\D/g, "") })} />
        </div>
        <div>
          <span className={classes.fieldLabel}>In a queue</span>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label="What happens in a queue"
            value={form.queue}
            onChange={(queue) => set({ queue: queue as TestForm["queue"] })}
            data={[
              { value: "answered", label: "An agent answers" },
              { value: "noAnswer", label: "Nobody answers" },
              { value: "full", label: "It is full" },
            ]}
          />
        </div>
        <div className={shared.row}>
          <Button type="submit" loading={run.isPending} leftSection={<Icon name="play" />} data-testid="run-test">
            Run
          </Button>
          <span className="muted small">{editor?.dirty ? "Plays what is on the screen; nothing is saved" : `Plays version ${flow.version}`}</span>
        </div>
      </form>
      {run.error && (
        <Alert color="red" icon={<Icon name="alert" />} role="alert">
          {messageOf(run.error)}
        </Alert>
      )}
      {run.data && <Outcome key={run.submittedAt} flow={flow} result={run.data} onPath={onPath} />}
    </>
  );
}

function Answers({ flow, answers, set }: { flow: FlowDetail; answers: Answer[]; set: (answers: Answer[]) => void }) {
  const steps = flow.nodes.filter((node) => node.op === "http" || node.op === "function").map((node) => node.name);
  const change = (index: number, part: Partial<Answer>) => set(answers.map((answer, other) => (other === index ? { ...answer, ...part } : answer)));
  const free = steps.find((step) => !answers.some((answer) => answer.step === step));
  return (
    <fieldset className={classes.list}>
      <legend>HTTP requests are answered with</legend>
      {answers.map((answer, index) => (
        <div key={index} className={classes.row}>
          <div className={classes.fields}>
            <div className={classes.pair}>
              <NativeSelect size="xs" aria-label={`Whose requests answer ${index + 1} is for`} data={[{ value: "", label: "Any step" }, ...new Set([...steps, ...(answer.step ? [answer.step] : [])])]} value={answer.step} onChange={(event) => change(index, { step: event.currentTarget.value })} />
              <NativeSelect size="xs" aria-label={answers.length === 1 ? "Answer" : `Answer ${index + 1}`} data={answerKinds} value={answer.kind} onChange={(event) => change(index, { kind: event.currentTarget.value as Answer["kind"] })} />
            </div>
            {answer.kind === "own" && (
              <div className={classes.ownAnswer}>
                <TextInput size="xs" aria-label={`Status of answer ${index + 1}`} inputMode="numeric" value={answer.status} onChange={(event) => change(index, { status: event.currentTarget.value })} />
                <Textarea size="xs" aria-label={`Body of answer ${index + 1}`} classNames={{ input: "mono" }} autosize maxRows={8} value={answer.body} onChange={(event) => change(index, { body: event.currentTarget.value })} />
              </div>
            )}
          </div>
          <div className={classes.rowTools}>
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Remove answer ${index + 1}`} title="Remove" onClick={() => set(answers.filter((_, other) => other !== index))}>
              <Icon name="close" size={14} />
            </ActionIcon>
          </div>
        </div>
      ))}
      <div>
        <Button size="compact-xs" variant="default" leftSection={<Icon name="plus" size={12} />} onClick={() => set([...answers, { ...anyAnswer, step: free ?? "" }])}>
          Add an answer
        </Button>
      </div>
    </fieldset>
  );
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function Outcome({ flow, result, onPath }: { flow: FlowDetail; result: FlowTry; onPath: Props["onPath"] }) {
  const { steps } = result;
  const [shown, setShown] = useState(() => (still() ? steps.length : Math.min(1, steps.length)));
  const [playing, setPlaying] = useState(!still());
  const now = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // The way out of the last step lights up when the next one is reached.
    onPath(steps.slice(0, shown).map((step, index) => ({ node: step.node, port: index === shown - 1 && shown < steps.length ? "" : step.port })));
    now.current?.scrollIntoView({ block: "nearest" });
    if (!playing || shown >= steps.length) return;
    const timer = setTimeout(() => setShown(shown + 1), STEP_MS);
    return () => clearTimeout(timer);
    // The way is lit again only when another step is shown.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shown, playing, steps]);
  useEffect(() => () => onPath(undefined), []);
  const done = shown >= steps.length;
  const go = (count: number) => {
    setPlaying(false);
    setShown(Math.max(1, Math.min(steps.length, count)));
  };
  return (
    <>
      <section>
        <div className={shared.row}>
          <h2>Steps</h2>
          <div className={classes.player} role="group" aria-label="Playing">
            <Button size="compact-xs" variant="default" disabled={shown <= 1} onClick={() => go(shown - 1)}>
              Back
            </Button>
            <Button size="compact-xs" variant="default" disabled={done} onClick={() => go(shown + 1)}>
              Next
            </Button>
            {!done && (
              <Button size="compact-xs" variant="default" onClick={() => go(steps.length)}>
                Show all
              </Button>
            )}
            {done && (
              <Button
                size="compact-xs"
                variant="default"
                onClick={() => {
                  setShown(1);
                  setPlaying(true);
                }}
              >
                Again
              </Button>
            )}
          </div>
        </div>
        <ol className={classes.steps} aria-label="Steps of the test" data-testid="test-steps">
          {steps.slice(0, shown).map((step, index) => (
            <li key={index} ref={index === shown - 1 ? now : undefined}>
              <button type="button" className={classes.step} data-now={index === shown - 1 || undefined} onClick={() => go(index + 1)}>
                <span className="muted num">{step.at.toFixed(1)} s</span>
                <strong>{step.name}</strong>
                <span className="muted">{[step.thread > 1 && "handler", step.port, step.detail].filter(Boolean).join(" · ")}</span>
              </button>
            </li>
          ))}
        </ol>
        {done && (
          <p role="status" data-testid="test-end">
            Ended after {result.seconds.toFixed(1)} s: {[endNames[result.end.reason] ?? result.end.reason, result.end.by && `by the ${result.end.by}`, result.end.detail].filter(Boolean).join(", ")}.
          </p>
        )}
      </section>
      <Heard result={result} />
      <Keep flow={flow} result={result} />
    </>
  );
}

const endNames: Record<string, string> = { contactEnded: "the call ended", goto: "went on to another flow", budget: "stopped by a limit", stuck: "the flow is stuck", test: "the test ended" };

function Heard({ result }: { result: FlowTry }) {
  return (
    <>
      <section>
        <h2>What the caller heard</h2>
        {result.prompts.length === 0 && <p className="muted">Nothing.</p>}
        <ul className={shared.plain}>
          {result.prompts.map((prompt, index) => (
            <li key={index}>{prompt.text}</li>
          ))}
        </ul>
      </section>
      <section>
        <h2>Requests</h2>
        {result.requests.length === 0 && <p className="muted">None.</p>}
        {result.requests.map((request, index) => (
          <p key={index} className={`mono ${shared.where}`}>
            {request.method} {request.url}: {request.error || request.status}
            {!request.matched && <span className={shared.bad}> (no answer was given for it)</span>}
          </p>
        ))}
      </section>
    </>
  );
}

/** The run as a suite for the command line, which expects what has happened. */
function Keep({ flow, result }: { flow: FlowDetail; result: FlowTry }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([JSON.stringify(result.suite, null, 2), "\n"], { type: "application/json" }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [result]);
  const file = `${flow.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "flow"}.test.json`;
  return (
    <section>
      <h2>Keep it as a test</h2>
      <p className="muted">A suite for “tandem flow test” that expects what has happened in this run.</p>
      <div>
        <Button component="a" href={address} download={file} size="xs" variant="default" leftSection={<Icon name="download" size={14} />} data-testid="keep-test">
          Download {file}
        </Button>
      </div>
    </section>
  );
}

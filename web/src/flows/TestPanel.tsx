import { Alert, Button, NativeSelect, TextInput, Textarea } from "@mantine/core";
import { useEffect, useState, type FormEvent } from "react";
import { messageOf } from "../api/client";
import type { FlowDetail, FlowTry } from "../api/types";
import { Icon } from "../ui/Icon";
import { useTry } from "./api";
import classes from "./Editor.module.css";
import shared from "./Flows.module.css";

const STEP_MS = 350;
const FOUND = '{"totalSize": 1, "done": true, "records": [{"Id": "003000000000001AAA", "Name": "Ada Example"}]}';
const NONE = '{"totalSize": 0, "done": true, "records": []}';

const answers = [
  { value: "found", label: "Found: the answer below" },
  { value: "none", label: "Not found: an empty list" },
  { value: "404", label: "Not found: 404" },
  { value: "500", label: "Broken: 500" },
  { value: "down", label: "Down: no answer" },
];

interface Form {
  from: string;
  digits: string;
  http: string;
  found: string;
}

/** The form as a script of flow tests. */
function scriptOf(form: Form) {
  const answer: Record<string, unknown> = { url: "*" };
  if (form.http === "down") answer.error = "connection refused";
  else if (form.http === "found" || form.http === "none") Object.assign(answer, { status: 200, body: form.http === "found" ? form.found : NONE });
  else Object.assign(answer, { status: Number(form.http), body: "{}" });
  return { from: form.from.trim(), digits: form.digits.split(/[\s,;]+/).filter(Boolean), http: [answer] };
}

interface Props {
  flow: FlowDetail;
  dirty: boolean;
  /** Lights the way on the picture: the steps taken so far; undefined puts it out. */
  onPath: (path: string[] | undefined) => void;
}

/** Plays one call through the saved version: the way lights up step by step. */
export function TestPanel({ flow, dirty, onPath }: Props) {
  const [form, setForm] = useState<Form>({ from: "+14155550123", digits: "1", http: "found", found: FOUND });
  const run = useTry(flow.id);
  const set = (change: Partial<Form>) => setForm({ ...form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onPath(undefined);
    run.mutate({ version: flow.version, script: scriptOf(form) });
  };
  return (
    <>
      <form className={classes.form} onSubmit={submit}>
        <TextInput label="Caller" value={form.from} onChange={(event) => set({ from: event.currentTarget.value })} />
        <TextInput label="Digits" description="What the caller enters, one entry for each question: 1, 12345#" value={form.digits} onChange={(event) => set({ digits: event.currentTarget.value })} />
        <NativeSelect label="HTTP requests are answered with" data={answers} value={form.http} onChange={(event) => set({ http: event.currentTarget.value })} />
        {form.http === "found" && <Textarea label="The answer" classNames={{ input: "mono" }} size="xs" autosize maxRows={8} value={form.found} onChange={(event) => set({ found: event.currentTarget.value })} />}
        {dirty && <p className="muted">The test runs version {flow.version}, without what is not saved.</p>}
        <div className={shared.buttons}>
          <Button type="submit" loading={run.isPending} leftSection={<Icon name="play" />} data-testid="run-test">
            Run
          </Button>
        </div>
      </form>
      {run.error && (
        <Alert color="red" icon={<Icon name="alert" />} role="alert">
          {messageOf(run.error)}
        </Alert>
      )}
      {run.data && <Outcome key={run.submittedAt} result={run.data} onPath={onPath} />}
    </>
  );
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function Outcome({ result, onPath }: { result: FlowTry; onPath: Props["onPath"] }) {
  const { steps } = result;
  const [shown, setShown] = useState(() => (still() ? steps.length : Math.min(1, steps.length)));
  const [playing, setPlaying] = useState(!still());
  useEffect(() => {
    onPath(steps.slice(0, shown).map((step) => step.node));
    if (!playing || shown >= steps.length) return;
    const timer = setTimeout(() => setShown(shown + 1), STEP_MS);
    return () => clearTimeout(timer);
    // The way is lit again only when another step is shown.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shown, playing, steps]);
  useEffect(() => () => onPath(undefined), []);
  const done = shown >= steps.length;
  return (
    <>
      <section>
        <div className={shared.row}>
          <h2>Steps</h2>
          {!done && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => {
                setPlaying(false);
                setShown(steps.length);
              }}
            >
              Show all
            </Button>
          )}
        </div>
        <ol className={classes.steps} aria-label="Steps of the test" data-testid="test-steps">
          {steps.slice(0, shown).map((step, index) => (
            <li key={index}>
              <button
                type="button"
                className={classes.step}
                data-now={index === shown - 1 || undefined}
                onClick={() => {
                  setPlaying(false);
                  setShown(index + 1);
                }}
              >
                <span className="muted num">{step.at.toFixed(1)} s</span>
                <strong>{step.name}</strong>
                <span className="muted">{[step.port, step.detail].filter(Boolean).join(" · ")}</span>
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
          <p key={index} className="mono">
            {request.method} {request.url}: {request.error || request.status}
          </p>
        ))}
      </section>
    </>
  );
}

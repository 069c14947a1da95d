/** How one step's requests, or all requests, are answered in a test. */
export interface Answer {
  /** The step's name; empty: any. */
  step: string;
  kind: "found" | "none" | "404" | "500" | "down" | "own";
  status: string;
  body: string;
}

/** What a test run plays. */
export interface TestForm {
  from: string;
  to: string;
  digits: string;
  /** When the call comes in, as a field of date and time has it; empty: a Monday at nine. */
  at: string;
  answers: Answer[];
  queue: "answered" | "noAnswer" | "full";
  /** Seconds after which the caller hangs up; empty: not before the end. */
  hangUp: string;
}

export const FOUND = '{"totalSize": 1, "done": true, "records": [{"Id": "003000000000001AAA", "Name": "Ada Example"}]}';
const NONE = '{"totalSize": 0, "done": true, "records": []}';

export const answerKinds: { value: Answer["kind"]; label: string }[] = [
  { value: "found", label: "Found one record" },
  { value: "none", label: "Found nothing" },
  { value: "404", label: "404" },
  { value: "500", label: "500" },
  { value: "down", label: "No answer" },
  { value: "own", label: "My own answer" },
];

function answerOf({ step, kind, status, body }: Answer): Record<string, unknown> {
  const to = { url: "*", ...(step ? { node: step } : {}) };
  switch (kind) {
    case "down":
      return { ...to, error: "connection refused" };
    case "found":
      return { ...to, status: 200, body: FOUND };
    case "none":
      return { ...to, status: 200, body: NONE };
    case "own":
      return { ...to, status: Number(status) || 200, body };
    default:
      return { ...to, status: Number(kind), body: "{}" };
  }
}

/** The form as a script of flow tests; answers for one step come before those for any. */
export function scriptOf(form: TestForm): Record<string, unknown> {
  const answers = [...form.answers].sort((a, b) => Number(a.step === "") - Number(b.step === ""));
  return {
    from: form.from.trim(),
    ...(form.to.trim() ? { to: form.to.trim() } : {}),
    ...(form.at ? { at: new Date(form.at).toISOString() } : {}),
    digits: form.digits.split(/[\s,;]+/).filter(Boolean),
    http: answers.map(answerOf),
    ...(form.queue === "noAnswer" ? { queue: [{ noAnswer: true }] } : form.queue === "full" ? { queue: [{ full: true }] } : {}),
    ...(Number(form.hangUp) > 0 ? { hangUp: { after: Number(form.hangUp) } } : {}),
  };
}

import { Button } from "@mantine/core";
import type { FlowDetail } from "../api/types";
import { Empty } from "../ui/States";
import { useMend } from "./api";
import classes from "./Flows.module.css";
import { excerptOf, nodeOf, readReport, type FlowProblem } from "./report";

interface Props {
  flow: FlowDetail;
  editable: boolean;
  goTo: (nodeId: string) => void;
}

/** What the import understood, and each defect with where it stands and how to mend it. */
export function ReportPanel({ flow, editable, goTo }: Props) {
  const report = readReport(flow);
  const mend = useMend(flow.id);
  const mendable = report.problems.filter(isMendable);
  return (
    <>
      <Summary mapped={report.mapped} approximated={report.approximated} unsupported={report.unsupported.length} />
      {report.unsupported.length > 0 && (
        <section>
          <h2>Not supported</h2>
          <p className="muted">These steps are kept, and skipped by their error or first exit when a call comes to them.</p>
          <ul className={classes.plain}>
            {report.unsupported.map((item) => (
              <li key={`${item.node} ${item.type}`}>
                <NodeLink flow={flow} node={item.node} goTo={goTo} /> <span className="muted">{item.type}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <div className={classes.row}>
          <h2>Problems</h2>
          {editable && mendable.length > 1 && (
            <Button size="xs" loading={mend.isPending} onClick={() => mend.mutate({ version: flow.version, all: true })} data-testid="mend-all">
              Apply all mends
            </Button>
          )}
        </div>
        {report.problems.length === 0 && (
          <Empty icon="check" title="No problems found">
            Every expression, path and exit of this flow holds.
          </Empty>
        )}
        <ol className={classes.problems}>
          {report.problems.map((problem) => (
            <li key={problem.index}>
              <Problem flow={flow} problem={problem} goTo={goTo} />
              {editable && isMendable(problem) && (
                <Button variant="default" size="compact-sm" disabled={mend.isPending} onClick={() => mend.mutate({ version: flow.version, problems: [problem.index] })}>
                  Apply this mend
                </Button>
              )}
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}

// Which proposals can be applied by themselves is the server's knowledge; it refuses the others in words.
const isMendable = (problem: FlowProblem) => problem.fix !== "" && !problem.adviceOnly;

// With a position the fix is the field's new text; without one it says what will be done.
const isText = (problem: FlowProblem) => problem.position >= 0;

function Summary({ mapped, approximated, unsupported }: { mapped: number; approximated: number; unsupported: number }) {
  const total = Math.max(1, mapped + approximated + unsupported);
  const parts: [string, number, string][] = [
    ["run as before", mapped, "good"],
    ["run nearly so", approximated, "warn"],
    ["not supported", unsupported, "bad"],
  ];
  return (
    <div>
      <div className={classes.bar} aria-hidden="true">
        {parts.map(([label, count, tone]) => (count > 0 ? <span key={label} data-tone={tone} style={{ width: `${(100 * count) / total}%` }} /> : null))}
      </div>
      <ul className={classes.legend}>
        {parts.map(([label, count, tone]) => (
          <li key={label} data-tone={tone}>
            <strong className="num">{count}</strong> {label}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Problem({ flow, problem, goTo }: { flow: FlowDetail; problem: FlowProblem; goTo: (id: string) => void }) {
  const excerpt = excerptOf(nodeOf(flow, problem), problem);
  return (
    <>
      <p className={classes.where}>
        {problem.node ? <NodeLink flow={flow} node={problem.node} index={problem.index} goTo={goTo} /> : <strong>The whole flow</strong>}
        {problem.field && (
          <span className="muted">
            {" "}
            {problem.field}
            {problem.position >= 0 && `, position ${problem.position}`}
          </span>
        )}
      </p>
      <p>{problem.message}</p>
      {excerpt && (
        <pre className={classes.code}>
          {excerpt.before}
          <mark>{excerpt.at}</mark>
          {excerpt.after}
        </pre>
      )}
      {problem.fix && (
        <div>
          <span className={classes.label}>{isMendable(problem) ? "Proposed mend" : "Advice"}</span>
          {isText(problem) ? <pre className={classes.code}>{problem.fix}</pre> : <p>{problem.fix}</p>}
        </div>
      )}
    </>
  );
}

function NodeLink({ flow, node, index, goTo }: { flow: FlowDetail; node: string; index?: number; goTo: (id: string) => void }) {
  const found = nodeOf(flow, { node, index });
  if (!found) return <strong>{node}</strong>;
  return (
    <button type="button" className={classes.nodeLink} onClick={() => goTo(found.id)}>
      {node}
    </button>
  );
}

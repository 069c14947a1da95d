import type { FlowDetail } from "../api/types";
import { Empty } from "../ui/States";
import { Pill, type Tone } from "../ui/Status";
import classes from "./Flows.module.css";
import { readReport } from "./report";

const tones: Record<string, Tone> = { mapped: "good", approximated: "warn", unsupported: "bad" };
const words: Record<string, string> = { mapped: "Runs as before", approximated: "Runs nearly so", unsupported: "Not supported" };

/** Everything about the selected step. */
export function NodePanel({ flow, id, goTo }: { flow: FlowDetail; id: string | null; goTo: (id: string) => void }) {
  const node = flow.nodes.find((item) => item.id === id);
  if (!node) {
    return (
      <Empty icon="flow" title="No step selected">
        Select a step on the picture, or find it by its name.
      </Empty>
    );
  }
  const problems = readReport(flow).problems.filter((problem) => node.problems.includes(problem.index));
  const exits = flow.edges.filter((edge) => edge.from === node.id);
  const nameOfNode = (nodeId: string) => flow.nodes.find((item) => item.id === nodeId)?.name || nodeId;
  return (
    <>
      <div className={classes.row}>
        <h2>{node.name || node.id}</h2>
        <Pill tone={tones[node.status]}>{words[node.status] ?? node.status}</Pill>
      </div>
      <p className="muted">
        {node.op}, from {node.type}
      </p>
      {problems.map((problem) => (
        <p key={problem.index} className={classes.bad}>
          {problem.message}
        </p>
      ))}
      <section>
        <h2>Settings</h2>
        {Object.keys(node.properties).length === 0 && <p className="muted">This step has none.</p>}
        <dl className={classes.properties}>
          {Object.entries(node.properties).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="mono">{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section>
        <h2>Exits</h2>
        {exits.length === 0 && <p className="muted">The way ends here.</p>}
        <ul className={classes.plain}>
          {exits.map((edge) => (
            <li key={`${edge.port} ${edge.to}`}>
              <span className="muted">{edge.port} to </span>
              <button type="button" className={classes.nodeLink} onClick={() => goTo(edge.to)}>
                {nameOfNode(edge.to)}
              </button>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

import type { FlowDetail } from "../api/types";
import { Empty } from "../ui/States";
import { Pill, type Tone } from "../ui/Status";
import classes from "./Flows.module.css";
import { fieldOf } from "./fields";
import { opLabel, portLabel } from "./ops";
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
        {opLabel(node)}
        {node.type !== node.op && node.op !== "unsupported" && `, from ${node.type}`}
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
              <dt title={name}>{fieldOf(node.op, name)?.label ?? name}</dt>
              <dd>
                <Value value={value} />
              </dd>
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
              <span className="muted" title={edge.port}>
                {portLabel(edge.port)}{" "}
              </span>
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

const isMap = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object" && !Array.isArray(value);

/** A setting as it reads best: prompts as their texts, lists one below the other. */
function Value({ value }: { value: unknown }) {
  if (value === "" || (Array.isArray(value) && value.length === 0)) return <span className="muted">empty</span>;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) {
    return (
      <ul className={classes.values}>
        {value.map((item: unknown, index) => (
          <li key={index}>
            <Value value={item} />
          </li>
        ))}
      </ul>
    );
  }
  if (!isMap(value)) return <span className="mono">{String(value)}</span>;
  if (Object.keys(value).length === 2 && "kind" in value && "text" in value) {
    return (
      <span className="mono">
        {value.kind !== "tts" && <span className="muted">{String(value.kind)}: </span>}
        {String(value.text)}
      </span>
    );
  }
  return (
    <dl className={classes.map}>
      {Object.entries(value).map(([name, item]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Value value={item} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

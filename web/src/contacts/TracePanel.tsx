import { UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get } from "../api/client";
import type { FlowDetail, Trace } from "../api/types";
import { useFlow } from "../flows/api";
import { FlowCanvas, type Focus } from "../flows/FlowCanvas";
import { opLabel } from "../flows/ops";
import { Empty, Loaded } from "../ui/States";
import classes from "./Contacts.module.css";

/** The way the contact took through its flow, on the flow's own picture. */
export function TracePanel({ contactId, flow }: { contactId: string; flow: { id: string; version: number } }) {
  const trace = useQuery({ queryKey: ["contact", contactId, "trace"], queryFn: ({ signal }) => get<Trace>(`/contacts/${encodeURIComponent(contactId)}/trace`, signal) });
  // The version the call ran on, whatever was published since.
  const drawn = useFlow(flow.id, flow.version);
  return (
    <section className="panel" aria-labelledby="trace">
      <header>
        <h2 id="trace">Way through the flow</h2>
      </header>
      <Loaded query={trace}>
        {(steps) => <Loaded query={drawn}>{(detail) => <Drawn flow={detail} steps={steps.steps ?? []} />}</Loaded>}
      </Loaded>
    </section>
  );
}

function Drawn({ flow, steps }: { flow: FlowDetail; steps: Trace["steps"] }) {
  const [selected, setSelected] = useState<number | null>(null);
  const [focus, setFocus] = useState<Focus | null>(null);
  const ids = useMemo(() => new Set(flow.nodes.map((node) => node.id)), [flow.nodes]);
  const path = useMemo(() => steps.map(({ node, port }) => ({ node, port })), [steps]);
  const node = selected === null ? null : (steps[selected]?.node ?? null);
  const main = steps[0]?.thread ?? 1;
  const elsewhere = steps.filter((step) => !ids.has(step.node)).length;
  if (steps.length === 0) {
    return (
      <Empty icon="flow" title="No steps were recorded">
        The call ended before the flow took its first step, or the trace is past its retention.
      </Empty>
    );
  }
  const choose = (index: number) => {
    setSelected(index);
    const id = steps[index]?.node;
    if (id !== undefined && ids.has(id)) setFocus({ id });
  };
  return (
    <>
      {elsewhere > 0 && <p className={classes.elsewhere}>{elsewhere === 1 ? "One step was" : `${elsewhere} steps were`} taken in another flow, which this picture does not show.</p>}
      <div className={classes.trace}>
        <FlowCanvas flow={flow} path={path} selected={node} onSelect={(id) => setSelected(id === null ? null : steps.findIndex((step) => step.node === id))} focus={focus} />
        <ol className={classes.steps} aria-label="Steps">
          {steps.map((step, index) => (
            <li key={index}>
              <UnstyledButton className={classes.step} aria-pressed={selected === index} data-elsewhere={!ids.has(step.node) || undefined} onClick={() => choose(index)}>
                <span className="muted num">{index + 1}</span>
                <strong>{step.name || step.node}</strong>
                <span className="muted num">{step.durationMs > 0 ? `${step.durationMs} ms` : ""}</span>
                <span className={classes.detail}>
                  {[!ids.has(step.node) && "in another flow", (step.thread ?? main) !== main && "handler", step.op && opLabel({ op: step.op, type: step.op }), step.port, step.detail].filter(Boolean).join(" · ")}
                </span>
              </UnstyledButton>
            </li>
          ))}
        </ol>
      </div>
    </>
  );
}

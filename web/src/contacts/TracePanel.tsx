import { UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get } from "../api/client";
import type { FlowDetail, Trace } from "../api/types";
import { FlowCanvas } from "../flows/FlowCanvas";
import { Empty, Loaded } from "../ui/States";
import classes from "./Contacts.module.css";

/** The way the contact took through its flow, on the flow's own picture. */
export function TracePanel({ contactId, flow }: { contactId: string; flow: { id: string; version: number } }) {
  const trace = useQuery({ queryKey: ["contact", contactId, "trace"], queryFn: ({ signal }) => get<Trace>(`/contacts/${encodeURIComponent(contactId)}/trace`, signal) });
  const drawn = useQuery({
    queryKey: ["flow", flow.id, flow.version],
    queryFn: ({ signal }) => get<FlowDetail>(`/flows/${encodeURIComponent(flow.id)}/versions/${flow.version}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
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
  const path = useMemo(() => steps.map((step) => step.node), [steps]);
  const node = selected === null ? null : (path[selected] ?? null);
  if (steps.length === 0) {
    return (
      <Empty icon="flow" title="No steps were recorded">
        The call ended before the flow took its first step, or the trace is past its retention.
      </Empty>
    );
  }
  return (
    <div className={classes.trace}>
      <FlowCanvas flow={flow} path={path} selected={node} onSelect={(id) => setSelected(id === null ? null : path.indexOf(id))} focus={node} />
      <ol className={classes.steps} aria-label="Steps">
        {steps.map((step, index) => (
          <li key={index}>
            <UnstyledButton className={classes.step} aria-pressed={selected === index} onClick={() => setSelected(index)}>
              <span className="muted num">{index + 1}</span>
              <strong>{step.name || step.node}</strong>
              <span className="muted num">{step.durationMs > 0 ? `${step.durationMs} ms` : ""}</span>
              <span className={classes.detail}>{[step.op, step.port, step.detail].filter(Boolean).join(" · ")}</span>
            </UnstyledButton>
          </li>
        ))}
      </ol>
    </div>
  );
}

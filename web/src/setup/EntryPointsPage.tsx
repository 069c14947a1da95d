import { NativeSelect, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useAll } from "../api/lists";
import type { EntryPoint, FlowSummary } from "../api/types";
import { Pill } from "../ui/Status";
import { ResourcePage } from "./ResourcePage";

type Value = Pick<EntryPoint, "number" | "name" | "flowId">;

/** The numbers this hub answers, and with which flow. */
export function EntryPointsPage() {
  const flows = useAll<FlowSummary>("/flows");
  const flowOf = (id: string) => flows.data?.find((flow) => flow.id === id);
  return (
    <ResourcePage<EntryPoint, Value>
      path="/entry-points"
      title="Entry points"
      noun="entry point"
      lead="The numbers this hub answers, and the flow that answers each of them."
      icon="hash"
      empty="Give a number a flow, and calls to it are answered."
      deleteWarning="Calls to this number are refused from then on."
      nameOf={(point) => point.number}
      columns={[
        { label: "Number", cell: (point) => <span className="num">{point.number}</span> },
        { label: "Name", cell: (point) => point.name },
        {
          label: "Flow",
          cell: (point) => {
            const flow = flowOf(point.flowId);
            return flow ? <Link to="/flows/$id" params={{ id: flow.id }}>{flow.name}</Link> : <Pill tone="bad">No flow</Pill>;
          },
        },
        { label: "State", cell: (point) => (flowOf(point.flowId)?.publishedVersion === 0 ? <Pill tone="warn">The flow is not published</Pill> : "") },
      ]}
      toValue={(point) => ({ number: point?.number ?? "", name: point?.name ?? "", flowId: point?.flowId ?? "" })}
      fields={({ value, set }) => (
        <>
          <TextInput label="Number" description="With its country code, as callers dial it: +49305550100" required withAsterisk={false} data-autofocus inputMode="tel" value={value.number} onChange={(event) => set("number", event.currentTarget.value)} />
          <TextInput label="Name" value={value.name} onChange={(event) => set("name", event.currentTarget.value)} />
          <NativeSelect
            label="Flow"
            required
            withAsterisk={false}
            data={[{ value: "", label: "Choose a flow" }, ...(flows.data ?? []).map((flow) => ({ value: flow.id, label: flow.publishedVersion ? flow.name : `${flow.name} (not published)` }))]}
            value={value.flowId}
            onChange={(event) => set("flowId", event.currentTarget.value)}
          />
        </>
      )}
    />
  );
}

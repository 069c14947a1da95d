import { MultiSelect, NativeSelect, NumberInput, Switch, TextInput } from "@mantine/core";
import { useAll } from "../api/lists";
import type { Hours, Queue, Ref, User } from "../api/types";
import { formatDuration } from "../ui/time";
import { ResourcePage } from "./ResourcePage";
import classes from "./Setup.module.css";

type Value = Omit<Queue, "id" | "version">;

/** The queues and who serves them. */
export function QueuesPage() {
  const users = useAll<User>("/users");
  const codes = useAll<Ref>("/wrapup-codes");
  const hours = useAll<Hours>("/hours");
  const agents = (users.data ?? []).flatMap((user) => (user.agentId ? [{ value: user.agentId, label: user.name || user.login }] : []));
  return (
    <ResourcePage<Queue, Value>
      path="/queues"
      title="Queues"
      noun="queue"
      lead="Where calls wait, for how long they ring, and which agents they are offered to."
      icon="queue"
      empty="A queue holds calls until an agent who serves it is free."
      deleteWarning="Flows that name this queue can no longer place calls in it."
      nameOf={(queue) => queue.name}
      columns={[
        { label: "Queue", cell: (queue) => queue.name },
        { label: "Agents", numeric: true, cell: (queue) => (queue.agentIds ?? []).length },
        { label: "Ring time", numeric: true, cell: (queue) => `${queue.ringSeconds} s` },
        { label: "Wrap-up", numeric: true, cell: (queue) => formatDuration(queue.wrapUpSeconds) },
        { label: "Maximum wait", numeric: true, cell: (queue) => (queue.maxWaitSeconds > 0 ? formatDuration(queue.maxWaitSeconds) : "no limit") },
        { label: "Recording", cell: (queue) => (queue.record ? "on" : "off") },
        { label: "Auto-accept", cell: (queue) => (queue.autoAccept ? "on" : "off") },
      ]}
      toValue={(queue) => ({
        name: queue?.name ?? "",
        ringSeconds: queue?.ringSeconds ?? 20,
        wrapUpSeconds: queue?.wrapUpSeconds ?? 60,
        maxWaitSeconds: queue?.maxWaitSeconds ?? 1800,
        agentIds: queue?.agentIds ?? [],
        wrapUpCodes: queue?.wrapUpCodes ?? [],
        autoAccept: queue?.autoAccept ?? false,
        hoursId: queue?.hoursId ?? "",
        record: queue?.record ?? false,
      })}
      fields={({ value, set }) => (
        <>
          <TextInput label="Name" required withAsterisk={false} data-autofocus value={value.name} onChange={(event) => set("name", event.currentTarget.value)} />
          <div className={classes.numbers}>
            <Seconds label="Ring time" min={5} value={value.ringSeconds} set={(seconds) => set("ringSeconds", seconds)} />
            <Seconds label="Wrap-up time" min={0} value={value.wrapUpSeconds} set={(seconds) => set("wrapUpSeconds", seconds)} />
            <Seconds label="Maximum wait" min={0} value={value.maxWaitSeconds} set={(seconds) => set("maxWaitSeconds", seconds)} />
          </div>
          <MultiSelect label="Agents" placeholder={value.agentIds.length === 0 ? "Nobody serves this queue" : undefined} searchable data={agents} value={value.agentIds} onChange={(ids) => set("agentIds", ids)} />
          <MultiSelect
            label="Wrap-up codes"
            description="None chosen: all codes can be used."
            searchable
            data={(codes.data ?? []).map((code) => ({ value: code.id, label: code.name }))}
            value={value.wrapUpCodes}
            onChange={(ids) => set("wrapUpCodes", ids)}
          />
          <NativeSelect
            label="Hours of operation"
            description="Flows that ask for the queue's hours are told these."
            data={[{ value: "", label: "None" }, ...(hours.data ?? []).map((one) => ({ value: one.id, label: one.name }))]}
            value={value.hoursId}
            onChange={(event) => set("hoursId", event.currentTarget.value)}
          />
          <Switch label="Auto-accept calls" description="The agent hears a tone and is connected without accepting." checked={value.autoAccept} onChange={(event) => set("autoAccept", event.currentTarget.checked)} />
          <Switch label="Record conversations" description="A flow may say otherwise. Tell callers that they are recorded." checked={value.record} onChange={(event) => set("record", event.currentTarget.checked)} />
        </>
      )}
    />
  );
}

function Seconds({ label, min, value, set }: { label: string; min: number; value: number; set: (seconds: number) => void }) {
  return <NumberInput label={label} aria-label={`${label}, seconds`} rightSection={<span className="muted small">s</span>} min={min} max={86_400} allowDecimal={false} hideControls value={value} onChange={(next) => set(Number(next) || 0)} />;
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { get } from "../api/client";
import { useEventStream } from "../api/stream";
import type { Live, LiveAgent, LiveCall, LiveQueue } from "../api/types";
import { Customer } from "../contacts/Customer";
import { stateName, toneOf } from "../desk/state";
import { DataTable, type Column } from "../ui/DataTable";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill, Status } from "../ui/Status";
import { Elapsed } from "../ui/Time";
import { formatDuration, millis } from "../ui/time";
import { callState, nameOf } from "../ui/words";
import classes from "./Live.module.css";

const LIVE = ["live"];

interface Snapshot {
  live: Live;
  offset: number;
}

const receive = (live: Live): Snapshot => ({
  live: { ...live, calls: live.calls ?? [], queues: live.queues ?? [], agents: live.agents ?? [] },
  offset: millis(live.now) - Date.now(),
});

/** What happens in the contact centre at this moment. */
export function LivePage() {
  const queries = useQueryClient();
  const snapshot = useQuery({ queryKey: LIVE, queryFn: async ({ signal }) => receive(await get<Live>("/live", signal)), staleTime: Number.POSITIVE_INFINITY });
  const stream = useEventStream<Live>("/live/events", "live", (live) => queries.setQueryData(LIVE, receive(live)));
  return (
    <Page title="Live" lead="Calls, queues and agents at this moment." actions={<StreamState lost={stream === "lost"} />}>
      <Loaded query={snapshot} rows={10}>
        {({ live, offset }) => (
          <>
            <Figures live={live} />
            <Calls calls={live.calls} offset={offset} />
            <div className={classes.pair}>
              <Queues queues={live.queues} />
              <Agents agents={live.agents} offset={offset} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function StreamState({ lost }: { lost: boolean }) {
  return (
    <span role="status">
      <Status tone={lost ? "bad" : "good"}>{lost ? "Connection lost, reconnecting" : "Up to date"}</Status>
    </span>
  );
}

function Figures({ live }: { live: Live }) {
  const waiting = live.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const longest = live.queues.reduce((most, queue) => Math.max(most, queue.longestWaitSeconds), 0);
  const talking = live.calls.filter((call) => call.state === "connected" || call.state === "held").length;
  const available = live.agents.filter((agent) => agent.state === "available").length;
  const figures: [string, string, boolean][] = [
    ["Waiting", String(waiting), waiting > 0],
    ["Longest wait", formatDuration(longest), false],
    ["Talking", String(talking), false],
    ["Agents available", String(available), waiting > 0 && available === 0],
  ];
  return (
    <dl className={`panel ${classes.figures}`}>
      {figures.map(([label, value, warn]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="num" data-warn={warn || undefined}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Calls({ calls, offset }: { calls: LiveCall[]; offset: number }) {
  const columns: Column<LiveCall>[] = [
    { label: "Customer", cell: (call) => <Customer contact={call} /> },
    { label: "State", cell: (call) => <CallState state={call.state} /> },
    { label: "For", numeric: true, cell: (call) => <Elapsed since={call.stateSince} offset={offset} /> },
    { label: "Where", cell: (call) => nameOf(call.queue) || [nameOf(call.flow), call.node].filter(Boolean).join(": ") },
    { label: "Agent", cell: (call) => nameOf(call.agent) || <span className="muted">none</span> },
    { label: "DNIS", cell: (call) => <span className="num">{call.dnis}</span> },
    { label: "In all", numeric: true, cell: (call) => <Elapsed since={call.createdAt} offset={offset} /> },
  ];
  return (
    <section className="panel" aria-labelledby="calls">
      <header>
        <h2 id="calls">Calls</h2>
      </header>
      {calls.length === 0 ? (
        <Empty icon="phone" title="No calls at the moment">
          Calls appear here the moment they arrive.
        </Empty>
      ) : (
        <DataTable caption="Calls" columns={columns} rows={calls} rowKey={(call) => call.id} />
      )}
    </section>
  );
}

function CallState({ state }: { state: string }) {
  const [text, tone] = callState(state);
  return <Pill tone={tone}>{text}</Pill>;
}

const queueColumns: Column<LiveQueue>[] = [
  { label: "Queue", cell: (queue) => <strong>{queue.name}</strong> },
  { label: "Waiting", numeric: true, cell: (queue) => <span className={queue.waiting > 0 ? classes.warn : undefined}>{queue.waiting}</span> },
  { label: "Longest", numeric: true, cell: (queue) => formatDuration(queue.longestWaitSeconds) },
  { label: "Free / staffed", numeric: true, cell: (queue) => `${queue.agentsAvailable} / ${queue.agentsStaffed}` },
  { label: "Answered", numeric: true, cell: (queue) => queue.answeredToday },
  { label: "Abandoned", numeric: true, cell: (queue) => queue.abandonedToday },
  { label: "Service", numeric: true, cell: (queue) => serviceLevel(queue.serviceLevel) },
];

// The level comes as a share or as percent.
function serviceLevel(level: number | null): string {
  if (level === null || level === undefined) return "–";
  return `${Math.round(level <= 1 ? level * 100 : level)} %`;
}

function Queues({ queues }: { queues: LiveQueue[] }) {
  return (
    <section className="panel" aria-labelledby="queues">
      <header>
        <h2 id="queues">Queues</h2>
        <span className="end muted small">Answered, abandoned and service level: today</span>
      </header>
      {queues.length === 0 ? (
        <Empty icon="queue" title="No queues yet">
          Add one under Queues; calls that wait in it are counted here.
        </Empty>
      ) : (
        <DataTable caption="Queues" columns={queueColumns} rows={queues} rowKey={(queue) => queue.id} />
      )}
    </section>
  );
}

const order: LiveAgent["state"][] = ["connected", "ringing", "available", "wrapup", "rona", "idle", "offline"];

function Agents({ agents, offset }: { agents: LiveAgent[]; offset: number }) {
  const sorted = [...agents].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name));
  return (
    <section className="panel" aria-labelledby="agents">
      <header>
        <h2 id="agents">Agents</h2>
      </header>
      {sorted.length === 0 && (
        <Empty icon="people" title="No agents yet">
          Create users with the agent role under Users.
        </Empty>
      )}
      <ul className={classes.agents}>
        {sorted.map((agent) => (
          <li key={agent.id}>
            <span className={classes.agent}>{agent.name}</span>
            <Status tone={toneOf(agent.state)}>{stateName(agent.state, agent.reason)}</Status>
            {agent.state === "offline" ? <span /> : <Elapsed since={agent.since} offset={offset} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

import { Button, NumberInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post } from "../api/client";
import type { System } from "../api/types";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { formatAbsolute } from "../ui/time";
import { toastDone, toastFailed } from "../ui/toast";
import { Fact } from "./AuditPage";
import classes from "./Ops.module.css";

const SYSTEM = ["/system"];
const listenerNames: Record<string, string> = {
  http: "Console and API",
  sandbox: "Sandbox CRM",
  pubsub: "Sandbox CRM events",
  sip: "SIP",
  webrtc: "Browser audio",
  metrics: "Metrics",
};

/** What runs here, where it listens and how much it holds. */
export function SystemPage() {
  const system = useQuery({ queryKey: SYSTEM, queryFn: ({ signal }) => get<System>("/system", signal), refetchInterval: 10_000 });
  return (
    <Page title="System" lead="What runs here, where it listens and how much it holds.">
      <Loaded query={system}>
        {(data) => (
          <>
            <Facts system={data} />
            <Listeners system={data} />
            {data.clockControllable && <TestClock system={data} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Facts({ system }: { system: System }) {
  return (
    <section className="panel" aria-label="Hub">
      <header>
        <h2>Hub</h2>
        <span className="end">{system.draining ? <Pill tone="warn">Draining: takes no new calls</Pill> : <Pill tone="good">Running</Pill>}</span>
      </header>
      <dl className={classes.facts}>
        <Fact label="Version">{system.version}</Fact>
        <Fact label="Started">
          <Ago time={system.startedAt} />
        </Fact>
        <Fact label="Database">{system.engine === "postgres" ? "PostgreSQL" : "SQLite"}</Fact>
        <Fact label="Speech">{system.speech.available ? system.speech.engine : <Pill tone="bad">Not available</Pill>}</Fact>
        <Fact label="Contacts">{system.counts.contacts}</Fact>
        <Fact label="Events">{system.counts.events}</Fact>
        <Fact label="Jobs waiting">{system.counts.jobsWaiting}</Fact>
      </dl>
    </section>
  );
}

function Listeners({ system }: { system: System }) {
  return (
    <section className="panel" aria-label="Listeners">
      <header>
        <h2>Listens on</h2>
      </header>
      <dl className={classes.facts}>
        {Object.entries(system.listeners).map(([name, address]) => (
          <Fact key={name} label={listenerNames[name] ?? name}>
            <span className="mono">{address || "off"}</span>
          </Fact>
        ))}
      </dl>
    </section>
  );
}

function TestClock({ system }: { system: System }) {
  const [seconds, setSeconds] = useState(60);
  const queries = useQueryClient();
  const advance = useMutation({
    mutationFn: () => post("/system/clock/advance", { seconds }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: SYSTEM });
      toastDone(`The clock is ${seconds} seconds further.`);
    },
    onError: toastFailed,
  });
  return (
    <section className="panel" aria-label="Clock">
      <header>
        <h2>Clock</h2>
        {system.clockOffsetSeconds !== 0 && (
          <span className="end">
            <Pill tone="warn">Moved by {system.clockOffsetSeconds} s</Pill>
          </span>
        )}
      </header>
      <div className={classes.clock}>
        <p className="num">{formatAbsolute(system.now)}</p>
        <p className="muted">This hub was started for tests: its clock can be moved, to see what happens later.</p>
        <div className={classes.advance}>
          <NumberInput aria-label="Seconds to advance" min={1} max={2_592_000} allowDecimal={false} hideControls suffix=" s" value={seconds} onChange={(value) => setSeconds(Number(value) || 1)} />
          <Button variant="default" loading={advance.isPending} onClick={() => advance.mutate()}>
            Advance
          </Button>
        </div>
      </div>
    </section>
  );
}

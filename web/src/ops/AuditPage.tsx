import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { get, messageOf, post } from "../api/client";
import { usePages } from "../api/lists";
import type { AuditEntry, Checkpoint } from "../api/types";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon } from "../ui/Icon";
import { More } from "../ui/More";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { shortName } from "../ui/words";
import classes from "./Ops.module.css";

// Reads that were allowed are sealed as counts, not one by one.
const outcomes: Record<string, string> = { ok: "Done", denied: "Denied", count: "Counted" };

interface AuditFilter {
  principal: string;
  action: string;
  outcome: string;
}

const NO_FILTER: AuditFilter = { principal: "", action: "", outcome: "" };

function columnsWith(narrow: (part: Partial<AuditFilter>) => void): Column<AuditEntry>[] {
  return [
    { label: "No.", numeric: true, cell: (entry) => entry.seq || "" },
    { label: "When", cell: (entry) => <Ago time={entry.at} /> },
    { label: "Who", cell: (entry) => <Narrow text={shortName(entry.principal)} title={entry.principal} run={() => narrow({ principal: entry.principal })} /> },
    { label: "Did", cell: (entry) => <Narrow text={entry.action} title={entry.action} run={() => narrow({ action: entry.action })} /> },
    { label: "To", cell: (entry) => <Target entry={entry} /> },
    { label: "Outcome", cell: (entry) => <Pill tone={entry.outcome === "denied" ? "bad" : "neutral"}>{outcomes[entry.outcome] ?? entry.outcome}</Pill> },
    { label: "Sealed", cell: (entry) => (entry.sealed ? "yes" : <span className="muted">soon</span>) },
  ];
}

/** A value that narrows the list to itself. */
function Narrow({ text, title, run }: { text: string; title: string; run: () => void }) {
  return (
    <button type="button" className={classes.narrow} title={title} onClick={run}>
      {text}
    </button>
  );
}

function Target({ entry }: { entry: AuditEntry }) {
  return (
    <span className={classes.target}>
      <span className="mono" title={entry.resource}>
        {shortName(entry.resource)}
      </span>
      {entry.detail && entry.detail !== "{}" && <span className="muted small">{entry.detail}</span>}
    </span>
  );
}

/** Who did what, in a log that cannot be changed unnoticed. */
export function AuditPage() {
  const [filter, setFilter] = useState(NO_FILTER);
  const entries = usePages<AuditEntry>("/audit", { ...filter });
  const columns = columnsWith((part) => setFilter({ ...filter, ...part }));
  return (
    <Page title="Audit" lead="Every change and every refusal, sealed so that no entry can be altered unnoticed.">
      <Seal />
      <Filter key={JSON.stringify(filter)} filter={filter} apply={setFilter} />
      <section className="panel" aria-label="Entries">
        <Loaded query={entries} rows={12}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon="shield" title="No entry matches">
                Try a wider search.
              </Empty>
            ) : (
              <DataTable caption="Audit entries" columns={columns} rows={rows} rowKey={(entry) => entry.id} />
            )
          }
        </Loaded>
        <More {...entries} />
      </section>
    </Page>
  );
}

function Filter({ filter, apply }: { filter: AuditFilter; apply: (filter: AuditFilter) => void }) {
  const [principal, setPrincipal] = useState(filter.principal);
  const [action, setAction] = useState(filter.action);
  const [outcome, setOutcome] = useState(filter.outcome);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    apply({ principal: principal.trim(), action: action.trim(), outcome });
  };
  return (
    <form className={classes.filters} onSubmit={submit} role="search" aria-label="Audit">
      <TextInput label="Who" placeholder="Full name" value={principal} onChange={(event) => setPrincipal(event.currentTarget.value)} />
      <TextInput label="Action" placeholder="flow:Import" value={action} onChange={(event) => setAction(event.currentTarget.value)} />
      <NativeSelect label="Outcome" data={[{ value: "", label: "Any" }, ...Object.entries(outcomes).map(([value, label]) => ({ value, label }))]} value={outcome} onChange={(event) => setOutcome(event.currentTarget.value)} />
      <Button type="submit" variant="default">
        Search
      </Button>
      {(filter.principal || filter.action || filter.outcome) && (
        <Button variant="subtle" onClick={() => apply(NO_FILTER)}>
          Clear
        </Button>
      )}
    </form>
  );
}

function Seal() {
  const checkpoint = useQuery({ queryKey: ["/audit/checkpoint"], queryFn: ({ signal }) => get<Checkpoint>("/audit/checkpoint", signal), refetchInterval: 15_000 });
  const verify = useMutation({ mutationFn: () => post<{ ok: boolean; size: number; message: string }>("/audit/verify") });
  return (
    <section className={`panel ${classes.seal}`} aria-label="Checkpoint">
      <Loaded query={checkpoint} rows={1}>
        {(data) => (
          <dl className={classes.facts}>
            <Fact label="Sealed entries">{data.size}</Fact>
            <Fact label="Waiting for the seal">{data.pending}</Fact>
            <Fact label="Last seal">
              <Ago time={data.sealedAt} />
            </Fact>
            <Fact label="Root hash">
              <span className={`mono ${classes.hash}`} title={data.rootHash}>
                {data.rootHash || "none yet"}
              </span>
            </Fact>
          </dl>
        )}
      </Loaded>
      <div className={classes.verify}>
        <Button variant="default" leftSection={<Icon name="shield" />} loading={verify.isPending} onClick={() => verify.mutate()} data-testid="verify">
          Verify the log
        </Button>
        <span role="status">
          {verify.data && <Pill tone={verify.data.ok ? "good" : "bad"}>{verify.data.message}</Pill>}
          {verify.error && <Pill tone="bad">{messageOf(verify.error)}</Pill>}
        </span>
      </div>
    </section>
  );
}

export function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd className="num">{children}</dd>
    </div>
  );
}

import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { get } from "../api/client";
import type { ContactDetail } from "../api/types";
import { DeliveryNote } from "../ui/DeliveryNote";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Empty, ListSkeleton, Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { formatAbsolute, formatClock, formatDuration } from "../ui/time";
import { endReasonName, writeBack } from "../ui/words";
import classes from "./Contacts.module.css";
import { Result, showsDisposition } from "./ContactsPage";
import { RecordingPanel } from "./RecordingPanel";

const TracePanel = lazy(() => import("./TracePanel").then((module) => ({ default: module.TracePanel })));

const REFRESH_MS = 5_000;

/** One contact: what happened, in order, and what came of it. */
export function ContactPage() {
  const { id } = useParams({ from: "/in/lead/contacts/$id" });
  const contact = useQuery({
    queryKey: ["contact", id],
    queryFn: ({ signal }) => get<ContactDetail>(`/contacts/${encodeURIComponent(id)}`, signal),
    // A call that goes on changes; an ended one changes while it is written to the CRM.
    refetchInterval: ({ state }) => (state.data?.endedAt && state.data.writeBack !== "pending" ? false : REFRESH_MS),
  });
  return (
    <Page
      title={contact.data ? contact.data.ani || "Number withheld" : "Contact"}
      before={<BackToList />}
      lead={contact.data && <Lead contact={contact.data} />}
    >
      <Loaded query={contact} rows={12}>
        {(data) => <Record contact={data} />}
      </Loaded>
    </Page>
  );
}

function BackToList() {
  return (
    <Anchor renderRoot={(props) => <Link to="/contacts" {...props} />} size="sm">
      Contacts
    </Anchor>
  );
}

function Lead({ contact }: { contact: ContactDetail }) {
  if (contact.callback)
    return (
      <>
        Callback, asked for <Ago time={contact.createdAt} /> in <ContactLink id={contact.callback.previous}>an earlier call</ContactLink>
      </>
    );
  return (
    <>
      Called <span className="num">{contact.dnis}</span> <Ago time={contact.createdAt} />
      {contact.calledBack && (
        <>
          , <ContactLink id={contact.calledBack}>to be called back</ContactLink>
        </>
      )}
    </>
  );
}

function ContactLink({ id, children }: { id: string; children: React.ReactNode }) {
  return <Anchor underline="always" renderRoot={(props) => <Link to="/contacts/$id" params={{ id }} {...props} />}>{children}</Anchor>;
}

function Record({ contact }: { contact: ContactDetail }) {
  return (
    <>
      <Facts contact={contact} />
      <RecordingPanel contact={contact} />
      <div className={classes.columns}>
        <div className={classes.column}>
          <Timeline contact={contact} />
          <WriteBacks contact={contact} />
        </div>
        <div className={classes.column}>
          <Notes contact={contact} />
          <Variables contact={contact} />
          <Legs contact={contact} />
        </div>
      </div>
      {contact.flow && (
        <Suspense fallback={<ListSkeleton />}>
          <TracePanel contactId={contact.id} flow={contact.flow} />
        </Suspense>
      )}
    </>
  );
}

function Facts({ contact }: { contact: ContactDetail }) {
  const facts: [string, React.ReactNode][] = [
    ["Result", <Result key="result" contact={contact} />],
    ...(showsDisposition(contact) ? [["Ended", endReasonName(contact.endReason)] as [string, React.ReactNode]] : []),
    ["Queue", contact.queue?.name ?? "none"],
    ["Agent", contact.agent?.name ?? "none"],
    ["Waited", formatDuration(contact.waitSeconds)],
    ["Talked", formatDuration(contact.talkSeconds)],
    ["In all", formatDuration(contact.durationSeconds)],
    ...(contact.screenPop ? [["Screen pop", contact.screenPop.label || contact.screenPop.url] as [string, React.ReactNode]] : []),
    ["Flow", contact.flow ? <FlowLink key="flow" id={contact.flow.id} text={`${contact.flow.name}, version ${contact.flow.version}`} /> : "none"],
  ];
  return (
    <dl className={`panel ${classes.facts}`}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function FlowLink({ id, text }: { id: string; text: string }) {
  return <Anchor renderRoot={(props) => <Link to="/flows/$id" params={{ id }} {...props} />}>{text}</Anchor>;
}

const isBad = (type: string) => /fail|error|abandon|reject|rona|missed/i.test(type);

function Timeline({ contact }: { contact: ContactDetail }) {
  return (
    <section className="panel" aria-labelledby="timeline">
      <header>
        <h2 id="timeline">Timeline</h2>
      </header>
      <ol className={classes.timeline}>
        {(contact.timeline ?? []).map((moment, index) => (
          <li key={`${moment.at} ${index}`} data-bad={isBad(moment.type) || undefined}>
            <time className="num" dateTime={moment.at} title={formatAbsolute(moment.at)}>
              {formatClock(moment.at)}
            </time>
            <div>
              {moment.text || moment.type}
              {moment.detail && <div className={`${classes.detail} small`}>{moment.detail}</div>}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

const writeBackColumns: Column<ContactDetail["writeBacks"][number]>[] = [
  {
    label: "Request",
    cell: (item) => (
      <>
        <span className={`mono ${classes.request}`}>{`${item.method} ${item.target}`}</span>
        {item.lastError && <div className={`small ${classes.error}`}>{item.lastError}</div>}
        <DeliveryNote delivery={item.delivery} how={item.how} stage={item.stage} />
      </>
    ),
  },
  {
    label: "Status",
    cell: (item) => {
      const [text, tone] = writeBack(item.status);
      return <Pill tone={tone}>{text}</Pill>;
    },
  },
  { label: "Tries", numeric: true, cell: (item) => item.attempts },
  { label: "When", cell: (item) => <Ago time={item.at} /> },
];

function WriteBacks({ contact }: { contact: ContactDetail }) {
  const items = contact.writeBacks ?? [];
  return (
    <section className="panel" aria-labelledby="writebacks">
      <header>
        <h2 id="writebacks">Written to the CRM</h2>
      </header>
      {items.length === 0 ? (
        <Empty icon="plug" title="Nothing was written">
          The flow asked for no write-back of this contact.
        </Empty>
      ) : (
        <DataTable caption="Write-backs" columns={writeBackColumns} rows={items} rowKey={(item) => item.jobId} />
      )}
    </section>
  );
}

function Notes({ contact }: { contact: ContactDetail }) {
  return (
    <section className="panel" aria-labelledby="notes">
      <header>
        <Icon name="note" />
        <h2 id="notes">Notes</h2>
      </header>
      <p className={classes.notes}>{contact.notes || <span className="muted">No notes were taken.</span>}</p>
    </section>
  );
}

function Variables({ contact }: { contact: ContactDetail }) {
  const variables = contact.variables ?? [];
  if (variables.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="variables">
      <header>
        <Icon name="tag" />
        <h2 id="variables">Call details</h2>
      </header>
      <dl className={classes.facts}>
        {variables.map((variable) => (
          <div key={variable.name}>
            <dt>{variable.label || variable.name}</dt>
            <dd>{variable.value || <span className="muted">empty</span>}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const legColumns: Column<ContactDetail["legs"][number]>[] = [
  { label: "Leg", cell: (leg) => <strong className={classes.leg}>{leg.kind}</strong> },
  { label: "Packets", numeric: true, cell: (leg) => leg.packetsReceived },
  { label: "Lost", numeric: true, cell: (leg) => `${((100 * leg.packetsLost) / Math.max(1, leg.packetsReceived + leg.packetsLost)).toFixed(1)} %` },
  { label: "Jitter", numeric: true, cell: (leg) => `${leg.jitterMs.toFixed(1)} ms` },
];

function Legs({ contact }: { contact: ContactDetail }) {
  const legs = contact.legs ?? [];
  if (legs.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="legs">
      <header>
        <h2 id="legs">Audio quality</h2>
      </header>
      <DataTable caption="Audio quality" columns={legColumns} rows={legs} rowKey={(leg) => `${leg.kind} ${leg.address}`} />
    </section>
  );
}

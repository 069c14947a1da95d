import { useNavigate, useSearch } from "@tanstack/react-router";
import { usePages } from "../api/lists";
import type { ContactSummary } from "../api/types";
import { DataTable, type Column } from "../ui/DataTable";
import { More } from "../ui/More";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { formatDuration } from "../ui/time";
import { callState, endReasonName, writeBack } from "../ui/words";
import { Customer } from "./Customer";
import { Filters } from "./Filters";
import { paramsOf, type ContactFilter } from "./filter";

const columns: Column<ContactSummary>[] = [
  { label: "Customer", cell: (contact) => <Customer contact={contact} /> },
  { label: "When", cell: (contact) => <Ago time={contact.createdAt} /> },
  { label: "Result", cell: (contact) => <Result contact={contact} /> },
  { label: "Queue", cell: (contact) => contact.queue?.name ?? "" },
  { label: "Agent", cell: (contact) => contact.agent?.name ?? "" },
  { label: "Waited", numeric: true, cell: (contact) => formatDuration(contact.waitSeconds) },
  { label: "Talked", numeric: true, cell: (contact) => formatDuration(contact.talkSeconds) },
  { label: "CRM", cell: (contact) => <WriteBack status={contact.writeBack} /> },
];

/** Every contact there was, newest first, with the searches that encrypted numbers allow. */
export function ContactsPage() {
  const filter = useSearch({ from: "/in/lead/contacts" });
  const navigate = useNavigate();
  const contacts = usePages<ContactSummary>("/contacts", paramsOf(filter));
  const change = (next: ContactFilter) => void navigate({ to: "/contacts", search: next, replace: true });
  const filtered = Object.keys(filter).length > 0;
  return (
    <Page title="Contacts" lead="Every call and callback, what became of it and what was written to the CRM.">
      <Filters filter={filter} change={change} />
      <section className="panel" aria-label="Contacts">
        <Loaded query={contacts} rows={12}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon="search" title={filtered ? "No contact matches" : "No contacts yet"}>
                {filtered ? "Numbers are found by the whole number, or by their last 4 or 7 digits." : "Calls are listed here as soon as they arrive."}
              </Empty>
            ) : (
              <DataTable caption="Contacts" columns={columns} rows={rows} rowKey={(contact) => contact.id} />
            )
          }
        </Loaded>
        <More {...contacts} />
      </section>
    </Page>
  );
}

const badEnds = ["abandoned", "error", "hub_restart"];

/** Whether the disposition is what came of the contact; else it is how it ended. */
export const showsDisposition = (contact: ContactSummary): boolean => Boolean(contact.endedAt && contact.disposition && !badEnds.includes(contact.endReason));

export function Result({ contact }: { contact: ContactSummary }) {
  if (contact.endedAt) {
    const bad = badEnds.includes(contact.endReason);
    return showsDisposition(contact) ? <span>{contact.disposition?.name}</span> : <Pill tone={bad ? "bad" : contact.endReason === "unreachable" ? "warn" : "neutral"}>{endReasonName(contact.endReason)}</Pill>;
  }
  const [text, tone] = callState(contact.state);
  return <Pill tone={tone}>{text}</Pill>;
}

export function WriteBack({ status }: { status: string }) {
  const [text, tone] = writeBack(status);
  return status === "none" || !status ? <span className="muted">–</span> : <Pill tone={tone}>{text}</Pill>;
}

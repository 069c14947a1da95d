import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { get, query } from "../api/client";
import type { ContactSummary, Page } from "../api/types";
import { Empty, Loaded } from "../ui/States";
import { Ago } from "../ui/Time";
import { formatDuration } from "../ui/time";
import classes from "./lists.module.css";
import { useDesk } from "./useDesk";

/** What this caller called about before. */
export function EarlierPanel({ contacts }: { contacts: ContactSummary[] }) {
  return (
    <section className="panel" aria-labelledby="earlier-title">
      <header>
        <h2 id="earlier-title">Earlier calls of this number</h2>
      </header>
      {contacts.length === 0 ? (
        <Empty icon="clock" title="First call">
          This number has not called before.
        </Empty>
      ) : (
        <Rows contacts={contacts} who={(contact) => contact.agent?.name ?? "No agent"} />
      )}
    </section>
  );
}

/** The calls this agent took, newest first. */
export function HistoryPanel() {
  const { desk } = useDesk();
  const history = useInfiniteQuery({
    queryKey: ["desk", "history", desk.agent.id],
    queryFn: ({ pageParam, signal }) => get<Page<ContactSummary>>(`/desk/history${query({ cursor: pageParam, limit: 10 })}`, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
    staleTime: 0,
  });
  return (
    <section className="panel" aria-labelledby="history-title">
      <header>
        <h2 id="history-title">Your recent calls</h2>
      </header>
      <Loaded query={history} rows={4}>
        {(data) => {
          const contacts = data.pages.flatMap((page) => page.items);
          if (contacts.length === 0) {
            return (
              <Empty icon="list" title="No calls yet">
                Calls you take are listed here.
              </Empty>
            );
          }
          return <Rows contacts={contacts} who={(contact) => contact.queue?.name ?? ""} />;
        }}
      </Loaded>
      {history.hasNextPage && (
        <div className={classes.more}>
          <Button variant="default" size="xs" loading={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </section>
  );
}

function Rows({ contacts, who }: { contacts: ContactSummary[]; who: (contact: ContactSummary) => string }) {
  return (
    <ul className={classes.list}>
      {contacts.map((contact) => (
        <li key={contact.id} className={classes.row}>
          <span className={`num ${classes.grow}`}>{contact.ani || "Number withheld"}</span>
          <span className={classes.figure}>
            <Ago time={contact.createdAt} />
          </span>
          <span className={`num ${classes.figure}`}>{contact.talkSeconds > 0 ? formatDuration(contact.talkSeconds) : "not answered"}</span>
          <span className={classes.note}>{[contact.disposition?.name, who(contact)].filter(Boolean).join(" · ")}</span>
        </li>
      ))}
    </ul>
  );
}

import { Empty, Failure, ListSkeleton } from "../ui/States";
import { ToneOnRing } from "./Attention";
import { AudioPanel } from "./AudioPanel";
import { CallCard } from "./CallCard";
import { CustomerPanel } from "./CustomerPanel";
import classes from "./Desk.module.css";
import { DeskBar } from "./DeskBar";
import { EarlierPanel, HistoryPanel } from "./Earlier";
import { IdleCard } from "./IdleCard";
import { NotesPanel } from "./NotesPanel";
import { QueuesPanel } from "./QueuesPanel";
import { RingCard } from "./RingCard";
import { ScreenPopCard } from "./ScreenPopCard";
import { announcement, onCall } from "./state";
import { useAudio, type Audio } from "./useAudio";
import { DeskContext, useDesk, useDeskFeed } from "./useDesk";
import { useLeaveWarning } from "./useLeaveWarning";
import { VariablesPanel } from "./VariablesPanel";

/** The agent desk: a view of the state that the server holds, which may be reloaded at any moment. */
export function DeskPage() {
  const feed = useDeskFeed();
  const desk = feed.received?.desk ?? null;
  const audio = useAudio(desk);
  useLeaveWarning(onCall(desk?.contact ?? null));
  if (!feed.received || !desk) {
    return feed.error ? <Failure error={feed.error} retry={feed.refetch} /> : <ListSkeleton rows={8} />;
  }
  const usable = feed.stream !== "lost";
  return (
    <DeskContext.Provider value={{ desk, offset: feed.received.offset, usable }}>
      <h1 className="sr-only">Agent desk</h1>
      {!usable && (
        <div className={classes.lost} role="alert" data-testid="connection-lost">
          Connection lost, reconnecting. A call in progress goes on; the buttons come back with the connection.
        </div>
      )}
      <DeskBar audio={audio} />
      <p className="sr-only" aria-live="assertive" data-testid="announcement">
        {announcement(desk)}
      </p>
      <ToneOnRing leads={!audio.elsewhere} />
      <div className={classes.columns}>
        <Centre audio={audio} />
        <Beside />
      </div>
    </DeskContext.Provider>
  );
}

function Centre({ audio }: { audio: Audio }) {
  const { contact } = useDesk().desk;
  if (!contact) {
    return (
      <div className={classes.column}>
        <AudioPanel audio={audio} />
        <IdleCard />
        <HistoryPanel />
      </div>
    );
  }
  // Broken audio comes first during a call, and last once there is only the wrap-up to do.
  const over = contact.state === "wrapup";
  return (
    <div className={classes.column}>
      {contact.state === "ringing" ? <RingCard contact={contact} /> : <CallCard contact={contact} />}
      {!over && <AudioPanel audio={audio} />}
      <ScreenPopCard contact={contact} leads={!audio.elsewhere} />
      <div className={classes.pair}>
        <VariablesPanel contact={contact} />
        {contact.state !== "ringing" && <NotesPanel key={contact.id} contact={contact} />}
      </div>
      {over && <AudioPanel audio={audio} />}
    </div>
  );
}

function Beside() {
  const { contact } = useDesk().desk;
  if (!contact) {
    return (
      <aside className={classes.column} aria-label="Queues">
        <QueuesPanel />
      </aside>
    );
  }
  return (
    <aside className={classes.column} aria-label="Customer">
      {contact.customer.status === "off" ? (
        <section className="panel">
          <Empty icon="user" title="No customer records">
            This hub is not connected to a CRM, so callers are not looked up.
          </Empty>
        </section>
      ) : (
        <CustomerPanel customer={contact.customer} number={contact.ani} />
      )}
      <EarlierPanel contacts={contact.earlier} />
    </aside>
  );
}

import { formatDuration } from "../ui/time";
import { Empty } from "../ui/States";
import classes from "./lists.module.css";
import { useDesk } from "./useDesk";

/** The queues this agent serves and who waits in them. */
export function QueuesPanel() {
  const { queues } = useDesk().desk;
  return (
    <section className="panel" aria-labelledby="queues-title">
      <header>
        <h2 id="queues-title">Your queues</h2>
      </header>
      {queues.length === 0 && (
        <Empty icon="queue" title="No queues yet">
          Queues you serve show here, with who is waiting.
        </Empty>
      )}
      <ul className={classes.list}>
        {queues.map((queue) => (
          <li key={queue.id} className={classes.row}>
            <span className={classes.grow}>{queue.name}</span>
            <span className={`num ${classes.figure}`} data-some={queue.waiting > 0 || undefined}>
              {queue.waiting} waiting
            </span>
            <span className={`num ${classes.figure}`}>{queue.waiting > 0 ? `longest ${formatDuration(queue.longestWaitSeconds)}` : ""}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

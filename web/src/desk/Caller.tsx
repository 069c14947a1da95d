import type { DeskContact } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./CallCard.module.css";
import { callerOf, WITHHELD } from "./state";

/** Who calls, on which number, from which queue. */
export function Caller({ contact, lead }: { contact: DeskContact; lead: string }) {
  const number = contact.ani || WITHHELD;
  const who = callerOf(contact);
  return (
    <div className={classes.caller}>
      <span className={classes.avatar} data-state={contact.state}>
        <Icon name="user" size={24} />
      </span>
      <div className={classes.words}>
        <p className={classes.lead}>{lead}</p>
        <h2 className={classes.name} data-testid={who === number ? "caller-number" : undefined}>
          {who}
        </h2>
        <p className={classes.facts}>
          {who !== number && (
            <span className="num" data-testid="caller-number">
              {number}
            </span>
          )}
          {contact.queue && <span>{contact.queue.name}</span>}
          {contact.callback && contact.state !== "ringing" && <span>Callback</span>}
          {contact.dnis && !contact.callback && <span className="num">to {contact.dnis}</span>}
        </p>
      </div>
    </div>
  );
}

import type { DeskContact } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./CallCard.module.css";

/** Who calls, on which number, from which queue. */
export function Caller({ contact, lead }: { contact: DeskContact; lead: string }) {
  return (
    <div className={classes.caller}>
      <span className={classes.avatar} data-state={contact.state}>
        <Icon name="user" size={24} />
      </span>
      <div className={classes.words}>
        <p className={classes.lead}>{lead}</p>
        <h2 className={classes.name}>{contact.callerName || contact.ani || "Number withheld"}</h2>
        <p className={classes.facts}>
          <span className="num" data-testid="caller-number">
            {contact.ani || "Number withheld"}
          </span>
          {contact.queue && <span>{contact.queue.name}</span>}
          {contact.callback && contact.state !== "ringing" && <span>Callback</span>}
          {contact.dnis && !contact.callback && <span className="num">to {contact.dnis}</span>}
        </p>
      </div>
    </div>
  );
}

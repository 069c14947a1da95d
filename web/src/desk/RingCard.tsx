import { Button } from "@mantine/core";
import { useEffect, useRef } from "react";
import type { DeskContact } from "../api/types";
import { Icon } from "../ui/Icon";
import { Key } from "../ui/Key";
import { formatDuration, millis } from "../ui/time";
import { useRemaining } from "../ui/Time";
import { Caller } from "./Caller";
import classes from "./CallCard.module.css";
import { useShortcuts } from "./shortcuts";
import { useDesk, useDeskAction } from "./useDesk";

/** An offered call: who, from which queue, how long it still rings, and the two answers. */
export function RingCard({ contact }: { contact: DeskContact }) {
  const { offset, usable } = useDesk();
  const action = useDeskAction();
  const left = useRemaining(contact.ringUntil, offset);
  const accept = () => action.mutate({ path: `/contacts/${contact.id}/accept` });
  const decline = () => action.mutate({ path: `/contacts/${contact.id}/decline` });
  const enabled = usable && !action.isPending;
  useShortcuts({ a: enabled ? accept : undefined, d: enabled ? decline : undefined });

  // Nobody who is typing is interrupted: the focus moves only when it is nowhere.
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) button.current?.focus();
  }, [contact.id]);

  return (
    <section className={`panel ${classes.ring}`} aria-label={contact.callback ? "Callback" : "Incoming call"} data-direction={contact.direction}>
      <Caller contact={contact} lead={contact.callback ? "Callback: the customer is called once you accept" : "Incoming call"} />
      <div className={classes.ringSide}>
        {contact.ringUntil && (
          <p className={classes.countdown}>
            Rings for <strong className="num" data-testid="ring-countdown">{left}</strong> s more
          </p>
        )}
        <div className={classes.answers}>
          <Button ref={button} size="lg" color="green" leftSection={<Icon name="phone" size={20} />} rightSection={<Key>A</Key>} disabled={!enabled} onClick={accept} data-testid="accept">
            Accept
          </Button>
          <Button size="lg" variant="default" leftSection={<Icon name="phoneDown" size={20} />} rightSection={<Key>D</Key>} disabled={!enabled} onClick={decline} data-testid="decline">
            Decline
          </Button>
        </div>
        <Waited contact={contact} />
      </div>
    </section>
  );
}

function Waited({ contact }: { contact: DeskContact }) {
  const seconds = (millis(contact.offeredAt) - millis(contact.callback?.waitingSince ?? contact.queuedAt)) / 1000;
  const attempt = contact.callback && `Attempt ${contact.callback.attempt} of ${contact.callback.maxAttempts}`;
  if (Number.isNaN(seconds) || seconds < 1) return attempt && <p className="muted small">{attempt}</p>;
  return (
    <p className="muted small">
      Waited {formatDuration(seconds)} in the queue
      {attempt && <>. {attempt}</>}
    </p>
  );
}

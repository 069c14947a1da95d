import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { DeskContact } from "../api/types";
import { Icon } from "../ui/Icon";
import { Key } from "../ui/Key";
import { Pill } from "../ui/Status";
import { formatDuration, millis } from "../ui/time";
import { Elapsed } from "../ui/Time";
import { Caller } from "./Caller";
import classes from "./CallCard.module.css";
import { Keypad } from "./Keypad";
import { useShortcuts } from "./shortcuts";
import { useDesk, useDeskAction } from "./useDesk";

/** The call in progress or just ended: who, how long, and the controls. */
export function CallCard({ contact }: { contact: DeskContact }) {
  const { offset } = useDesk();
  const over = contact.state === "wrapup";
  return (
    <section className={`panel ${classes.call}`} aria-label={over ? "Ended call" : "Call"} data-testid="call" data-state={contact.state}>
      <div className={classes.top}>
        <Caller contact={contact} lead={leadOf(contact)} />
        <div className={classes.clock}>
          {contact.state === "dialing" ? null : over || !contact.answeredAt ? (
            <span className="num" data-testid="call-timer">
              {formatDuration((millis(contact.endedAt) - millis(contact.answeredAt ?? contact.createdAt)) / 1000)}
            </span>
          ) : (
            <Elapsed since={contact.answeredAt} offset={offset} data-testid="call-timer" />
          )}
          <div className={classes.flags}>
            {contact.held && <Pill tone="warn">On hold</Pill>}
            {contact.muted && <Pill tone="bad">Muted</Pill>}
          </div>
        </div>
      </div>
      {!over && <Controls contact={contact} />}
    </section>
  );
}

function leadOf(contact: DeskContact): string {
  if (contact.state === "dialing") return "Calling the customer back";
  if (contact.state === "held") return "On hold";
  if (contact.state === "connected") return "On the line";
  if (contact.endedBy === "customer") return contact.callback ? "The customer hung up" : "The caller hung up";
  if (contact.endedBy === "agent") return "You ended the call";
  return "The call has ended";
}

function Controls({ contact }: { contact: DeskContact }) {
  const { usable } = useDesk();
  const action = useDeskAction();
  const [keypad, pad] = useDisclosure(false);
  const act = (verb: string) => action.mutate({ path: `/contacts/${contact.id}/${verb}` });
  const mute = () => act(contact.muted ? "unmute" : "mute");
  const hold = () => act(contact.held ? "resume" : "hold");
  const end = () => act("end");
  const dialing = contact.state === "dialing";
  useShortcuts(!usable ? {} : dialing ? { "shift+e": end } : { m: mute, h: hold, "shift+e": end, k: pad.toggle });
  if (dialing)
    return (
      <div className={classes.controls} role="group" aria-label="Call controls">
        <Button className={classes.end} color="red" leftSection={<Icon name="phoneDown" />} rightSection={<Key>⇧E</Key>} disabled={!usable} onClick={end} data-testid="end">
          Stop calling
        </Button>
      </div>
    );
  return (
    <>
      <div className={classes.controls} role="group" aria-label="Call controls">
        <Button variant={contact.muted ? "light" : "default"} color={contact.muted ? "red" : undefined} aria-pressed={contact.muted} leftSection={<Icon name={contact.muted ? "micOff" : "mic"} />} rightSection={<Key>M</Key>} disabled={!usable} onClick={mute} data-testid="mute">
          {contact.muted ? "Unmute" : "Mute"}
        </Button>
        <Button variant={contact.held ? "light" : "default"} color={contact.held ? "amber" : undefined} aria-pressed={contact.held} leftSection={<Icon name={contact.held ? "play" : "pause"} />} rightSection={<Key>H</Key>} disabled={!usable} onClick={hold} data-testid="hold">
          {contact.held ? "Resume" : "Hold"}
        </Button>
        <Button variant="default" aria-expanded={keypad} leftSection={<Icon name="keypad" />} rightSection={<Key>K</Key>} onClick={pad.toggle} data-testid="dtmf-pad">
          Keypad
        </Button>
        <Button className={classes.end} color="red" leftSection={<Icon name="phoneDown" />} rightSection={<Key>⇧E</Key>} disabled={!usable} onClick={end} data-testid="end">
          End call
        </Button>
      </div>
      {keypad && <Keypad contactId={contact.id} />}
    </>
  );
}

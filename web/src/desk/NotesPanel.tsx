import { Alert, Button, NativeSelect, Textarea } from "@mantine/core";
import { useEffect, useRef, useState, type FormEvent } from "react";
import type { DeskContact } from "../api/types";
import { Icon } from "../ui/Icon";
import { Pill } from "../ui/Status";
import { useRemaining } from "../ui/Time";
import { formatDuration } from "../ui/time";
import classes from "./NotesPanel.module.css";
import { useDesk, useDeskAction } from "./useDesk";

/** Notes during the call; after it the same notes with the code that closes the contact. */
export function NotesPanel({ contact }: { contact: DeskContact }) {
  const { desk, usable } = useDesk();
  const action = useDeskAction();
  const [draft, setDraft] = useDraft(contact);
  const over = contact.state === "wrapup";
  const code = useRef<HTMLSelectElement>(null);
  // The button that ended the call is gone, and the focus with it: the next thing to do takes it.
  useEffect(() => {
    if (over && document.activeElement === document.body) code.current?.focus();
  }, [over]);
  const send = () => action.mutate({ path: `/contacts/${contact.id}/wrapup`, body: draft }, { onSuccess: () => forgetDraft(contact.id) });
  useLastCall(contact, draft, send);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  return (
    <section className="panel" aria-label={over ? "Wrap-up" : "Notes"}>
      <header>
        <Icon name="note" />
        <h2>{over ? "Wrap-up" : "Notes"}</h2>
        {over && <WrapUpClock contact={contact} />}
      </header>
      <form className={classes.form} onSubmit={submit}>
        {over && (
          <NativeSelect
            ref={code}
            label="How did it end?"
            required
            withAsterisk={false}
            value={draft.codeId}
            onChange={(event) => setDraft({ ...draft, codeId: event.currentTarget.value })}
            data={[{ value: "", label: "Choose a code" }, ...desk.wrapUpCodes.map((code) => ({ value: code.id, label: code.name }))]}
            data-testid="wrapup-code"
          />
        )}
        <Textarea
          label={over ? "Notes" : "Notes for the record"}
          autosize
          minRows={4}
          maxRows={14}
          value={draft.notes}
          onChange={(event) => setDraft({ ...draft, notes: event.currentTarget.value })}
          data-testid="wrapup-notes"
        />
        {over && <WriteBack contact={contact} />}
        {over ? (
          <Button type="submit" loading={action.isPending} disabled={!usable} data-testid="wrapup-done">
            Finish
          </Button>
        ) : (
          <p className="muted small">Kept in this browser until you finish the wrap-up.</p>
        )}
      </form>
    </section>
  );
}

const LAST_CALL_SECONDS = 2;

// When the time runs out the hub ends the wrap-up: what was written by then is sent before.
function useLastCall(contact: DeskContact, draft: Draft, send: () => void): void {
  const { offset } = useDesk();
  const left = useRemaining(contact.wrapUpUntil, offset);
  const sent = useRef(false);
  const due = contact.state === "wrapup" && Boolean(contact.wrapUpUntil) && left <= LAST_CALL_SECONDS && (draft.notes !== "" || draft.codeId !== "");
  useEffect(() => {
    if (!due || sent.current) return;
    sent.current = true;
    send();
  }, [due]);
}

function WrapUpClock({ contact }: { contact: DeskContact }) {
  const { offset, usable } = useDesk();
  const action = useDeskAction();
  const left = useRemaining(contact.wrapUpUntil, offset);
  if (!contact.wrapUpUntil) return null;
  return (
    <span className={`end ${classes.clock}`}>
      <span className="num" data-testid="wrapup-timer">
        {formatDuration(left)} left
      </span>
      <Button variant="default" size="compact-sm" disabled={!usable || action.isPending} onClick={() => action.mutate({ path: `/contacts/${contact.id}/wrapup/extend` })} data-testid="wrapup-extend">
        More time
      </Button>
    </span>
  );
}

function WriteBack({ contact }: { contact: DeskContact }) {
  const { status, detail } = contact.writeBack;
  if (status === "none") return null;
  if (status === "failed") {
    return (
      <Alert color="red" icon={<Icon name="alert" />}>
        The CRM did not take this call: {detail || "no reason given"}. Your notes are safe; an administrator can send them again.
      </Alert>
    );
  }
  return (
    <p className={classes.writeBack}>
      <Pill tone={status === "done" ? "good" : "neutral"}>{status === "done" ? "Saved in the CRM" : "Saving in the CRM"}</Pill>
      <span className="muted small">{detail}</span>
    </p>
  );
}

interface Draft {
  codeId: string;
  notes: string;
}

const draftKey = (id: string) => `tandem.draft.${id}`;

// Notes survive a reload; they leave this browser when the wrap-up is finished.
function useDraft(contact: DeskContact): [Draft, (draft: Draft) => void] {
  const [draft, setDraft] = useState<Draft>(() => {
    try {
      const stored = sessionStorage.getItem(draftKey(contact.id));
      if (stored) return JSON.parse(stored) as Draft;
    } catch {
      // Storage is off: the draft lives as long as the page.
    }
    return { codeId: contact.wrapUp.codeId, notes: contact.wrapUp.notes };
  });
  return [
    draft,
    (next) => {
      setDraft(next);
      try {
        sessionStorage.setItem(draftKey(contact.id), JSON.stringify(next));
      } catch {
        // As above.
      }
    },
  ];
}

function forgetDraft(id: string): void {
  try {
    sessionStorage.removeItem(draftKey(id));
  } catch {
    // As above.
  }
}

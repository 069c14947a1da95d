import { Alert, Button, NativeSelect, Textarea } from "@mantine/core";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { api } from "../api/client";
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
  const { draft, setDraft, kept, forget } = useDraft(contact);
  const over = contact.state === "wrapup";
  const code = useRef<HTMLSelectElement>(null);
  // The button that ended the call is gone, and the focus with it: the next thing to do takes it.
  useEffect(() => {
    if (over && document.activeElement === document.body) code.current?.focus();
  }, [over]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    forget();
    action.mutate({ path: `/contacts/${contact.id}/wrapup`, body: draft });
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
          <p className="muted small" data-testid="draft-kept" data-kept={kept}>
            {kept ? "Kept on the server until you finish the wrap-up." : "Keeping…"}
          </p>
        )}
      </form>
    </section>
  );
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

const KEEP_AFTER_MS = 400;

// What is written is kept by the server shortly after each pause, so that neither a reload nor the end of the wrap-up
// time loses it. Until the server has it, it is tried again.
function useDraft(contact: DeskContact): { draft: Draft; setDraft: (draft: Draft) => void; kept: boolean; forget: () => void } {
  const [draft, setDraft] = useState<Draft>({ codeId: contact.wrapUp.codeId, notes: contact.wrapUp.notes });
  const [kept, setKept] = useState(true);
  const [again, setAgain] = useState(0);
  const done = useRef(false);
  useEffect(() => {
    if (kept) return;
    let stale = false;
    const timer = setTimeout(() => {
      if (done.current) return;
      api("PUT", `/desk/contacts/${contact.id}/wrapup`, { body: draft })
        .then(() => {
          if (!stale) setKept(true);
        })
        .catch(() => {
          if (!stale) setAgain((n) => n + 1);
        });
    }, KEEP_AFTER_MS * (again > 0 ? 5 : 1));
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [draft, kept, again, contact.id]);
  return {
    draft,
    setDraft: (next) => {
      setDraft(next);
      setKept(false);
    },
    kept,
    forget: () => {
      done.current = true;
    },
  };
}

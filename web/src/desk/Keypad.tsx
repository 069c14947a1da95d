import { Button } from "@mantine/core";
import { useMemo, useState } from "react";
import classes from "./CallCard.module.css";
import { useShortcuts } from "./shortcuts";
import { useDesk, useDeskAction } from "./useDesk";

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const names: Record<string, string> = { "*": "star", "#": "hash" };
const SHOWN_DIGITS = 24;

/** Sends touch tones to the caller's side; shows what was sent. */
export function Keypad({ contactId }: { contactId: string }) {
  const { usable } = useDesk();
  const { mutateAsync } = useDeskAction();
  const [sent, setSent] = useState("");
  const actions = useMemo(() => {
    const press = (digit: string) =>
      void mutateAsync({ path: `/contacts/${contactId}/digits`, body: { digits: digit } }).then(
        () => setSent((text) => (text + digit).slice(-SHOWN_DIGITS)),
        // The action itself has told what went wrong.
        () => undefined,
      );
    return Object.fromEntries(keys.map((digit) => [digit, usable ? () => press(digit) : undefined]));
  }, [mutateAsync, contactId, usable]);
  useShortcuts(actions);
  return (
    <div className={classes.pad} role="group" aria-label="Keypad">
      <output className={classes.sent} aria-label="Digits sent" data-testid="dtmf-sent">
        {sent || "Digits you send appear here"}
      </output>
      {keys.map((digit) => (
        <Button key={digit} variant="default" size="md" aria-label={names[digit]} disabled={!usable} onClick={actions[digit]} data-testid={`dtmf-${names[digit] ?? digit}`}>
          {digit}
        </Button>
      ))}
    </div>
  );
}

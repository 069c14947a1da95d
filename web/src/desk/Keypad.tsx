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
  const { mutate } = useDeskAction();
  const [sent, setSent] = useState("");
  const actions = useMemo(() => {
    const press = (digit: string) =>
      mutate({ path: `/contacts/${contactId}/digits`, body: { digits: digit } }, { onSuccess: () => setSent((text) => (text + digit).slice(-SHOWN_DIGITS)) });
    return Object.fromEntries(keys.map((digit) => [digit, usable ? () => press(digit) : undefined]));
  }, [mutate, contactId, usable]);
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

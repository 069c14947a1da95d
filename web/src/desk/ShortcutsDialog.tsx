import { Kbd, Modal, Switch } from "@mantine/core";
import classes from "./ShortcutsDialog.module.css";
import { useShortcuts, useShortcutsOn } from "./shortcuts";

const keys: [string, string][] = [
  ["A", "Accept the call"],
  ["D", "Decline the call"],
  ["M", "Mute, unmute"],
  ["H", "Hold, resume"],
  ["K", "Open or close the keypad; then 0 to 9, * and # send digits"],
  ["Shift E", "End the call"],
  ["?", "Show this list"],
];

export function ShortcutsDialog({ opened, open, close }: { opened: boolean; open: () => void; close: () => void }) {
  const [on, setOn] = useShortcutsOn();
  useShortcuts({ "?": open });
  return (
    <Modal opened={opened} onClose={close} title="Keyboard shortcuts" closeButtonProps={{ "aria-label": "Close" }}>
      <dl className={classes.list}>
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              <Kbd>{key}</Kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <Switch mt="md" label="Single-key shortcuts" description="They never act while you type in a field." checked={on} onChange={(event) => setOn(event.currentTarget.checked)} />
    </Modal>
  );
}

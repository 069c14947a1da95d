import { Button, Group, Modal } from "@mantine/core";
import { useState, type ReactNode } from "react";

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  /** The words on the button: what will be done. */
  action: string;
  run: () => Promise<unknown>;
  children: ReactNode;
}

/** Asks before something that cannot be undone. */
export function Confirm({ opened, close, title, action, run, children }: Props) {
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await run();
      close();
    } catch {
      // The action tells what went wrong; the question stays open.
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={close} title={title} closeButtonProps={{ "aria-label": "Close" }}>
      <p>{children}</p>
      <Group justify="flex-end">
        <Button variant="default" onClick={close} data-autofocus>
          Keep it
        </Button>
        <Button color="red" loading={busy} onClick={() => void go()} data-testid="confirm">
          {action}
        </Button>
      </Group>
    </Modal>
  );
}

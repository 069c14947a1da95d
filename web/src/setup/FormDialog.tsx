import { Button, Modal } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import classes from "./Setup.module.css";

interface Props {
  title: string;
  action: string;
  close: () => void;
  /** Closes the dialog when it succeeds; it tells its own failures. */
  run: () => Promise<unknown>;
  children: ReactNode;
}

/** A small form in a dialog. */
export function FormDialog({ title, action, close, run, children }: Props) {
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await run();
      close();
    } catch {
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ "aria-label": "Close" }}>
      <form className={classes.form} onSubmit={(event) => void submit(event)}>
        {children}
        <div className={classes.buttons}>
          <Button type="submit" loading={busy} data-testid="save">
            {action}
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </div>
      </form>
    </Modal>
  );
}

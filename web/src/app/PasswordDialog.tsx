import { Button, Modal, PasswordInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { messageOf } from "../api/client";
import { toastDone } from "../ui/toast";
import { useChangePassword } from "./session";

export function PasswordDialog({ opened, close }: { opened: boolean; close: () => void }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useChangePassword();
  const done = () => {
    setCurrent("");
    setNext("");
    change.reset();
    close();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(
      { current, new: next },
      {
        onSuccess: () => {
          toastDone("Your password is changed.");
          done();
        },
      },
    );
  };
  return (
    <Modal opened={opened} onClose={done} title="Change password" closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <PasswordInput label="Current password" autoComplete="current-password" required data-autofocus value={current} onChange={(event) => setCurrent(event.currentTarget.value)} />
        <PasswordInput
          mt="sm"
          label="New password"
          autoComplete="new-password"
          required
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
          error={change.error ? messageOf(change.error) : undefined}
        />
        <Button type="submit" mt="lg" loading={change.isPending}>
          Change password
        </Button>
      </form>
    </Modal>
  );
}

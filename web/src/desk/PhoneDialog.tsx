import { Button, Modal, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useDeskAction } from "./useDesk";

/** Chooses a SIP phone as the station. */
export function PhoneDialog({ opened, close }: { opened: boolean; close: () => void }) {
  const [address, setAddress] = useState("");
  const action = useDeskAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.mutate({ path: "/station", body: { kind: "sip", address: address.trim() } }, { onSuccess: close });
  };
  return (
    <Modal opened={opened} onClose={close} title="Use a desk phone" closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit}>
        <TextInput
          label="SIP address"
          description="Calls ring there; this page still shows the caller and takes your notes."
          placeholder="sip:anna@192.0.2.10"
          required
          withAsterisk={false}
          data-autofocus
          value={address}
          onChange={(event) => setAddress(event.currentTarget.value)}
        />
        <Button type="submit" mt="lg" loading={action.isPending}>
          Use this phone
        </Button>
      </form>
    </Modal>
  );
}

import { Button, Group, Modal } from "@mantine/core";
import { useState } from "react";
import type { FlowDetail } from "../api/types";
import { toastFailed } from "../ui/toast";
import { Ago } from "../ui/Time";
import { readLatest, useVersions } from "./api";
import { rebase } from "./draft";
import type { Editor } from "./useEditor";

interface Props {
  flow: FlowDetail;
  editor: Editor;
  close: () => void;
}

/** Somebody saved first: who it was, and how to go on without losing anything. */
export function ConflictDialog({ flow, editor, close }: Props) {
  const versions = useVersions(flow.id);
  const [busy, setBusy] = useState(false);
  const newest = versions.data?.items?.[0];
  const load = async (keepMine: boolean) => {
    setBusy(true);
    try {
      const latest = await readLatest(flow.id);
      const { base, draft } = editor;
      editor.restart(latest, keepMine ? (theirs) => rebase(base, draft, theirs) : undefined);
      close();
    } catch (error) {
      toastFailed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened size="lg" onClose={close} title="Somebody saved this flow before you" closeButtonProps={{ "aria-label": "Close" }}>
      <p data-testid="conflict">
        {newest ? (
          <>
            Version {newest.version} was saved by <strong>{newest.createdBy || "somebody"}</strong> <Ago time={newest.createdAt} />
            {newest.note && `: ${newest.note}`}.
          </>
        ) : (
          "A newer version was saved."
        )}{" "}
        You edited version {editor.version}. Your changes are still here; nothing was saved over.
      </p>
      <p className="muted">When both changed the same step, yours is kept. Either way Undo brings back what you had.</p>
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          Keep editing
        </Button>
        <Button variant="default" loading={busy} onClick={() => void load(false)} data-testid="conflict-load">
          Load the new version
        </Button>
        <Button loading={busy} onClick={() => void load(true)} data-testid="conflict-merge">
          Load it with my changes
        </Button>
      </Group>
    </Modal>
  );
}

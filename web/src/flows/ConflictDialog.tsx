import { Alert, Button, Group, Modal, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { FlowDetail } from "../api/types";
import { ListSkeleton } from "../ui/States";
import { Ago } from "../ui/Time";
import { readLatest, useVersions } from "./api";
import classes from "./Editor.module.css";
import { draftOf } from "./draft";
import { merge, type Conflict, type Side } from "./merge";
import type { Editor } from "./useEditor";

interface Props {
  flow: FlowDetail;
  editor: Editor;
  close: () => void;
}

/** Somebody saved first: who it was, what both changed, and how to go on without losing anything. */
export function ConflictDialog({ flow, editor, close }: Props) {
  const versions = useVersions(flow.id);
  const latest = useQuery({ queryKey: ["flow", flow.id, "conflict", editor.version], queryFn: () => readLatest(flow.id), gcTime: 0, staleTime: 0 });
  const [choices, setChoices] = useState<Record<string, Side>>({});
  const merged = useMemo(() => latest.data && merge(editor.base, editor.draft, draftOf(latest.data)), [latest.data, editor.base, editor.draft]);
  const newest = versions.data?.items?.find((item) => item.version === latest.data?.version);
  const theirs = newest?.createdBy || "somebody";
  const loadTheirs = () => {
    if (!latest.data) return;
    editor.restart(latest.data);
    close();
  };
  const loadMerged = () => {
    if (!latest.data || !merged) return;
    editor.restart(latest.data, () => merged.result((key) => choices[key] ?? "mine"));
    close();
  };
  return (
    <Modal opened size={760} onClose={close} title="Somebody saved this flow before you" closeButtonProps={{ "aria-label": "Close" }}>
      <p data-testid="conflict" className={classes.conflictLead}>
        {newest ? (
          <>
            Version {newest.version} was saved by <strong>{theirs}</strong> <Ago time={newest.createdAt} />
            {newest.note && `: ${newest.note}`}.
          </>
        ) : (
          "A newer version was saved."
        )}{" "}
        You edited version {editor.version}. Your changes are still here; nothing was saved over.
      </p>
      {latest.error && <Alert color="red">The newer version could not be read. Close this and save again.</Alert>}
      {!merged && !latest.error && <ListSkeleton rows={3} />}
      {merged && (
        <>
          {merged.conflicts.length > 0 && (
            <section className={classes.conflicts}>
              <h2>{merged.conflicts.length === 1 ? "One thing was changed by both of you" : `${merged.conflicts.length} things were changed by both of you`}</h2>
              {merged.conflicts.map((conflict) => (
                <Choice key={conflict.key} conflict={conflict} who={theirs} value={choices[conflict.key] ?? "mine"} onChange={(side) => setChoices({ ...choices, [conflict.key]: side })} />
              ))}
            </section>
          )}
          <div className={classes.sides}>
            <Only title="Only you changed" items={merged.onlyMine} />
            <Only title={`Only ${theirs} changed`} items={merged.onlyTheirs} />
          </div>
        </>
      )}
      <Group justify="flex-end" mt="md">
        <Button variant="subtle" onClick={close}>
          Keep editing
        </Button>
        <Button variant="default" disabled={!latest.data} onClick={loadTheirs} data-testid="conflict-load">
          Drop my changes
        </Button>
        <Button disabled={!merged} onClick={loadMerged} data-testid="conflict-merge">
          Merge
        </Button>
      </Group>
      <p className="muted small">Merging changes only what is on your screen: look at it, then save. Undo brings back what you had.</p>
    </Modal>
  );
}

function Choice({ conflict, who, value, onChange }: { conflict: Conflict; who: string; value: Side; onChange: (side: Side) => void }) {
  return (
    <div className={classes.conflict}>
      <div className={classes.conflictHead}>
        <strong>{conflict.what}</strong>
        <SegmentedControl
          size="xs"
          aria-label={`What to keep of ${conflict.what}`}
          value={value}
          onChange={(side) => onChange(side as Side)}
          data={[
            { value: "mine", label: "Mine" },
            { value: "theirs", label: who === "somebody" ? "Theirs" : `${who}'s` },
          ]}
        />
      </div>
      <dl className={classes.three}>
        <Text title="Before" text={conflict.base} />
        <Text title="Mine" text={conflict.mine} chosen={value === "mine"} />
        <Text title={who === "somebody" ? "Theirs" : `${who}'s`} text={conflict.theirs} chosen={value === "theirs"} />
      </dl>
    </div>
  );
}

function Text({ title, text, chosen }: { title: string; text: string; chosen?: boolean }) {
  return (
    <div data-chosen={chosen || undefined}>
      <dt>{title}</dt>
      <dd className="mono">{text === "" ? <span className="muted">not there</span> : text}</dd>
    </div>
  );
}

function Only({ title, items }: { title: string; items: string[] }) {
  return (
    <section>
      <h2>{title}</h2>
      {items.length === 0 && <p className="muted">Nothing else.</p>}
      <ul>
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </section>
  );
}

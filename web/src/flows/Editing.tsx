import { Button, Group, Modal } from "@mantine/core";
import { Link, useBlocker } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import { ApiError } from "../api/client";
import type { FlowDetail } from "../api/types";
import { toastFailed } from "../ui/toast";
import { useSave } from "./api";
import { ConflictDialog } from "./ConflictDialog";
import { addNode, connect, edgeKey, modelOf, move, removeEdge, removeNode } from "./draft";
import { EditBar } from "./EditBar";
import edits from "./Editor.module.css";
import type { CanvasEditing } from "./FlowCanvas";
import { NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { useEditor, type Editor } from "./useEditor";

const CONFLICT = 409;

export interface Editing {
  editor: Editor | null;
  canvas?: CanvasEditing;
  begin: () => void;
  /** A step or a way that Delete would remove. */
  deletable: boolean;
  remove: () => void;
  add: (op: string) => void;
  save: () => void;
  saving: boolean;
  dialogs: ReactNode;
}

/** Everything about changing a flow: the draft, what is selected in it, saving, and the warning on leaving. */
export function useEditing(flow: FlowDetail, selected: string | null, select: (id: string | null) => void, showTab: (tab: string) => void): Editing {
  const { editor, begin } = useEditor();
  const [edge, setEdge] = useState<string | null>(null);
  const [conflict, setConflict] = useState(false);
  const saving = useSave(flow.id);
  const blocker = useBlocker({ shouldBlockFn: () => editor?.dirty ?? false, enableBeforeUnload: () => editor?.dirty ?? false, withResolver: true });

  // A mend, a binding or a restored version has made a newer one: with nothing to lose, editing goes on from there.
  const behind = editor !== null && !editor.dirty && flow.version > editor.version;
  useEffect(() => {
    if (behind) editor?.restart(flow);
  }, [behind, editor, flow]);

  const node = editor?.draft.nodes.find((item) => item.id === selected);
  const way = editor?.draft.edges.find((item) => edgeKey(item) === edge);
  const remove = () => {
    if (!editor) return;
    if (way && edge !== null) editor.change(removeEdge(editor.draft, edge));
    else if (node && node.id !== editor.draft.head.start) {
      editor.change(removeNode(editor.draft, node.id));
      select(null);
    }
    setEdge(null);
  };
  const add = (op: string) => {
    if (!editor) return;
    const near = node ?? editor.draft.nodes.find((item) => item.id === editor.draft.head.start);
    const at = freePlace(editor, (near?.x ?? 0) + NODE_WIDTH + 60, near?.y ?? 0);
    const added = addNode(editor.draft, op, at);
    editor.change(added.draft);
    select(added.id);
    showTab("node");
  };
  const save = () => {
    if (!editor) return;
    saving.mutate(modelOf(editor.base, editor.draft, editor.version), {
      onSuccess: (saved) => editor.restart(saved),
      onError: (error) => {
        if (error instanceof ApiError && error.status === CONFLICT) setConflict(true);
        else toastFailed(error);
      },
    });
  };
  const canvas: CanvasEditing | undefined = editor
    ? { edge, onEdge: setEdge, move: (id, to) => editor.change(move(editor.draft, id, to), `move ${id}`), connect: (from, to) => editor.change(connect(editor.draft, from, to)) }
    : undefined;
  const dialogs = (
    <>
      {conflict && editor && <ConflictDialog flow={flow} editor={editor} close={() => setConflict(false)} />}
      <Modal opened={blocker.status === "blocked"} onClose={() => blocker.reset?.()} title="Leave without saving?" closeButtonProps={{ "aria-label": "Close" }}>
        <p>The changes to this flow are not saved yet.</p>
        <Group justify="flex-end">
          <Button variant="default" onClick={() => blocker.reset?.()} data-autofocus>
            Stay here
          </Button>
          <Button color="red" onClick={() => blocker.proceed?.()} data-testid="leave">
            Leave and lose them
          </Button>
        </Group>
      </Modal>
    </>
  );
  return { editor, canvas, begin: () => begin(flow), deletable: way !== undefined || (node !== undefined && node.id !== editor?.draft.head.start), remove, add, save, saving: saving.isPending, dialogs };
}

/** The first place from here downwards where no step stands. */
function freePlace({ draft }: Editor, x: number, y: number) {
  const taken = (top: number) => draft.nodes.some((node) => Math.abs((node.x ?? 0) - x) < NODE_WIDTH && Math.abs((node.y ?? 0) - top) < NODE_HEIGHT + 10);
  let top = y;
  while (taken(top)) top += NODE_HEIGHT + 30;
  return { x, y: top };
}

/** The bar above the picture: the way into editing, and what can be done there. */
export function EditTop({ flow, latest, editing }: { flow: FlowDetail; latest: boolean; editing: Editing }) {
  const { editor } = editing;
  if (!latest) {
    return (
      <div className={edits.bar}>
        <span className="muted">Version {flow.version} is not the newest and cannot be edited; restore it under Versions, or</span>
        <Link className={edits.barLink} to="/flows/$id" params={{ id: flow.id }} search={{}}>
          go to the newest
        </Link>
      </div>
    );
  }
  if (!editor) {
    return (
      <div className={edits.bar}>
        <Button size="xs" variant="default" onClick={editing.begin} data-testid="edit-flow">
          Edit
        </Button>
        <span className="muted">Version {flow.version}</span>
      </div>
    );
  }
  return <EditBar editor={editor} deletable={editing.deletable} onDelete={editing.remove} onAdd={editing.add} onSave={editing.save} saving={editing.saving} onLeave={editor.stop} />;
}

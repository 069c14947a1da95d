import { ActionIcon, Button, Select } from "@mantine/core";
import { useEffect } from "react";
import { Icon } from "../ui/Icon";
import { Pill } from "../ui/Status";
import classes from "./Editor.module.css";
import { families, operations, type Family } from "./ops";
import type { Editor } from "./useEditor";

interface Props {
  editor: Editor;
  /** A step or a way is selected that can be deleted. */
  deletable: boolean;
  onDelete: () => void;
  onAdd: (op: string) => void;
  onSave: () => void;
  saving: boolean;
  onLeave: () => void;
}

const choices = (Object.entries(families) as [Family, string][]).map(([family, group]) => ({
  group,
  items: Object.entries(operations)
    .filter(([op, info]) => info.family === family && op !== "event")
    .map(([value, info]) => ({ value, label: info.label })),
}));

const isTyping = (target: EventTarget | null): boolean => target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");

/** What can be done while a flow is edited. */
export function EditBar({ editor, deletable, onDelete, onAdd, onSave, saving, onLeave }: Props) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const command = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (command && key === "z") {
        event.preventDefault();
        if (event.shiftKey) editor.redo();
        else editor.undo();
      } else if (command && key === "s") {
        event.preventDefault();
        if (editor.dirty && !saving) onSave();
      } else if ((key === "delete" || key === "backspace") && deletable && !isTyping(event.target)) {
        event.preventDefault();
        onDelete();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
  return (
    <div className={classes.bar} role="toolbar" aria-label="Editing">
      <Select
        className={classes.add}
        size="xs"
        aria-label="Add a step"
        placeholder="Add a step"
        searchable
        data={choices}
        withScrollArea={false}
        classNames={{ options: classes.options }}
        comboboxProps={{ width: 290, position: "bottom-start", withinPortal: false }}
        renderOption={({ option }) => (
          <span className={classes.operation}>
            <span>{option.label}</span>
            <span className="muted small" aria-hidden="true">
              {operations[option.value]?.help}
            </span>
          </span>
        )}
        value={null}
        onChange={(op) => op && onAdd(op)}
        leftSection={<Icon name="plus" size={14} />}
        nothingFoundMessage="No such operation"
        data-testid="add-step"
      />
      <ActionIcon size={30} variant="default" disabled={!editor.canUndo} onClick={editor.undo} aria-label="Undo" title="Undo (Ctrl+Z)" data-testid="undo">
        <Icon name="undo" />
      </ActionIcon>
      <ActionIcon size={30} variant="default" disabled={!editor.canRedo} onClick={editor.redo} aria-label="Redo" title="Redo (Ctrl+Shift+Z)" data-testid="redo">
        <Icon name="redo" />
      </ActionIcon>
      <ActionIcon size={30} variant="default" disabled={!deletable} onClick={onDelete} aria-label="Delete" title="Delete what is selected (Delete)" data-testid="delete-selected">
        <Icon name="trash" />
      </ActionIcon>
      <span className={classes.grow} role="status">
        {editor.dirty && <Pill tone="warn">Not saved</Pill>}
      </span>
      <Button size="xs" variant="subtle" onClick={onLeave}>
        {editor.dirty ? "Discard" : "Done"}
      </Button>
      <Button size="xs" disabled={!editor.dirty} loading={saving} onClick={onSave} title="Ctrl+S" data-testid="save-flow">
        Save
      </Button>
    </div>
  );
}

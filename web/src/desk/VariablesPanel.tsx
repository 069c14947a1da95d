import { TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import type { DeskContact, DeskVariable } from "../api/types";
import { messageOf } from "../api/client";
import { Icon } from "../ui/Icon";
import { Empty } from "../ui/States";
import { useDesk, useDeskAction } from "./useDesk";
import classes from "./VariablesPanel.module.css";

/** What the flow learned about the call; some of it may be changed by the agent. */
export function VariablesPanel({ contact }: { contact: DeskContact }) {
  return (
    <section className="panel" aria-labelledby="variables-title">
      <header>
        <Icon name="tag" />
        <h2 id="variables-title">Call details</h2>
      </header>
      {contact.variables.length === 0 ? (
        <Empty icon="tag" title="No details">
          The flow passed nothing on about this call.
        </Empty>
      ) : (
        <div className={classes.list}>
          {contact.variables.map((variable) =>
            variable.editable ? (
              <Editable key={`${contact.id} ${variable.name}`} contactId={contact.id} variable={variable} />
            ) : (
              <div key={variable.name} className={classes.row}>
                <span className={classes.label}>{variable.label || variable.name}</span>
                <span className={classes.value} data-testid={`variable-${variable.name}`}>
                  {variable.value || <span className="muted">empty</span>}
                </span>
              </div>
            ),
          )}
        </div>
      )}
    </section>
  );
}

type Saving = "" | "unsaved" | "saving" | "saved";

function Editable({ contactId, variable }: { contactId: string; variable: DeskVariable }) {
  const { usable } = useDesk();
  const action = useDeskAction();
  const [value, setValue] = useState(variable.value);
  const [state, setState] = useState<Saving>("");

  // A change made by the flow shows at once, unless the agent is in the middle of an edit.
  useEffect(() => {
    if (state !== "unsaved" && state !== "saving") setValue(variable.value);
  }, [variable.value, state]);

  const save = () => {
    if (state === "saving" || value === variable.value) {
      if (state === "unsaved") setState("");
      return;
    }
    setState("saving");
    action.mutate(
      { method: "PUT", path: `/contacts/${contactId}/variables`, body: { values: { [variable.name]: value } } },
      { onSuccess: () => setState("saved"), onError: () => setState("unsaved") },
    );
  };
  return (
    <TextInput
      className={classes.row}
      classNames={{ label: classes.label }}
      label={variable.label || variable.name}
      value={value}
      disabled={!usable}
      error={action.error && state === "unsaved" ? messageOf(action.error) : undefined}
      inputMode={["INTEGER", "DECIMAL"].includes(variable.type.toUpperCase()) ? "decimal" : undefined}
      onChange={(event) => {
        setValue(event.currentTarget.value);
        setState("unsaved");
      }}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key === "Enter") save();
        if (event.key === "Escape") {
          setValue(variable.value);
          setState("");
        }
      }}
      description={<span aria-live="polite">{words[state]}</span>}
      inputWrapperOrder={["label", "input", "description", "error"]}
      data-testid={`variable-${variable.name}`}
      data-saved={state === "saved" || undefined}
    />
  );
}

const words: Record<Saving, string> = { "": "", unsaved: "Not saved yet: press Enter", saving: "Saving", saved: "Saved" };

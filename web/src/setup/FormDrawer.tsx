import { Alert, Button, Drawer } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState, type FormEvent, type ReactNode } from "react";
import { messageOf } from "../api/client";
import { Confirm } from "../ui/Confirm";
import { Icon } from "../ui/Icon";
import { useResource, type Versioned } from "./resource";
import type { FormProps } from "./ResourcePage";
import classes from "./Setup.module.css";

interface Props<T extends Versioned, V> {
  path: string;
  noun: string;
  item: T | undefined;
  name: string;
  initial: V;
  toBody?: (value: V, item: T | undefined) => unknown;
  fields: (props: FormProps<T, V>) => ReactNode;
  deleteWarning: string;
  wide?: boolean;
  close: () => void;
}

/** The form of one thing, at the side of its list. */
export function FormDrawer<T extends Versioned, V>({ path, noun, item, name, initial, toBody, fields, deleteWarning, wide, close }: Props<T, V>) {
  const [value, setValue] = useState(initial);
  const { save, remove } = useResource<T>(path, noun);
  const [asking, question] = useDisclosure(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ item, body: toBody ? toBody(value, item) : value }, { onSuccess: close });
  };
  const drop = async () => {
    if (!item) return;
    await remove.mutateAsync(item.id);
    close();
  };
  return (
    <Drawer opened onClose={close} position="right" size={wide ? "lg" : "md"} title={item ? name : `New ${noun}`} closeButtonProps={{ "aria-label": "Close" }}>
      <form className={classes.form} onSubmit={submit}>
        {fields({ item, value, set: (field, next) => setValue((known) => ({ ...known, [field]: next })) })}
        {save.error && (
          <Alert color="red" icon={<Icon name="alert" />} role="alert">
            {messageOf(save.error)}
          </Alert>
        )}
        <div className={classes.buttons}>
          <Button type="submit" loading={save.isPending} data-testid="save">
            {item ? "Save" : `Create the ${noun}`}
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          {item && (
            <Button className={classes.delete} variant="subtle" color="red" onClick={question.open} data-testid="delete">
              Delete
            </Button>
          )}
        </div>
      </form>
      <Confirm opened={asking} close={question.close} title={`Delete ${name}?`} action={`Delete the ${noun}`} run={drop}>
        {deleteWarning}
      </Confirm>
    </Drawer>
  );
}

import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { useAll } from "../api/lists";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon, type IconName } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { FormDrawer } from "./FormDrawer";
import type { Setter, Versioned } from "./resource";
import classes from "./Setup.module.css";

export interface FormProps<T, V> {
  /** Undefined while a new one is made. */
  item: T | undefined;
  value: V;
  set: Setter<V>;
}

interface Props<T extends Versioned, V> {
  path: string;
  title: string;
  noun: string;
  lead: string;
  icon: IconName;
  empty: string;
  nameOf: (item: T) => string;
  columns: Column<T>[];
  toValue: (item: T | undefined) => V;
  /** What is sent; the value itself by default. */
  toBody?: (value: V, item: T | undefined) => unknown;
  fields: (props: FormProps<T, V>) => ReactNode;
  /** Says what is lost with the thing. */
  deleteWarning: string;
  /** For a form whose fields need the room. */
  wide?: boolean;
  /** Stands above the list. */
  notice?: ReactNode;
}

/** A set-up page: the list, and a drawer to make, change and delete one. */
export function ResourcePage<T extends Versioned, V>(props: Props<T, V>) {
  const list = useAll<T>(props.path);
  const [open, setOpen] = useState<{ item?: T } | null>(null);
  const add = (
    <Button leftSection={<Icon name="plus" />} onClick={() => setOpen({})} data-testid="add">
      {`New ${props.noun}`}
    </Button>
  );
  const first = props.columns[0];
  const columns: Column<T>[] = first
    ? [{ ...first, cell: (item) => <button type="button" className={classes.open} onClick={() => setOpen({ item })}>{first.cell(item)}</button> }, ...props.columns.slice(1)]
    : [];
  return (
    <Page title={props.title} lead={props.lead} actions={add}>
      {props.notice}
      <section className="panel" aria-label={props.title}>
        <Loaded query={list}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon={props.icon} title={`No ${props.title.toLowerCase()} yet`} action={add}>
                {props.empty}
              </Empty>
            ) : (
              <DataTable caption={props.title} columns={columns} rows={rows} rowKey={(item) => item.id} />
            )
          }
        </Loaded>
      </section>
      {open && (
        <FormDrawer
          key={open.item?.id ?? "new"}
          path={props.path}
          noun={props.noun}
          item={open.item}
          name={open.item ? props.nameOf(open.item) : ""}
          initial={props.toValue(open.item)}
          toBody={props.toBody}
          fields={props.fields}
          deleteWarning={props.deleteWarning}
          wide={props.wide}
          close={() => setOpen(null)}
        />
      )}
    </Page>
  );
}

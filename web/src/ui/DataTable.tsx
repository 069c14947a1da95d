import type { ReactNode } from "react";
import classes from "./DataTable.module.css";

export interface Column<T> {
  label: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand at the right edge. */
  numeric?: boolean;
  /** The label is for screen readers only: a column of buttons. */
  hideLabel?: boolean;
}

interface Props<T> {
  /** Names the table for screen readers. */
  caption: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string | number;
}

/** A table that turns into a list of cards on a narrow screen. Roles are written out because display changes drop them. */
export function DataTable<T>({ caption, columns, rows, rowKey }: Props<T>) {
  return (
    <div className={classes.scroll}>
      <table className={classes.table} role="table" aria-label={caption}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.label} role="columnheader" scope="col" data-numeric={column.numeric || undefined}>
                {column.hideLabel ? <span className="sr-only">{column.label}</span> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={rowKey(row)} role="row">
              {columns.map((column) => (
                <td key={column.label} role="cell" data-label={column.hideLabel ? undefined : column.label} data-numeric={column.numeric || undefined}>
                  <div>{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

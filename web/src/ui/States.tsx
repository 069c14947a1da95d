import { Button, Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import { messageOf } from "../api/client";
import { Icon, type IconName } from "./Icon";
import classes from "./States.module.css";

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** What stands where there is nothing yet: what would be here and how to get it. */
export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <div className={classes.state}>
      <span className={classes.disc}>
        <Icon name={icon} size={20} />
      </span>
      <p className={classes.title}>{title}</p>
      {children && <p className={classes.text}>{children}</p>}
      {action}
    </div>
  );
}

/** What went wrong, in the server's words, and a way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className={classes.state} role="alert">
      <span className={classes.disc} data-kind="bad">
        <Icon name="alert" size={20} />
      </span>
      <p className={classes.title}>This could not be loaded</p>
      <p className={classes.text}>{messageOf(error)}</p>
      {retry && (
        <Button variant="default" size="xs" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Rows that stand in for a list while it loads. */
export function ListSkeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className={classes.skeleton} role="status">
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={18} width={`${92 - ((index * 17) % 40)}%`} radius="sm" />
      ))}
    </div>
  );
}

interface QueryState<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** Chooses between skeleton, failure and content for one query. Old data stays on screen when a refresh fails. */
export function Loaded<T>({ query, rows, children }: { query: QueryState<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  return <ListSkeleton rows={rows} />;
}

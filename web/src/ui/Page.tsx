import { Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import classes from "./Page.module.css";

interface PageProps {
  title: string;
  /** One line that says what the page is for. */
  lead?: ReactNode;
  /** Stands before the title: a way back. */
  before?: ReactNode;
  actions?: ReactNode;
  /** Uses the whole width and height: a canvas. */
  full?: boolean;
  children: ReactNode;
}

/** The frame of a console page: heading, what it is for, its actions, and the content. */
export function Page({ title, lead, before, actions, full, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Tandem`;
  }, [title]);
  return (
    <div className={classes.page} data-full={full || undefined}>
      <div className={classes.head}>
        <div className={classes.words}>
          {before}
          <Title order={1}>{title}</Title>
          {lead && <p className={classes.lead}>{lead}</p>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
      {children}
    </div>
  );
}

import type { ReactNode } from "react";
import classes from "./Status.module.css";

export type Tone = "good" | "warn" | "bad" | "accent" | "neutral";

/** A small pill: the tone is never the only carrier of the meaning, the words are. */
export function Pill({ tone = "neutral", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return (
    <span className={classes.pill} data-tone={tone} title={title}>
      {children}
    </span>
  );
}

/** A coloured dot with words beside it. */
export function Status({ tone = "neutral", children, ...rest }: { tone?: Tone; children: ReactNode } & React.ComponentProps<"span">) {
  return (
    <span className={classes.status} data-tone={tone} {...rest}>
      <span className={classes.dot} />
      {children}
    </span>
  );
}

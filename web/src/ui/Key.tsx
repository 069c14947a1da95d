import classes from "./Key.module.css";

/** A hint at a shortcut; the list of shortcuts says it to screen readers. */
export function Key({ children }: { children: string }) {
  return (
    <kbd className={classes.key} aria-hidden="true">
      {children}
    </kbd>
  );
}

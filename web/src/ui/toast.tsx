import { ActionIcon } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { messageOf } from "../api/client";
import { Icon } from "./Icon";
import classes from "./toast.module.css";

interface Toast {
  id: number;
  kind: "done" | "failed";
  text: string;
}

const SHOWN_MS = 6000;

class Toasts {
  private items: Toast[] = [];
  private next = 1;
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = () => this.items;

  add(kind: Toast["kind"], text: string): void {
    const id = this.next++;
    this.set([...this.items.slice(-3), { id, kind, text }]);
    setTimeout(() => this.remove(id), kind === "failed" ? SHOWN_MS * 2 : SHOWN_MS);
  }

  remove(id: number): void {
    this.set(this.items.filter((item) => item.id !== id));
  }

  private set(items: Toast[]): void {
    this.items = items;
    for (const listener of this.listeners) listener();
  }
}

const toasts = new Toasts();

export const toastDone = (text: string) => toasts.add("done", text);
export const toastFailed = (error: unknown) => toasts.add("failed", messageOf(error));

/** The corner in which results of actions are told; a live region for screen readers. */
export function ToastCorner() {
  const items = useSyncExternalStore(toasts.subscribe, toasts.snapshot);
  return (
    <section className={classes.corner} aria-label="Messages" aria-live="polite">
      {items.map((item) => (
        <div key={item.id} className={classes.toast} data-kind={item.kind} role={item.kind === "failed" ? "alert" : undefined}>
          <Icon name={item.kind === "failed" ? "alert" : "check"} />
          <span>{item.text}</span>
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Dismiss message" onClick={() => toasts.remove(item.id)}>
            <Icon name="close" size={14} />
          </ActionIcon>
        </div>
      ))}
    </section>
  );
}

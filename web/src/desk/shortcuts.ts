import { useEffect, useSyncExternalStore } from "react";

const KEY = "tandem.desk.shortcuts";
const CHANGED = "tandem-shortcuts";

/** Whether single keys act. They can be switched off, since speech input and slips of the hand press them too. */
export function useShortcutsOn(): [boolean, (on: boolean) => void] {
  const on = useSyncExternalStore(subscribe, read);
  return [on, write];
}

function subscribe(listener: () => void): () => void {
  window.addEventListener(CHANGED, listener);
  return () => window.removeEventListener(CHANGED, listener);
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function write(on: boolean): void {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Storage is off: the choice holds until the page is left.
  }
  window.dispatchEvent(new Event(CHANGED));
}

/**
 * Acts on single keys pressed outside of fields and dialogs; "shift+e" for a letter with Shift. An
 * undefined action leaves its key alone.
 */
export function useShortcuts(actions: Record<string, (() => void) | undefined>): void {
  const [on] = useShortcutsOn();
  useEffect(() => {
    if (!on) return undefined;
    const act = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
      const action = actions[nameOf(event)];
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", act);
    return () => window.removeEventListener("keydown", act);
  }, [actions, on]);
}

function nameOf(event: KeyboardEvent): string {
  const key = event.key.toLowerCase();
  return event.shiftKey && /^[a-z]$/.test(key) ? `shift+${key}` : key;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || Boolean(target.closest("input, textarea, select, [role=dialog], [role=menu]"));
}

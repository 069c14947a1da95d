import { useState } from "react";
import type { FlowDetail } from "../api/types";
import { draftOf, isChanged, type Draft } from "./draft";

const KEPT = 200;

interface State {
  /** The saved version the draft came from. */
  base: Draft;
  version: number;
  past: Draft[];
  now: Draft;
  future: Draft[];
  /** What the last change was about: typing on in the same field is one change. */
  about: string;
}

/** A draft with its history; null while nothing is edited. */
export interface Editor {
  draft: Draft;
  base: Draft;
  version: number;
  dirty: boolean;
  canUndo: boolean;
  canRedo: boolean;
  /** Makes a change; those with the same "about" one after another are undone together. */
  change: (next: Draft, about?: string) => void;
  undo: () => void;
  redo: () => void;
  /** Goes on from another saved version, with this draft; what was before can still be undone. */
  restart: (flow: FlowDetail, next?: (theirs: Draft) => Draft) => void;
  stop: () => void;
}

export function useEditor(): { editor: Editor | null; begin: (flow: FlowDetail) => void } {
  const [state, setState] = useState<State | null>(null);
  const begin = (flow: FlowDetail) => {
    const base = draftOf(flow);
    setState({ base, version: flow.version, past: [], now: base, future: [], about: "" });
  };
  if (!state) return { editor: null, begin };
  const set = (update: (old: State) => State) => setState((old) => old && update(old));
  const editor: Editor = {
    draft: state.now,
    base: state.base,
    version: state.version,
    dirty: isChanged(state.base, state.now),
    canUndo: state.past.length > 0,
    canRedo: state.future.length > 0,
    change: (next, about = "") =>
      set((old) => ({ ...old, now: next, future: [], about, past: about !== "" && about === old.about ? old.past : [...old.past, old.now].slice(-KEPT) })),
    undo: () =>
      set((old) => {
        const last = old.past.at(-1);
        return last ? { ...old, now: last, past: old.past.slice(0, -1), future: [old.now, ...old.future], about: "" } : old;
      }),
    redo: () =>
      set((old) => {
        const next = old.future[0];
        return next ? { ...old, now: next, past: [...old.past, old.now], future: old.future.slice(1), about: "" } : old;
      }),
    restart: (flow, next) =>
      set((old) => {
        const base = draftOf(flow);
        return { ...old, base, version: flow.version, now: next ? next(base) : base, past: [...old.past, old.now].slice(-KEPT), future: [], about: "" };
      }),
    stop: () => setState(null),
  };
  return { editor, begin };
}

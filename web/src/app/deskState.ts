import type { QueryClient } from "@tanstack/react-query";
import type { Desk } from "../api/types";

/** Where the newest desk snapshot is kept, as a Received. */
export const DESK = ["desk"] as const;

/** A snapshot with the moment it came, from which the server's clock is told. */
export interface Received {
  desk: Desk;
  /** Server time minus this browser's, in milliseconds. */
  offset: number;
}

/** Whether this person is talking to, or being offered, a customer. */
export function deskOnCall(queries: QueryClient): boolean {
  const state = queries.getQueryData<Received>(DESK)?.desk.contact?.state;
  return state === "ringing" || state === "dialing" || state === "connected" || state === "held";
}

import type { Ref, Role, WriteBackStatus } from "../api/types";
import type { Tone } from "./Status";

/** The name of what may come as a reference, as a bare name, or not at all. */
export const nameOf = (value: Ref | string | null | undefined): string => (typeof value === "string" ? value : (value?.name ?? ""));

const roles: Record<Role, string> = { agent: "Agent", supervisor: "Supervisor", admin: "Administrator" };

export const roleNames = (list: Role[] | null | undefined): string => (list ?? []).map((role) => roles[role] ?? role).join(", ");

const endReasons: Record<string, string> = {
  customer: "Caller hung up",
  agent: "Agent ended it",
  flow: "Ended by the flow",
  abandoned: "Abandoned",
  error: "Error",
  hub_restart: "Hub restarted",
  rejected: "Rejected",
  transfer: "Other side hung up",
  unreachable: "Customer not reached",
};

export const endReasonName = (reason: string): string => endReasons[reason] ?? reason;

const callStates: Record<string, [string, Tone]> = {
  flow: ["In the flow", "neutral"],
  queued: ["Waiting", "warn"],
  ringing: ["Ringing", "accent"],
  dialing: ["Calling back", "accent"],
  connected: ["Talking", "good"],
  held: ["On hold", "warn"],
  transferred: ["Transferred", "good"],
  wrapup: ["Wrap-up", "neutral"],
  ended: ["Ended", "neutral"],
};

export const callState = (state: string): [string, Tone] => callStates[state] ?? [state, "neutral"];

const writeBacks: Record<WriteBackStatus, [string, Tone]> = {
  none: ["None", "neutral"],
  pending: ["Pending", "warn"],
  done: ["Saved", "good"],
  failed: ["Failed", "bad"],
};

/** The state of a write-back, which is a word or the HTTP status that the CRM answered. */
export function writeBack(status: string): [string, Tone] {
  if (/^\d{3}$/.test(status)) return status.startsWith("2") ? [`Saved (${status})`, "good"] : [`Refused (${status})`, "bad"];
  return writeBacks[status as WriteBackStatus] ?? [status, "neutral"];
}

/** An Amazon resource name without the part that is the same for all of this hub: role/svc/voice. */
export const shortName = (arn: string): string => arn.replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, "");

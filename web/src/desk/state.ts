import type { AgentState, Desk, DeskContact } from "../api/types";
import type { Tone } from "../ui/Status";

const names: Record<AgentState, string> = {
  offline: "Offline",
  available: "Available",
  idle: "Not available",
  ringing: "Ringing",
  connected: "On a call",
  wrapup: "Wrap-up",
  rona: "Missed a call",
};

const tones: Record<AgentState, Tone> = {
  offline: "neutral",
  available: "good",
  idle: "warn",
  ringing: "accent",
  connected: "accent",
  wrapup: "warn",
  rona: "bad",
};

export const toneOf = (state: AgentState): Tone => tones[state];

/** "Not available: Lunch" */
export function stateName(state: AgentState, reason: { name: string } | string | null | undefined): string {
  const text = typeof reason === "string" ? reason : reason?.name;
  if (state === "idle" && text) return text;
  return names[state] ?? state;
}

export const onCall = (contact: DeskContact | null): boolean => contact !== null && contact.state !== "wrapup";

/** Who is on the line: the one person the CRM knows by this number, else the name that came with the call, else the number. */
export function callerOf(contact: DeskContact): string {
  const { status, contacts } = contact.customer;
  const known = status === "found" && contacts.length === 1 ? contacts[0]?.title : "";
  return known || contact.callerName || contact.ani || WITHHELD;
}

export const WITHHELD = "Number withheld";

/** The sentence that screen readers are told when something happens. */
export function announcement(desk: Desk): string {
  const { contact } = desk;
  if (!contact) return `You are ${stateName(desk.state, desk.reason).toLowerCase()}.`;
  const who = callerOf(contact);
  switch (contact.state) {
    case "dialing":
      return `Calling ${who} back.`;
    case "ringing":
      if (contact.callback) return `Callback to ${who}${contact.queue ? `, queue ${contact.queue.name}` : ""}.`;
      return `Incoming call from ${who}${contact.queue ? `, queue ${contact.queue.name}` : ""}.`;
    case "connected":
      return contact.muted ? "You are muted." : `Connected to ${who}.`;
    case "held":
      return `${who} is on hold.`;
    case "wrapup":
      return contact.endedBy === "customer" ? `The ${contact.callback ? "customer" : "caller"} hung up. Wrap-up.` : "The call has ended. Wrap-up.";
  }
}

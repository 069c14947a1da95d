/** What the list of contacts is narrowed to; it lives in the address, so that a search can be sent to a colleague. */
export interface ContactFilter {
  number?: string;
  state?: string;
  queueId?: string;
  agentId?: string;
  /** Days, as 2026-11-23, in the viewer's time zone. */
  from?: string;
  to?: string;
}

const names = ["number", "state", "queueId", "agentId", "from", "to"] as const;

export function readFilter(search: Record<string, unknown>): ContactFilter {
  const filter: ContactFilter = {};
  for (const name of names) {
    const value = search[name];
    // The router reads 4711 in an address as a number.
    if (typeof value === "string" && value !== "") filter[name] = value;
    if (typeof value === "number") filter[name] = String(value);
  }
  return filter;
}

/** The server's parameters: numbers are stored encrypted and found whole or by their last 4 or 7 digits. */
export function paramsOf(filter: ContactFilter): Record<string, string | undefined> {
  const digits = (filter.number ?? "").replace(/[^\d+]/g, "");
  const ends = /^\d{4}$|^\d{7}$/.test(digits);
  return {
    state: filter.state,
    queueId: filter.queueId,
    agentId: filter.agentId,
    number: ends ? undefined : digits || undefined,
    numberEnds: ends ? digits : undefined,
    from: startOf(filter.from, 0),
    to: startOf(filter.to, 1),
  };
}

function startOf(day: string | undefined, daysLater: number): string | undefined {
  if (!day) return undefined;
  const date = new Date(`${day}T00:00`);
  if (Number.isNaN(date.getTime())) return undefined;
  date.setDate(date.getDate() + daysLater);
  return date.toISOString();
}

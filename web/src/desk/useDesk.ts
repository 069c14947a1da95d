import { useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { api, get } from "../api/client";
import { useEventStream, type StreamStatus } from "../api/stream";
import type { CrmRecord, Customer, Desk } from "../api/types";
import { DESK, type Received } from "../app/deskState";
import { millis } from "../ui/time";
import { toastFailed } from "../ui/toast";

const receive = (desk: Desk): Received => ({ desk: filled(desk), offset: millis(desk.now) - Date.now() });

// An empty list may come as null.
function filled(desk: Desk): Desk {
  const { contact } = desk;
  return {
    ...desk,
    reasons: desk.reasons ?? [],
    wrapUpCodes: desk.wrapUpCodes ?? [],
    queues: desk.queues ?? [],
    contact: contact && {
      ...contact,
      variables: contact.variables ?? [],
      earlier: contact.earlier ?? [],
      customer: filledCustomer(contact.customer),
    },
  };
}

const filledCustomer = (customer: Customer): Customer => ({
  ...customer,
  accounts: records(customer.accounts),
  contacts: records(customer.contacts),
  cases: records(customer.cases),
});

const records = (list: CrmRecord[] | null): CrmRecord[] => (list ?? []).map((record) => ({ ...record, fields: record.fields ?? [] }));

// Answers of actions and the event stream race; the higher revision wins.
function keep(queries: QueryClient, desk: Desk): void {
  const known = queries.getQueryData<Received>(DESK)?.desk;
  if (known && known.rev > desk.rev) return;
  queries.setQueryData(DESK, receive(desk));
}

/** Follows the desk: everything shown comes from the server's newest snapshot. */
export function useDeskFeed(): { received: Received | undefined; error: unknown; refetch: () => void; stream: StreamStatus } {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: DESK,
    queryFn: async ({ signal }) => {
      const desk = await get<Desk>("/desk", signal);
      // The stream may have brought something newer while this was under way.
      const known = queries.getQueryData<Received>(DESK);
      return known && known.desk.rev > desk.rev ? known : receive(desk);
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  // A restarted server counts revisions from the start again, so the first snapshot of a stream is always taken.
  const stream = useEventStream<Desk>("/desk/events", "desk", (desk, first) => {
    if (first) queries.setQueryData(DESK, receive(desk));
    else keep(queries, desk);
  });
  return { received: data, error, refetch: () => void refetch(), stream };
}

interface DeskContextValue {
  desk: Desk;
  offset: number;
  /** False while the line to the server is down: what is shown may be old and nothing can be done. */
  usable: boolean;
}

export const DeskContext = createContext<DeskContextValue | null>(null);

export function useDesk(): DeskContextValue {
  const value = useContext(DeskContext);
  if (!value) throw new Error("used outside the desk");
  return value;
}

export interface DeskAction {
  path: string;
  body?: unknown;
  method?: "POST" | "PUT";
}

/** Does one thing at the desk; the answer is the new snapshot. */
export function useDeskAction() {
  const queries = useQueryClient();
  return useMutation({
    // One after the other, in the order of the keys pressed: digits must not overtake each other.
    scope: { id: "desk" },
    mutationFn: ({ path, body, method }: DeskAction) => api<Desk>(method ?? "POST", `/desk${path}`, { body: body ?? {} }),
    onSuccess: (desk) => keep(queries, desk),
    onError: toastFailed,
  });
}

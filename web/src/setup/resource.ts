import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, create, del } from "../api/client";
import { toastDone, toastFailed } from "../ui/toast";

export interface Versioned {
  id: string;
  version?: number;
}

// The version that was seen goes along, so that nobody's change is overwritten unseen.
const update = <T>(path: string, item: Versioned, body: unknown) =>
  api<T>("PUT", path, { body, headers: item.version === undefined ? {} : { "If-Match": `"${item.version}"` } });

/** Creating, changing and deleting the things of one set-up list. */
export function useResource<T extends Versioned>(path: string, noun: string) {
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: [path] });
  const save = useMutation({
    mutationFn: ({ item, body }: { item?: T; body: unknown }) => (item ? update<T>(`${path}/${encodeURIComponent(item.id)}`, item, body) : create<T>(path, body)),
    onSuccess: async (_, { item }) => {
      await refresh();
      toastDone(item ? `The ${noun} is saved.` : `The ${noun} is created.`);
    },
  });
  const remove = useMutation({
    mutationFn: (id: string) => del(`${path}/${encodeURIComponent(id)}`),
    onSuccess: async () => {
      await refresh();
      toastDone(`The ${noun} is deleted.`);
    },
    onError: toastFailed,
  });
  return { save, remove };
}

/** The fields of a form that is being filled in. */
export type Setter<V> = <K extends keyof V>(name: K, value: V[K]) => void;

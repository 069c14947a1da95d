import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { get, query } from "./client";
import type { Page } from "./types";

/** All pages of a list read so far, read again every refetchMs when that is given. */
export function usePages<T>(path: string, params: Record<string, string | undefined> = {}, refetchMs?: number) {
  return useInfiniteQuery({
    queryKey: [path, params],
    refetchInterval: refetchMs,
    queryFn: ({ pageParam, signal }) => get<Page<T>>(`${path}${query({ ...params, cursor: pageParam })}`, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
    select: (data) => data.pages.flatMap((page) => page.items ?? []),
  });
}

const MOST_PAGES = 20;

/** A whole short list: what forms choose from. Reads on until its end, within reason. */
export function useAll<T>(path: string) {
  return useQuery({
    queryKey: [path, "all"],
    queryFn: async ({ signal }) => {
      const items: T[] = [];
      let cursor = "";
      for (let page = 0; page < MOST_PAGES; page++) {
        const part = await get<Page<T>>(`${path}${query({ cursor })}`, signal);
        items.push(...(part.items ?? []));
        if (!part.next) break;
        cursor = part.next;
      }
      return items;
    },
  });
}

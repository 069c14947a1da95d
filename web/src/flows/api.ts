import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, create, get, post, put, query } from "../api/client";
import type { FlowDetail, FlowDiff, FlowSummary, FlowTry, FlowVersion, Page } from "../api/types";
import { toastDone, toastFailed } from "../ui/toast";

const FLOWS = ["/flows"];
const path = (id: string) => `/flows/${encodeURIComponent(id)}`;

/** Lists may come as null when they are empty. */
export const filled = (flow: FlowDetail): FlowDetail => ({
  ...flow,
  nodes: (flow.nodes ?? []).map((node) => ({ ...node, problems: node.problems ?? [], properties: node.properties ?? {} })),
  edges: flow.edges ?? [],
  handlers: flow.handlers ?? [],
  variables: flow.variables ?? [],
  bindings: flow.bindings ?? [],
});

export const useFlows = () => useQuery({ queryKey: FLOWS, queryFn: ({ signal }) => get<Page<FlowSummary>>("/flows", signal) });

export const useFlow = (id: string, version?: number) =>
  useQuery({
    queryKey: ["flow", id, version ?? "latest"],
    queryFn: async ({ signal }) => filled(await get<FlowDetail>(version ? `${path(id)}/versions/${version}` : path(id), signal)),
  });

export const useVersions = (id: string) => useQuery({ queryKey: ["flow", id, "versions"], queryFn: ({ signal }) => get<Page<FlowVersion>>(`${path(id)}/versions`, signal) });

/** Keeps the answer of a change and lets everything that depends on it be read again. */
function useKeep() {
  const queries = useQueryClient();
  return (flow: FlowDetail) => {
    void queries.invalidateQueries({ queryKey: FLOWS });
    void queries.invalidateQueries({ queryKey: ["flow", flow.id] });
    queries.setQueryData(["flow", flow.id, "latest"], filled(flow));
  };
}

export interface FlowFile {
  name: string;
  text: string;
  /** Adds a version to this flow instead of making a new one. */
  flowId?: string;
}

export function useImport() {
  const keep = useKeep();
  return useMutation({
    mutationFn: async ({ name, text, flowId }: FlowFile) => {
      const search = new URLSearchParams({ name });
      if (flowId) search.set("flowId", flowId);
      const answer = await api<{ flow: FlowDetail }>("POST", `/flows/import?${search}`, { raw: { data: text, type: /^\s*[[{]/.test(text) ? "application/json" : "application/yaml" } });
      return answer.flow;
    },
    onSuccess: keep,
  });
}

export function useMend(id: string) {
  const keep = useKeep();
  return useMutation({
    mutationFn: (body: { version: number; problems?: number[]; all?: boolean }) => create<FlowDetail>(`${path(id)}/mend`, body),
    onSuccess: (flow) => {
      keep(flow);
      toastDone(`Version ${flow.version} holds the mends. Publish it to use it.`);
    },
    onError: toastFailed,
  });
}

export function useBind(id: string) {
  const keep = useKeep();
  return useMutation({
    mutationFn: (body: { version: number; bindings: { kind: string; ref: string; target: string }[] }) => put<FlowDetail>(`${path(id)}/bindings`, body),
    onSuccess: keep,
    onError: toastFailed,
  });
}

export function usePublish(id: string) {
  const keep = useKeep();
  return useMutation({
    mutationFn: (version: number) => post<FlowDetail>(`${path(id)}/publish`, { version }),
    onSuccess: (flow) => {
      keep(flow);
      toastDone(`Version ${flow.publishedVersion} is published. New calls use it at once.`);
    },
    onError: toastFailed,
  });
}

/** The newest version as the server has it now. */
export const readLatest = async (id: string): Promise<FlowDetail> => filled(await get<FlowDetail>(path(id)));

/** Stores an edited flow; a 409 says that somebody was faster, and is for the caller to show. */
export function useSave(id: string) {
  const keep = useKeep();
  return useMutation({
    mutationFn: async (model: { version: number }) => filled(await api<FlowDetail>("PUT", `${path(id)}/model`, { body: model, headers: { "If-Match": `"${model.version}"` } })),
    onSuccess: (flow) => {
      keep(flow);
      toastDone(`Version ${flow.version} is saved. Publish it to use it.`);
    },
  });
}

export function useRestore(id: string) {
  const keep = useKeep();
  return useMutation({
    mutationFn: (version: number) => post<FlowDetail>(`${path(id)}/restore`, { version }),
    onSuccess: (flow) => {
      keep(flow);
      toastDone(`Version ${flow.version} is as the old one was. Publish it to use it.`);
    },
    onError: toastFailed,
  });
}

export const useDiff = (id: string, from: number, to: number) =>
  useQuery({ queryKey: ["flow", id, "diff", from, to], queryFn: ({ signal }) => get<FlowDiff>(`${path(id)}/diff${query({ from, to })}`, signal) });

export const useTry = (id: string) => useMutation({ mutationFn: (body: { version: number; script: unknown; model?: unknown }) => post<FlowTry>(`${path(id)}/test`, body) });

export interface Written {
  file: string;
  text: string;
  losses: { node: string; field: string; what: string }[];
}

/** A version as a file of a format, with all that was edited. */
export const writeFlow = (id: string, version: number, format: string) => get<Written>(`${path(id)}/written${query({ version, format })}`);

export const exportAddress = (id: string, version: number) => `/api/v1${path(id)}/export?version=${version}`;

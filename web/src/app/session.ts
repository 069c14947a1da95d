import { useMutation, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useRouteContext } from "@tanstack/react-router";
import { api, ApiError, holdSession, post } from "../api/client";
import type { Role, Session } from "../api/types";

const SESSION = ["session"];

/** The session of this browser, asked for once; null when nobody is signed in. */
export function loadSession(queries: QueryClient): Promise<Session | null> {
  return queries.ensureQueryData({
    queryKey: SESSION,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    queryFn: async () => {
      try {
        const session = await api<Session>("GET", "/session", { ownAuthErrors: true });
        holdSession(session);
        return session;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
  });
}

export function forgetSession(queries: QueryClient): void {
  holdSession(null);
  queries.clear();
  queries.setQueryData(SESSION, null);
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: { login: string; password: string }) =>
      api<Session>("POST", "/session", { body, ownAuthErrors: true }),
    onSuccess: (session) => {
      queries.clear();
      holdSession(session);
      queries.setQueryData(SESSION, session);
    },
  });
}

export function useChangePassword() {
  return useMutation({ mutationFn: (body: { current: string; new: string }) => post<void>("/session/password", body) });
}

/** The session behind every signed-in page. */
export function useSession(): Session {
  return useRouteContext({ from: "/in", select: (context) => context.session });
}

export function useRole(role: Role): boolean {
  return useSession().user.roles.includes(role);
}

export const isAgent = (session: Session) => session.user.roles.includes("agent") || Boolean(session.user.agentId);
export const isLead = (session: Session) =>
  session.user.roles.includes("admin") || session.user.roles.includes("supervisor");

/** The first page of a person: agents work at the desk, others watch. */
export const homeOf = (session: Session) => (isAgent(session) && !isLead(session) ? "/desk" : isLead(session) ? "/live" : "/desk");

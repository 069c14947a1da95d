import type { Problem, ProblemItem, Session } from "./types";

/** A refusal or failure of the server in words fit to show, with the parts of the RFC 9457 body. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly items: ProblemItem[];

  constructor(problem: Problem) {
    super(problem.detail || problem.title || `The server answered ${problem.status}.`);
    this.name = "ApiError";
    this.status = problem.status;
    this.code = problem.code ?? "";
    this.items = problem.errors ?? [];
  }
}

/** The status given to failures that never reached the server. */
export const NO_ANSWER = 0;

let csrf = "";
let onSignedOut: () => void = () => {};

/** Keeps the token that every unsafe request must carry. */
export function holdSession(session: Session | null): void {
  csrf = session?.csrf ?? "";
}

/** Called when the server no longer knows the session. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

export interface RequestOptions {
  body?: unknown;
  /** Sent as it is, with its own content type: a flow file. */
  raw?: { data: Blob | string; type: string };
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** A 401 is an answer here (the sign-in page), not the end of the session. */
  ownAuthErrors?: boolean;
}

/** One request to /api/v1; throws ApiError with words to show. */
export async function api<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  if (!response.ok) {
    const problem = await readProblem(response);
    if (response.status === 401 && !options.ownAuthErrors) onSignedOut();
    throw new ApiError(problem);
  }
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

async function send(method: string, path: string, options: RequestOptions): Promise<Response> {
  const headers = new Headers(options.headers);
  headers.set("Accept", "application/json");
  if (method !== "GET" && csrf) headers.set("X-CSRF-Token", csrf);
  let body: BodyInit | undefined;
  if (options.raw) {
    headers.set("Content-Type", options.raw.type);
    body = options.raw.data;
  } else if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.body);
  }
  try {
    return await fetch(`/api/v1${path}`, { method, headers, body, signal: options.signal, credentials: "same-origin" });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError({
      status: NO_ANSWER,
      code: "unavailable",
      detail: "The server did not answer. Check the network; nothing was changed.",
    });
  }
}

async function readProblem(response: Response): Promise<Problem> {
  const fallback: Problem = { status: response.status, title: `The server answered ${response.status}.` };
  try {
    const body = (await response.json()) as Problem;
    return { ...fallback, ...body, status: response.status };
  } catch {
    return fallback;
  }
}

export const get = <T>(path: string, signal?: AbortSignal) => api<T>("GET", path, { signal });
export const post = <T>(path: string, body: unknown = {}) => api<T>("POST", path, { body });
export const put = <T>(path: string, body: unknown) => api<T>("PUT", path, { body });
export const patch = <T>(path: string, body: unknown) => api<T>("PATCH", path, { body });
export const del = (path: string) => api<void>("DELETE", path);

/** POST that creates: the key makes a repeated click or retry create once. */
export const create = <T>(path: string, body: unknown) =>
  api<T>("POST", path, { body, headers: { "Idempotency-Key": randomKey() } });

// randomUUID is missing on pages served by plain HTTP from another machine.
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A query string from the parameters that are set. */
export function query(params: Record<string, string | number | undefined | null>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

/** Words to show for any thrown value. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) {
    const items = error.items.map((item) => (item.location ? `${item.location}: ${item.message}` : item.message));
    return items.length > 0 ? `${error.message} ${items.join(" ")}` : error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

import { useEffect, useRef, useState } from "react";
import { api, ApiError } from "./client";

export type StreamStatus = "connecting" | "open" | "lost";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** A stream that pinged before and then stays silent for this many ping periods is dead, whatever TCP says. */
const SILENT_PINGS = 3;
const SHORTEST_SILENCE_MS = 20_000;

/**
 * Follows one server-sent event stream for as long as the component lives. The browser's own
 * reconnection gives up on HTTP errors and does not notice a silent line, so both are handled here.
 * `first` marks the first event after each (re)connection.
 */
export function useEventStream<T>(path: string, event: string, onData: (data: T, first: boolean) => void): StreamStatus {
  const [status, setStatus] = useState<StreamStatus>("connecting");
  const handler = useRef(onData);
  handler.current = onData;
  useEffect(() => {
    const stream = new Stream(`/api/v1${path}`, event, (text, first) => handler.current(JSON.parse(text) as T, first), setStatus);
    stream.open();
    return () => stream.close();
  }, [path, event]);
  return status;
}

class Stream {
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private delay = FIRST_RETRY_MS;
  private lastPing = 0;
  private pingPeriod = 0;
  private closed = false;

  constructor(
    private readonly url: string,
    private readonly event: string,
    private readonly onText: (text: string, first: boolean) => void,
    private readonly onStatus: (status: StreamStatus) => void,
  ) {}

  open(): void {
    const source = new EventSource(this.url);
    let first = true;
    this.source = source;
    source.onopen = () => {
      this.delay = FIRST_RETRY_MS;
      this.lastPing = 0;
      this.onStatus("open");
      this.rearm();
    };
    source.addEventListener(this.event, (message) => {
      this.onStatus("open");
      this.rearm();
      this.onText((message as MessageEvent<string>).data, first);
      first = false;
    });
    source.addEventListener("ping", () => this.ping());
    source.onerror = () => this.fail();
    window.addEventListener("online", this.reopenNow);
  }

  close(): void {
    this.closed = true;
    window.removeEventListener("online", this.reopenNow);
    this.drop();
  }

  private drop(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.retry);
    clearTimeout(this.watch);
  }

  private readonly reopenNow = () => {
    this.drop();
    this.open();
  };

  private ping(): void {
    const now = Date.now();
    if (this.lastPing > 0) this.pingPeriod = now - this.lastPing;
    this.lastPing = now;
    this.rearm();
  }

  private rearm(): void {
    clearTimeout(this.watch);
    if (this.pingPeriod === 0) return;
    this.watch = setTimeout(() => this.fail(), Math.max(SHORTEST_SILENCE_MS, SILENT_PINGS * this.pingPeriod));
  }

  private fail(): void {
    if (this.closed) return;
    this.drop();
    this.onStatus("lost");
    this.retry = setTimeout(() => void this.retryOnce(), this.delay);
    this.delay = Math.min(LONGEST_RETRY_MS, this.delay * 2);
  }

  // An event source does not tell a refused session from a dead server; asking for the session does.
  private async retryOnce(): Promise<void> {
    try {
      await api("GET", "/session");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
    }
    if (!this.closed) this.open();
  }
}

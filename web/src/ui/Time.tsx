import { formatAbsolute, formatDuration, formatRelative, millis, useNow } from "./time";

/** A relative time whose title is the absolute one. */
export function Ago({ time }: { time: string | null | undefined }) {
  const now = useNow(15_000);
  // A time before the epoch is the server's zero value.
  if (!time || !(millis(time) > 0)) return <span className="muted">never</span>;
  return (
    <time dateTime={time} title={formatAbsolute(time)}>
      {formatRelative(time, now)}
    </time>
  );
}

/** A timer that counts up from a moment of the server's clock; offset is server time minus ours, in milliseconds. */
export function Elapsed({ since, offset = 0, ...rest }: { since: string; offset?: number } & React.ComponentProps<"span">) {
  const now = useNow(1000);
  return (
    <span className="num" title={`Since ${formatAbsolute(since)}`} {...rest}>
      {formatDuration((now + offset - millis(since)) / 1000)}
    </span>
  );
}

/** Whole seconds until a moment of the server's clock, never negative. */
export function useRemaining(until: string | null | undefined, offset: number): number {
  const now = useNow(250);
  const left = (millis(until) - now - offset) / 1000;
  return Number.isNaN(left) ? 0 : Math.max(0, Math.ceil(left));
}

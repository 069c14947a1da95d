import { useEffect, useState } from "react";

/** Milliseconds since the epoch, or NaN for what is not a time. */
export const millis = (time: string | null | undefined) => (time ? Date.parse(time) : Number.NaN);

/** 0:07, 12:05, 1:02:03. Negative counts as zero. */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const pad = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${pad(total % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(total % 60)}`;
}

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const formatAbsolute = (time: string) => (Number.isNaN(millis(time)) ? "" : absolute.format(millis(time)));
export const formatClock = (time: string) => (Number.isNaN(millis(time)) ? "" : clock.format(millis(time)));

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "12 seconds ago", "in 3 minutes", "yesterday"; beyond a month the date. */
export function formatRelative(time: string, nowMs: number): string {
  const seconds = Math.round((millis(time) - nowMs) / 1000);
  if (Number.isNaN(seconds)) return "";
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size < MINUTE) return relative.format(seconds, "second");
  if (size < HOUR) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < DAY) return relative.format(Math.round(seconds / HOUR), "hour");
  if (size < 30 * DAY) return relative.format(Math.round(seconds / DAY), "day");
  return day.format(millis(time));
}

/** The time now, in milliseconds, renewed every period. */
export function useNow(periodMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), periodMs);
    return () => clearInterval(timer);
  }, [periodMs]);
  return now;
}

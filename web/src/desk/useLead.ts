import { useCallback, useEffect, useRef, useState } from "react";

const LOCK = "tandem-desk-audio";

/**
 * Of all the tabs that show this desk one leads: it holds the audio, rings and pops screens. The
 * others take over when it closes, or at once by take().
 */
export function useLead(): { lead: boolean; take: () => void } {
  // Without locks (a page by plain HTTP) there is no audio either, so every tab may lead.
  const [lead, setLead] = useState(!navigator.locks);
  const release = useRef<() => void>(() => {});
  const alive = useRef(false);

  const hold = useCallback(() => {
    if (!alive.current) return Promise.resolve();
    setLead(true);
    return new Promise<void>((resolve) => {
      release.current = resolve;
    });
  }, []);

  const waitInLine = useCallback(
    (signal: AbortSignal) => {
      if (!navigator.locks) return;
      navigator.locks.request(LOCK, { signal }, hold).catch(() => {
        // Another tab took the audio: follow it, and be ready when it closes.
        setLead(false);
        if (!signal.aborted) waitInLine(signal);
      });
    },
    [hold],
  );

  const line = useRef<AbortController | null>(null);
  useEffect(() => {
    alive.current = true;
    line.current = new AbortController();
    waitInLine(line.current.signal);
    return () => {
      alive.current = false;
      line.current?.abort();
      release.current();
    };
  }, [waitInLine]);

  const take = useCallback(() => {
    line.current?.abort();
    const next = new AbortController();
    line.current = next;
    navigator.locks.request(LOCK, { steal: true }, hold).catch(() => {
      setLead(false);
      if (!next.signal.aborted) waitInLine(next.signal);
    });
  }, [hold, waitInLine]);

  return { lead, take };
}

import { useEffect } from "react";
import { ring } from "./ring";
import { callerOf } from "./state";
import { useDesk } from "./useDesk";

/** Everything that draws attention to a ringing call: tone, title of the tab, notification. */
export function ToneOnRing({ leads }: { leads: boolean }) {
  const { desk, usable } = useDesk();
  const { contact } = desk;
  const ringing = contact?.state === "ringing";
  const who = contact ? callerOf(contact) : "";
  const id = contact?.id ?? "";

  useEffect(() => {
    document.title = ringing ? `Call from ${who} · Tandem` : "Desk · Tandem";
  }, [ringing, who]);

  useEffect(() => (ringing && leads && usable ? ring() : undefined), [ringing, leads, usable, id]);

  useEffect(() => (ringing && leads ? notify(who, id) : undefined), [ringing, leads, who, id]);
  return null;
}

function notify(who: string, id: string): (() => void) | undefined {
  if (!("Notification" in window) || Notification.permission !== "granted" || document.visibilityState === "visible") return undefined;
  const notification = new Notification("Incoming call", { body: who, tag: id, requireInteraction: true, silent: true });
  notification.onclick = () => {
    window.focus();
    notification.close();
  };
  return () => notification.close();
}

import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import type { DeskContact, ScreenPop } from "../api/types";
import { meta } from "../app/meta";
import { Icon } from "../ui/Icon";
import classes from "./ScreenPopCard.module.css";

/** The page the flow wants in front of the agent: opened by itself once, and always at hand as a link. */
export function ScreenPopCard({ contact, leads }: { contact: DeskContact; leads: boolean }) {
  const pop = contact.screenPop;
  const url = pop ? webAddress(pop.url) : null;
  const inside = pop?.target === "insideDesktop" && url !== null && mayFrame(url);
  const blocked = useAutoOpen(contact.id, pop, url, leads && !inside);
  if (!pop) return null;
  return (
    <section className={`panel ${classes.card}`} aria-label="Screen pop">
      <div className={classes.row}>
        <Icon name="open" size={18} />
        <div className={classes.words}>
          <h2>Screen pop: {pop.label || "page"}</h2>
          {url ? (
            <a href={url.href} target="_blank" rel="noreferrer" data-testid="screen-pop">
              {url.href}
            </a>
          ) : (
            <span className="muted" data-testid="screen-pop">
              {pop.url}
            </span>
          )}
          {!url && <p className={classes.warn}>This is not a web address, so it is not opened.</p>}
          {blocked && <p className={classes.warn}>Your browser blocked the new tab. Allow pop-ups for this page to have it open by itself.</p>}
        </div>
        {url && (
          <Button variant="default" onClick={() => openPage(pop, url)} data-testid="screen-pop-open">
            Open
          </Button>
        )}
      </div>
      {inside && <iframe className={classes.frame} src={url.href} title={pop.label || "Screen pop"} sandbox="allow-scripts allow-same-origin allow-forms allow-popups" />}
    </section>
  );
}

function webAddress(text: string): URL | null {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

// The server names the origins its content security policy lets this page frame. Our own is never
// among them: a framed page of ours could reach into the desk.
function mayFrame(url: URL): boolean {
  return url.origin !== location.origin && meta("tandem-frame-origins").split(" ").includes(url.origin);
}

function openPage(pop: ScreenPop, url: URL): boolean {
  const opened = window.open(url.href, pop.target === "sameBrowserTab" ? "tandem-screen-pop" : "_blank");
  if (!opened) return false;
  try {
    opened.opener = null;
  } catch {
    // A tab that has gone elsewhere already no longer lets us; it has no way back to us either.
  }
  return true;
}

// Opens each screen pop once, also when the desk is reloaded; says whether the browser refused.
function useAutoOpen(contactId: string, pop: ScreenPop | null, url: URL | null, wanted: boolean): boolean {
  const [blocked, setBlocked] = useState(false);
  const key = pop ? `tandem.popped.${contactId} ${pop.at}` : "";
  useEffect(() => {
    if (!wanted || !pop || !url || alreadyOpened(key)) return;
    setBlocked(!openPage(pop, url));
  }, [key, wanted]);
  return blocked;
}

function alreadyOpened(key: string): boolean {
  try {
    if (localStorage.getItem("tandem.popped") === key) return true;
    localStorage.setItem("tandem.popped", key);
  } catch {
    // Storage is off: a reload opens the page again.
  }
  return false;
}

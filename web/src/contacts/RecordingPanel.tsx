import { Button } from "@mantine/core";
import type { ContactDetail, Recording } from "../api/types";
import { Icon } from "../ui/Icon";
import { formatDuration } from "../ui/time";
import classes from "./Contacts.module.css";

/** What was recorded of the conversation: a player and the file. */
export function RecordingPanel({ contact }: { contact: ContactDetail }) {
  const recordings = contact.recordings ?? [];
  const seconds = recordings.reduce((sum, recording) => sum + recording.durationSeconds, 0);
  if (recordings.length === 0) return null;
  const url = `/api/v1/contacts/${encodeURIComponent(contact.id)}/recording`;
  const goesOn = !contact.endedAt;
  return (
    <section className="panel" aria-labelledby="recording">
      <header>
        <h2 id="recording">Recording</h2>
        <span className="muted small">
          <span className="num">{formatDuration(seconds)}</span>
          {goesOn ? " so far. " : ". "}
          {sidesOf(recordings)}
        </span>
      </header>
      <div className={classes.recording}>
        {/* What is said is not known as text: a transcript is no part of the record. */}
        <audio key={goesOn ? "goes on" : "whole"} controls preload="none" src={url} aria-labelledby="recording" data-testid="recording">
          Your browser cannot play the recording; save it instead.
        </audio>
        <Button component="a" href={url} download={`recording-${contact.id}.wav`} variant="default" leftSection={<Icon name="download" />} data-testid="recording-download">
          Save the recording
        </Button>
      </div>
    </section>
  );
}

function sidesOf(recordings: Recording[]): string {
  const agent = recordings.some((recording) => recording.agent);
  const customer = recordings.some((recording) => recording.customer);
  if (agent && customer) return "The customer is on the left, the agent on the right.";
  return agent ? "Only the agent was recorded." : "Only the customer was recorded.";
}

import { useEffect, useState, useSyncExternalStore } from "react";
import type { Desk } from "../api/types";
import { AudioLink, type AudioState } from "./AudioLink";
import { loadChoice, saveChoice, type AudioChoice } from "./audioChoice";
import { keepAlive } from "./keepAlive";
import { useLead } from "./useLead";

export interface Audio extends AudioState {
  /** Another tab holds the audio. */
  elsewhere: boolean;
  choice: AudioChoice | null;
  connect: (choice: AudioChoice) => void;
  take: () => void;
}

/** The audio of this tab: connected as soon as the devices are known and this tab leads. */
export function useAudio(desk: Desk | null): Audio {
  const [link] = useState(() => new AudioLink());
  const [choice, setChoice] = useState(loadChoice);
  const state = useSyncExternalStore(link.subscribe, link.snapshot);
  const { lead, take } = useLead();
  const kind = desk?.station.kind ?? "none";
  const wanted = lead && choice !== null && desk !== null && kind !== "sip";

  useEffect(() => {
    if (!wanted || !choice) return undefined;
    void link.start(choice.microphone);
    void link.playOn(choice.speaker).catch(() => undefined);
    const end = keepAlive(() => link.checkHealth());
    return () => {
      end();
      link.stop();
    };
  }, [wanted, choice, link]);

  const contact = desk?.contact;
  const silenced = Boolean(contact?.muted || contact?.held);
  useEffect(() => link.silence(silenced), [link, silenced]);

  return {
    ...state,
    elsewhere: !lead,
    choice,
    connect: (next) => {
      saveChoice(next);
      setChoice({ ...next });
    },
    take,
  };
}

export interface AudioReport {
  tone: "good" | "warn" | "bad" | "neutral";
  text: string;
  detail: string;
}

/** What is true of the audio, in words: both this browser and the hub must say that it is connected. */
export function describeAudio(audio: Audio, desk: Desk): AudioReport {
  const { station } = desk;
  if (station.kind === "sip") return describePhone(desk);
  if (audio.elsewhere) {
    return station.connected
      ? { tone: "neutral", text: "Audio in another tab", detail: "Another tab of this browser holds the audio." }
      : { tone: "bad", text: "Audio not connected", detail: "Another tab was to hold the audio, but it is not connected there." };
  }
  if (audio.phase === "connected" && station.connected) return { tone: "good", text: "Audio connected", detail: quality(desk) };
  if (audio.phase === "connected") return { tone: "warn", text: "Audio connecting", detail: "Waiting for the hub to confirm the audio." };
  if (audio.phase === "asking") return { tone: "warn", text: "Audio not connected", detail: "Waiting for your permission to use the microphone." };
  if (audio.phase === "connecting") return { tone: "warn", text: "Audio connecting", detail: "Connecting the audio to the hub." };
  return { tone: "bad", text: "Audio not connected", detail: audio.message || "Check the microphone to connect the audio." };
}

function describePhone(desk: Desk): AudioReport {
  const { address, connected } = desk.station;
  return connected
    ? { tone: "good", text: "Phone connected", detail: `Calls ring at ${address}.` }
    : { tone: "bad", text: "Phone not connected", detail: `The phone ${address} is not registered with the hub.` };
}

function quality(desk: Desk): string {
  const numbers = desk.station.quality;
  if (!numbers || numbers.packetsReceived + numbers.packetsLost === 0) return "";
  const loss = (100 * numbers.packetsLost) / (numbers.packetsReceived + numbers.packetsLost);
  return `${loss.toFixed(1)} % lost, ${Math.round(numbers.jitterMs)} ms jitter`;
}

import { useCallback, useEffect, useState } from "react";
import { openMicrophone } from "./AudioLink";
import type { AudioChoice } from "./audioChoice";
import { INSECURE_PAGE, microphoneProblem } from "./stationText";

interface Option {
  value: string;
  label: string;
}

export interface MicrophoneCheck {
  stream: MediaStream | null;
  asking: boolean;
  problem: string;
  heard: boolean;
  microphones: Option[];
  speakers: Option[];
  choice: AudioChoice;
  start: () => void;
  markHeard: () => void;
  chooseMicrophone: (id: string) => void;
  chooseSpeaker: (id: string) => void;
  /** Gives the microphone back and answers the choice made. */
  finish: () => AudioChoice;
}

/** The state of a microphone check; the microphone is released when the check leaves the screen. */
export function useMicrophoneCheck(initial: AudioChoice | null): MicrophoneCheck {
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState("");
  const [heard, setHeard] = useState(false);
  const [choice, setChoice] = useState<AudioChoice>(initial ?? { microphone: "", speaker: "" });
  const devices = useDevices(stream);

  useEffect(() => () => stopAll(stream), [stream]);

  const open = useCallback(async (microphone: string) => {
    if (!navigator.mediaDevices) {
      setProblem(INSECURE_PAGE);
      return;
    }
    setAsking(true);
    setProblem("");
    setHeard(false);
    try {
      setStream(await openMicrophone(microphone));
      askForNotifications();
    } catch (error) {
      setStream(null);
      setProblem(microphoneProblem(error));
    } finally {
      setAsking(false);
    }
  }, []);

  return {
    stream,
    asking,
    problem,
    heard,
    choice,
    microphones: optionsOf(devices, "audioinput", "Microphone"),
    speakers: optionsOf(devices, "audiooutput", "Loudspeaker"),
    start: () => void open(choice.microphone),
    markHeard: () => setHeard(true),
    chooseMicrophone: (microphone) => {
      setChoice({ ...choice, microphone });
      void open(microphone);
    },
    chooseSpeaker: (speaker) => setChoice({ ...choice, speaker }),
    finish: () => {
      stopAll(stream);
      return choice;
    },
  };
}

// The names of devices are known only once the microphone is open.
function useDevices(stream: MediaStream | null): MediaDeviceInfo[] {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  useEffect(() => {
    if (!stream || !navigator.mediaDevices) return undefined;
    const list = () => void navigator.mediaDevices.enumerateDevices().then(setDevices);
    list();
    navigator.mediaDevices.addEventListener("devicechange", list);
    return () => navigator.mediaDevices.removeEventListener("devicechange", list);
  }, [stream]);
  return devices;
}

function optionsOf(devices: MediaDeviceInfo[], kind: MediaDeviceKind, noun: string): Option[] {
  const found = devices.filter((device) => device.kind === kind && device.deviceId !== "default" && device.deviceId !== "");
  return [{ value: "", label: "System default" }, ...found.map((device, index) => ({ value: device.deviceId, label: device.label || `${noun} ${index + 1}` }))];
}

function stopAll(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// Asked here because the person has just pressed a button that is about being reached.
function askForNotifications(): void {
  if ("Notification" in window && Notification.permission === "default") void Notification.requestPermission();
}

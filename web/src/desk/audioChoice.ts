const KEY = "tandem.desk.audio";

export interface AudioChoice {
  microphone: string;
  speaker: string;
}

/** The devices that passed the check on this computer; null before the first check. */
export function loadChoice(): AudioChoice | null {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<AudioChoice> | null;
    return stored ? { microphone: stored.microphone ?? "", speaker: stored.speaker ?? "" } : null;
  } catch {
    return null;
  }
}

export function saveChoice(choice: AudioChoice): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // Storage is off: the check is asked for again next time.
  }
}

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What the agent's microphone says. */
export const AGENT_TONE = 900;
/** What the caller says. */
export const CALLER_TONE = 440;

const RATE = 48_000;
/** A steady tone is noise to the browser's noise suppression; one that comes and goes is speech. */
const ON_SECONDS = 0.3;
const PERIOD_SECONDS = 0.5;

/** Writes the sound of the fake microphone and returns its path. */
export function fakeMicrophone() {
  const samples = RATE * 5;
  const file = Buffer.alloc(44 + samples * 2);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples * 2, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(RATE * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < samples; i++) {
    const t = i / RATE;
    const on = t % PERIOD_SECONDS < ON_SECONDS;
    file.writeInt16LE(on ? Math.round(16_000 * Math.sin(2 * Math.PI * AGENT_TONE * t)) : 0, 44 + i * 2);
  }
  const dir = fileURLToPath(new URL("../test-results", import.meta.url));
  mkdirSync(dir, { recursive: true });
  const path = `${dir}/microphone.wav`;
  writeFileSync(path, file);
  return path;
}

const PERIOD_MS = 2_600;
const NOTES_HZ = [587.33, 783.99];
const NOTE_SECONDS = 0.38;
const LOUDNESS = 0.12;

/** Rings until the returned function is called. */
export function ring(): () => void {
  const context = new AudioContext();
  void context.resume().catch(() => undefined);
  burst(context);
  const timer = setInterval(() => burst(context), PERIOD_MS);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}

/** One burst, to try the loudspeaker. */
export function testTone(): void {
  const context = new AudioContext();
  burst(context);
  setTimeout(() => void context.close(), PERIOD_MS);
}

function burst(context: AudioContext): void {
  for (let index = 0; index < 4; index++) note(context, NOTES_HZ[index % 2] ?? 0, context.currentTime + index * NOTE_SECONDS);
}

function note(context: AudioContext, hertz: number, at: number): void {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, at + NOTE_SECONDS);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + NOTE_SECONDS);
}

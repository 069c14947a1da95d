/**
 * Keeps a background tab awake: a worker gives the clock, and a tone far below hearing makes the
 * browser count the tab as playing audio. Returns what ends it.
 */
export function keepAlive(onTick: () => void): () => void {
  const worker = new Worker(new URL("./tick.worker.ts", import.meta.url), { type: "module" });
  const context = new AudioContext();
  const tone = context.createOscillator();
  const gain = context.createGain();
  tone.frequency.value = 20;
  gain.gain.value = 0.00005;
  tone.connect(gain).connect(context.destination);
  tone.start();
  worker.onmessage = () => {
    if (context.state === "suspended") void context.resume().catch(() => undefined);
    onTick();
  };
  return () => {
    worker.terminate();
    void context.close();
  };
}

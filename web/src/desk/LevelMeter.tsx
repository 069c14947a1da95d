import { useEffect, useRef, useState } from "react";
import classes from "./AudioPanel.module.css";

const HEARD_LEVEL = 0.06;
const REPORT_MS = 300;

interface Props {
  stream: MediaStream | null;
  /** Called once when something louder than noise came in. */
  onHeard?: () => void;
}

/** Shows how loud the microphone is. The bar moves without rendering; the spoken value changes slowly. */
export function LevelMeter({ stream, onHeard }: Props) {
  const bar = useRef<HTMLSpanElement>(null);
  const heard = useRef(onHeard);
  heard.current = onHeard;
  const [percent, setPercent] = useState(0);

  useEffect(() => {
    if (!stream || stream.getAudioTracks().length === 0) return undefined;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let frame = 0;
    let reported = 0;
    const draw = (at: number) => {
      frame = requestAnimationFrame(draw);
      analyser.getFloatTimeDomainData(samples);
      const level = loudness(samples);
      if (bar.current) bar.current.style.transform = `scaleX(${level})`;
      if (level > HEARD_LEVEL) heard.current?.();
      if (at - reported > REPORT_MS) {
        reported = at;
        setPercent(Math.round(level * 100));
      }
    };
    frame = requestAnimationFrame(draw);
    return () => {
      cancelAnimationFrame(frame);
      void context.close();
    };
  }, [stream]);

  return (
    <span className={classes.meter} role="meter" aria-label="Microphone level" aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} data-testid="mic-level">
      <span ref={bar} className={classes.meterBar} />
    </span>
  );
}

// Root mean square on a curve that shows quiet speech as well.
function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(Math.sqrt(sum / samples.length)) * 1.4);
}

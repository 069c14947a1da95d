import { Alert, Button, NativeSelect } from "@mantine/core";
import type { ReactNode } from "react";
import { Icon } from "../ui/Icon";
import classes from "./AudioPanel.module.css";
import type { AudioChoice } from "./audioChoice";
import { LevelMeter } from "./LevelMeter";
import { testTone } from "./ring";
import { useMicrophoneCheck, type MicrophoneCheck } from "./useMicrophoneCheck";

interface Props {
  /** Why the microphone does not work, when it was tried already. */
  problem: string;
  initial: AudioChoice | null;
  connect: (choice: AudioChoice) => void;
  cancel?: () => void;
  /** The way to a desk phone. */
  phone: ReactNode;
}

/** The check before the first call: permission, device, level, and a verdict in words. */
export function Preflight({ problem, initial, connect, cancel, phone }: Props) {
  const check = useMicrophoneCheck(initial);
  const message = check.problem || problem;
  return (
    <section className={`panel ${classes.preflight}`} aria-labelledby="preflight-title">
      <h2 id="preflight-title">Check your microphone</h2>
      <p className="muted">Calls can reach you only when the audio works. This takes a few seconds, once on each computer.</p>
      {message && (
        <Alert color="red" icon={<Icon name="alert" />} role="alert">
          {message}
        </Alert>
      )}
      {check.stream ? <Devices check={check} /> : null}
      <div className={classes.buttons}>
        {check.stream ? (
          <Button onClick={() => connect(check.finish())} data-testid="mic-use">
            {check.heard ? "Connect the audio" : "Connect without the test"}
          </Button>
        ) : (
          <Button leftSection={<Icon name="mic" />} loading={check.asking} onClick={check.start} data-testid="mic-check">
            Check microphone
          </Button>
        )}
        {cancel && (
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        )}
        {phone}
      </div>
    </section>
  );
}

function Devices({ check }: { check: MicrophoneCheck }) {
  return (
    <>
      <div className={classes.devices}>
        <NativeSelect label="Microphone" data={check.microphones} value={check.choice.microphone} onChange={(event) => check.chooseMicrophone(event.currentTarget.value)} />
        {check.speakers.length > 1 && (
          <NativeSelect label="Loudspeaker" data={check.speakers} value={check.choice.speaker} onChange={(event) => check.chooseSpeaker(event.currentTarget.value)} />
        )}
      </div>
      <LevelMeter stream={check.stream} onHeard={check.markHeard} />
      <p className={classes.verdict} role="status" data-testid="mic-result" data-heard={check.heard}>
        <Icon name={check.heard ? "check" : "mic"} />
        {check.heard ? "Your microphone works: we hear you." : "Say a few words. The bar should move while you speak."}
        <Button variant="subtle" size="compact-sm" onClick={testTone}>
          Play a test tone
        </Button>
      </p>
    </>
  );
}

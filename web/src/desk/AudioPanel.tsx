import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Icon } from "../ui/Icon";
import classes from "./AudioPanel.module.css";
import { LevelMeter } from "./LevelMeter";
import { PhoneDialog } from "./PhoneDialog";
import { Preflight } from "./Preflight";
import type { Audio } from "./useAudio";
import { useDesk, useDeskAction } from "./useDesk";

/** The audio of this desk: checked once, then out of the way unless something is wrong. */
export function AudioPanel({ audio }: { audio: Audio }) {
  const { desk, usable } = useDesk();
  const action = useDeskAction();
  const [checking, check] = useDisclosure(false);
  const [phone, phoneDialog] = useDisclosure(false);
  const quiet = desk.contact !== null && audio.phase === "connected";

  if (desk.station.kind === "sip") {
    if (desk.contact && desk.station.connected) return null;
    return (
      <section className={`panel ${classes.line}`} aria-label="Audio">
        <Icon name="phone" size={18} />
        <p>
          Calls ring at your phone <strong>{desk.station.address}</strong>.
        </p>
        <Button variant="default" size="xs" disabled={!usable} onClick={() => action.mutate({ path: "/station", body: { kind: "browser" } })}>
          Use this browser instead
        </Button>
      </section>
    );
  }
  if (audio.elsewhere) {
    return (
      <section className={`panel ${classes.line}`} aria-label="Audio">
        <Icon name="headset" size={18} />
        <p>Another tab of this browser holds the audio. Everything else works here too.</p>
        <Button variant="default" size="xs" onClick={audio.take} data-testid="audio-here">
          Use audio here
        </Button>
      </section>
    );
  }
  if (audio.choice === null || audio.phase === "blocked" || checking) {
    return (
      <Preflight
        problem={audio.phase === "blocked" ? audio.message : ""}
        initial={audio.choice}
        cancel={checking ? check.close : undefined}
        connect={(choice) => {
          audio.connect(choice);
          check.close();
        }}
        phone={
          <>
            <Button variant="subtle" size="xs" color="gray" onClick={phoneDialog.open}>
              Use a desk phone instead
            </Button>
            <PhoneDialog opened={phone} close={phoneDialog.close} />
          </>
        }
      />
    );
  }
  if (quiet) return null;
  return (
    <section className={`panel ${classes.line}`} aria-label="Audio">
      <Icon name="mic" size={18} />
      {audio.phase === "retrying" ? <Failing message={audio.message} /> : <LevelMeter stream={audio.stream} />}
      <Button variant="default" size="xs" onClick={check.open}>
        Change devices
      </Button>
    </section>
  );
}

/** What broke, and that it is being mended. */
function Failing({ message }: { message: string }) {
  return (
    <p role="status">
      {message} <span className="muted">Trying again by itself.</span>
    </p>
  );
}

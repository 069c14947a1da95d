import { ActionIcon, Button, Menu, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ChosenState } from "../api/types";
import { Icon } from "../ui/Icon";
import { Status } from "../ui/Status";
import { Elapsed } from "../ui/Time";
import classes from "./DeskBar.module.css";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { onCall, stateName, toneOf } from "./state";
import { describeAudio, type Audio } from "./useAudio";
import { useDesk, useDeskAction } from "./useDesk";

/** The agent's state and the state of the audio, always in sight. */
export function DeskBar({ audio }: { audio: Audio }) {
  const { desk, offset } = useDesk();
  const [opened, dialog] = useDisclosure(false);
  return (
    <section className={classes.bar} aria-label="Your state">
      <StateMenu />
      <Elapsed className={`num ${classes.timer}`} since={desk.since} offset={offset} data-testid="state-timer" />
      {desk.nextState && (
        <span className={classes.next} data-testid="next-state">
          then {stateName(desk.nextState.state, desk.nextState.reason)}
        </span>
      )}
      <GoAvailable />
      <AudioStatus audio={audio} />
      <Tooltip label="Keyboard shortcuts">
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Keyboard shortcuts" onClick={dialog.open}>
          <Icon name="keyboard" size={18} />
        </ActionIcon>
      </Tooltip>
      <ShortcutsDialog opened={opened} open={dialog.open} close={dialog.close} />
    </section>
  );
}

function StateMenu() {
  const { desk, usable } = useDesk();
  const action = useDeskAction();
  const choose = (state: ChosenState, reasonId?: string) => action.mutate({ path: "/state", body: { state, reasonId } });
  const busy = desk.contact !== null;
  return (
    <Menu position="bottom-start" width={240} shadow="md">
      <Menu.Target>
        <Button
          variant="default"
          loading={action.isPending}
          disabled={!usable}
          rightSection={<Icon name="down" size={14} />}
          data-testid="state-select"
        >
          <Status tone={toneOf(desk.state)} data-testid="agent-state" data-state={desk.state}>
            {stateName(desk.state, desk.reason)}
          </Status>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{busy ? "After this call" : "Take calls"}</Menu.Label>
        <Menu.Item data-testid="state-available" onClick={() => choose("available")}>
          <Status tone="good">Available</Status>
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>Not available</Menu.Label>
        {desk.reasons.map((reason) => (
          <Menu.Item key={reason.id} data-testid={`state-idle-${reason.id}`} onClick={() => choose("idle", reason.id)}>
            <Status tone="warn">{reason.name}</Status>
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item data-testid="state-offline" onClick={() => choose("offline")}>
          <Status>Offline</Status>
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function GoAvailable() {
  const { desk, usable } = useDesk();
  const action = useDeskAction();
  if (desk.state === "available" || onCall(desk.contact) || desk.state === "wrapup") return null;
  return (
    <Button
      color="green"
      disabled={!usable}
      loading={action.isPending}
      onClick={() => action.mutate({ path: "/state", body: { state: "available" } })}
      data-testid="available"
    >
      Go available
    </Button>
  );
}

function AudioStatus({ audio }: { audio: Audio }) {
  const { desk } = useDesk();
  const report = describeAudio(audio, desk);
  return (
    <span className={classes.audio} role="status">
      <Status tone={report.tone} title={report.detail} data-testid="audio-status" data-connected={report.tone === "good"}>
        {report.text}
      </Status>
      {report.tone === "good" && report.detail && <span className={`num ${classes.quality}`}>{report.detail}</span>}
    </span>
  );
}

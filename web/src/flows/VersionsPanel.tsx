import { Button, Group } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { FlowDetail } from "../api/types";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { useRestore, useVersions } from "./api";
import classes from "./Flows.module.css";

interface Props {
  flow: FlowDetail;
  editable: boolean;
  newest: boolean;
  compare: (version: number) => void;
}

/** All versions; a call keeps the one it started with. */
export function VersionsPanel({ flow, editable, newest, compare }: Props) {
  const versions = useVersions(flow.id);
  const restore = useRestore(flow.id);
  return (
    <Loaded query={versions}>
      {({ items }) => (
        <ul className={classes.problems}>
          {(items ?? []).map((item, index) => (
            <li key={item.version}>
              <div className={classes.row}>
                <Link className={classes.nodeLink} to="/flows/$id" params={{ id: flow.id }} search={{ version: item.version }} aria-current={item.version === flow.version}>
                  Version {item.version}
                </Link>
                {item.published && <Pill tone="good">Live</Pill>}
                {item.version === flow.version && <Pill tone="accent">Shown</Pill>}
              </div>
              <p className="muted">
                {item.note && `${item.note}, `}
                {item.createdBy} <Ago time={item.createdAt} />
              </p>
              <Group gap="xs">
                {item.version !== flow.version && (
                  <Button size="compact-xs" variant="default" onClick={() => compare(item.version)} data-testid={`compare-${item.version}`}>
                    Compare with {flow.version}
                  </Button>
                )}
                {editable && newest && index > 0 && (
                  <Button size="compact-xs" variant="default" loading={restore.isPending && restore.variables === item.version} onClick={() => restore.mutate(item.version)} data-testid={`restore-${item.version}`}>
                    Restore
                  </Button>
                )}
              </Group>
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}

import { Link } from "@tanstack/react-router";
import type { FlowDetail } from "../api/types";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { useVersions } from "./api";
import classes from "./Flows.module.css";

/** All versions; a call keeps the one it started with. */
export function VersionsPanel({ flow }: { flow: FlowDetail }) {
  const versions = useVersions(flow.id);
  return (
    <Loaded query={versions}>
      {({ items }) => (
        <ul className={classes.problems}>
          {(items ?? []).map((item) => (
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
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}

import type { Session } from "../api/types";
import type { IconName } from "../ui/Icon";
import { isAgent, isLead } from "./session";

export interface NavItem {
  to: string;
  label: string;
  icon: IconName;
}

export interface NavGroup {
  label: string;
  items: NavItem[];
}

/** The pages a person may open, grouped by what they are for. */
export function navOf(session: Session): NavGroup[] {
  const work: NavItem[] = [];
  if (isAgent(session)) work.push({ to: "/desk", label: "Desk", icon: "headset" });
  if (!isLead(session)) return [{ label: "Work", items: work }];
  work.push(
    { to: "/live", label: "Live", icon: "pulse" },
    { to: "/contacts", label: "Contacts", icon: "list" },
    { to: "/flows", label: "Flows", icon: "flow" },
  );
  const groups = [{ label: "Work", items: work }];
  if (session.user.roles.includes("admin")) groups.push(setUp, operations);
  return groups;
}

const setUp: NavGroup = {
  label: "Set up",
  items: [
    { to: "/entry-points", label: "Entry points", icon: "hash" },
    { to: "/queues", label: "Queues", icon: "queue" },
    { to: "/codes", label: "Reasons and codes", icon: "tag" },
    { to: "/hours", label: "Hours of operation", icon: "clock" },
    { to: "/connectors", label: "Connectors", icon: "plug" },
    { to: "/functions", label: "Functions", icon: "bolt" },
    { to: "/users", label: "Users", icon: "people" },
    { to: "/keys", label: "Tokens and keys", icon: "key" },
  ],
};

const operations: NavGroup = {
  label: "Operations",
  items: [
    { to: "/audit", label: "Audit", icon: "shield" },
    { to: "/jobs", label: "Jobs", icon: "jobs" },
    { to: "/system", label: "System", icon: "gear" },
  ],
};

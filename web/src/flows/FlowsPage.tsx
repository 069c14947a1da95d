import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import type { FlowSummary } from "../api/types";
import { useRole } from "../app/session";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { useFlows } from "./api";
import { ImportDialog } from "./ImportDialog";

const columns: Column<FlowSummary>[] = [
  { label: "Flow", cell: (flow) => <Link to="/flows/$id" params={{ id: flow.id }}>{flow.name}</Link> },
  { label: "State", cell: (flow) => <FlowState flow={flow} /> },
  { label: "To do", cell: (flow) => <ToDo flow={flow} /> },
  { label: "Answers", cell: (flow) => <span className="num">{(flow.entryPoints ?? []).join(", ") || <span className="muted">no number</span>}</span> },
  { label: "From", cell: (flow) => formatName(flow.format) },
  { label: "Changed", cell: (flow) => <Ago time={flow.updatedAt} /> },
];

const formats: Record<string, string> = { webex: "Webex", connect: "Amazon Connect", "connect-legacy": "Amazon Connect (legacy)" };

export const formatName = (format: string) => formats[format] ?? format;

/** The call flows of this hub. */
export function FlowsPage() {
  const flows = useFlows();
  const admin = useRole("admin");
  const [opened, dialog] = useDisclosure(false);
  const button = (
    <Button leftSection={<Icon name="upload" />} onClick={dialog.open} data-testid="import-flow">
      Import a flow
    </Button>
  );
  return (
    <Page title="Flows" lead="What happens to a call from the first ring to the write-back." actions={admin && button}>
      <section className="panel" aria-label="Flows">
        <Loaded query={flows}>
          {({ items }) =>
            (items ?? []).length === 0 ? (
              <Empty icon="flow" title="No flows yet" action={admin && button}>
                Import an export of Webex Contact Center or Amazon Connect; you see at once what runs as it did and what needs a hand.
              </Empty>
            ) : (
              <DataTable caption="Flows" columns={columns} rows={items} rowKey={(flow) => flow.id} />
            )
          }
        </Loaded>
      </section>
      <ImportDialog opened={opened} close={dialog.close} />
    </Page>
  );
}

function FlowState({ flow }: { flow: FlowSummary }) {
  if (!flow.publishedVersion) return <Pill>Draft, version {flow.latestVersion}</Pill>;
  if (flow.latestVersion > flow.publishedVersion) return <Pill tone="warn">Version {flow.publishedVersion} live, {flow.latestVersion} not yet</Pill>;
  return <Pill tone="good">Version {flow.publishedVersion} live</Pill>;
}

function ToDo({ flow }: { flow: FlowSummary }) {
  const parts = [flow.problems > 0 && `${flow.problems} problems`, flow.unresolved > 0 && `${flow.unresolved} to bind`].filter(Boolean);
  return parts.length === 0 ? <span className="muted">nothing</span> : <Pill tone="warn">{parts.join(", ")}</Pill>;
}

import { Anchor, Button, Menu, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { del } from "../api/client";
import type { FlowDetail } from "../api/types";
import { useRole } from "../app/session";
import { Confirm } from "../ui/Confirm";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { toastDone, toastFailed } from "../ui/toast";
import { exportAddress, useFlow, usePublish } from "./api";
import { BindingsPanel } from "./BindingsPanel";
import classes from "./Flows.module.css";
import { FlowCanvas } from "./FlowCanvas";
import { formatName } from "./FlowsPage";
import { ImportDialog } from "./ImportDialog";
import { NodePanel } from "./NodePanel";
import { ReportPanel } from "./ReportPanel";
import { VersionsPanel } from "./VersionsPanel";

/** One flow: its picture, what the import understood, what is left to do, and publishing. */
export function FlowPage() {
  const { id } = useParams({ from: "/in/lead/flows/$id" });
  const { version } = useSearch({ from: "/in/lead/flows/$id" });
  const flow = useFlow(id, version);
  return (
    <Page
      full
      title={flow.data?.name ?? "Flow"}
      before={
        <Anchor renderRoot={(props) => <Link to="/flows" {...props} />} size="sm">
          Flows
        </Anchor>
      }
      lead={flow.data && <Lead flow={flow.data} />}
      actions={flow.data && <Actions flow={flow.data} />}
    >
      <Loaded query={flow}>{(data) => <Work key={data.id} flow={data} latest={version === undefined} />}</Loaded>
    </Page>
  );
}

function Lead({ flow }: { flow: FlowDetail }) {
  return (
    <span className={classes.lead}>
      {formatName(flow.format)}, version {flow.version}
      {flow.publishedVersion === flow.version ? <Pill tone="good">Live</Pill> : <Pill>{flow.publishedVersion ? `Version ${flow.publishedVersion} is live` : "Never published"}</Pill>}
    </span>
  );
}

function Actions({ flow }: { flow: FlowDetail }) {
  const admin = useRole("admin");
  const publish = usePublish(flow.id);
  const [importing, dialog] = useDisclosure(false);
  const [deleting, question] = useDisclosure(false);
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => del(`/flows/${encodeURIComponent(flow.id)}`),
    onSuccess: () => {
      toastDone(`The flow ${flow.name} is deleted.`);
      void navigate({ to: "/flows" });
    },
    onError: toastFailed,
  });
  return (
    <>
      <Menu position="bottom-end" shadow="md">
        <Menu.Target>
          <Button variant="default" leftSection={<Icon name="more" />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component="a" href={exportAddress(flow.id, flow.version)} download leftSection={<Icon name="download" />}>
            Download the original file
          </Menu.Item>
          {admin && (
            <Menu.Item leftSection={<Icon name="upload" />} onClick={dialog.open}>
              Import a new version
            </Menu.Item>
          )}
          {admin && (
            <Menu.Item color="red" leftSection={<Icon name="close" />} onClick={question.open}>
              Delete the flow
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {admin && (
        <Button loading={publish.isPending} disabled={flow.publishedVersion === flow.version} onClick={() => publish.mutate(flow.version)} data-testid="publish">
          {flow.publishedVersion === flow.version ? "Published" : `Publish version ${flow.version}`}
        </Button>
      )}
      <ImportDialog opened={importing} close={dialog.close} flow={flow} />
      <Confirm opened={deleting} close={question.close} title={`Delete ${flow.name}?`} action="Delete the flow" run={() => remove.mutateAsync()}>
        All its versions go with it. Records of calls that used it stay.
      </Confirm>
    </>
  );
}

function Work({ flow, latest }: { flow: FlowDetail; latest: boolean }) {
  const [selected, setSelected] = useState<string | null>(null);
  const [focus, setFocus] = useState<string | null>(null);
  const [tab, setTab] = useState<string | null>("report");
  const admin = useRole("admin") && latest;
  const unresolved = flow.bindings.filter((binding) => !binding.target).length;
  const select = (id: string | null) => {
    setSelected(id);
    setFocus(id);
    if (id !== null) setTab("node");
  };
  const goTo = (id: string) => {
    setSelected(id);
    setFocus(id);
  };
  return (
    <div className={`panel ${classes.work}`}>
      <FlowCanvas flow={flow} selected={selected} onSelect={select} focus={focus} />
      <Tabs className={classes.side} value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="report">Report</Tabs.Tab>
          <Tabs.Tab value="bindings">Bindings{unresolved > 0 && ` (${unresolved})`}</Tabs.Tab>
          <Tabs.Tab value="node">Step</Tabs.Tab>
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="report" className={classes.tab}>
          <ReportPanel flow={flow} editable={admin} goTo={goTo} />
        </Tabs.Panel>
        <Tabs.Panel value="bindings" className={classes.tab}>
          <BindingsPanel flow={flow} editable={admin} />
        </Tabs.Panel>
        <Tabs.Panel value="node" className={classes.tab}>
          <NodePanel flow={flow} id={selected} goTo={goTo} />
        </Tabs.Panel>
        <Tabs.Panel value="versions" className={classes.tab}>
          <VersionsPanel flow={flow} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}

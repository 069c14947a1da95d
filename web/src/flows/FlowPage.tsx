import { Anchor, Button, Menu, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { del } from "../api/client";
import type { FlowDetail } from "../api/types";
import { useRole } from "../app/session";
import { Confirm } from "../ui/Confirm";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { toastDone, toastFailed } from "../ui/toast";
import { exportAddress, useDiff, useFlow, usePublish } from "./api";
import { BindingsPanel } from "./BindingsPanel";
import { bothOf, DiffPanel, marksOf } from "./DiffPanel";
import edits from "./Editor.module.css";
import { EditTop, useEditing } from "./Editing";
import classes from "./Flows.module.css";
import { FlowCanvas } from "./FlowCanvas";
import { formatName } from "./FlowsPage";
import { ImportDialog } from "./ImportDialog";
import { NodeEditor } from "./NodeEditor";
import { NodePanel } from "./NodePanel";
import { readReport } from "./report";
import { ReportPanel } from "./ReportPanel";
import { TestPanel } from "./TestPanel";
import type { Editor } from "./useEditor";
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
  const [path, setPath] = useState<string[] | undefined>();
  const [other, setOther] = useState<number | null>(null);
  const admin = useRole("admin") && latest;
  const editing = useEditing(flow, selected, setSelected, setTab);
  const { editor } = editing;
  const pair = other === null ? null : { from: Math.min(other, flow.version), to: Math.max(other, flow.version) };
  const view = editor ? { ...flow, nodes: editor.draft.nodes, edges: editor.draft.edges } : flow;
  const unresolved = flow.bindings.filter((binding) => !binding.target).length;
  const select = (id: string | null) => {
    setSelected(id);
    if (!editor) setFocus(id);
    if (id !== null && !pair && path === undefined) setTab("node");
  };
  const goTo = (id: string) => {
    setSelected(id);
    setFocus(id);
  };
  const lightUp = (next: string[] | undefined) => {
    setPath(next);
    if (next) setFocus(next.at(-1) ?? null);
  };
  const panel = (
    <Tabs className={classes.side} value={tab} onChange={setTab} keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="report">Report</Tabs.Tab>
        <Tabs.Tab value="bindings">Bindings{unresolved > 0 && ` (${unresolved})`}</Tabs.Tab>
        <Tabs.Tab value="node">Step</Tabs.Tab>
        <Tabs.Tab value="versions">Versions</Tabs.Tab>
        <Tabs.Tab value="test">Test</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="report" className={classes.tab}>
        <ReportPanel flow={flow} editable={admin && !editor?.dirty} goTo={goTo} />
      </Tabs.Panel>
      <Tabs.Panel value="bindings" className={classes.tab}>
        <BindingsPanel flow={flow} editable={admin && !editor?.dirty} />
      </Tabs.Panel>
      <Tabs.Panel value="node" className={classes.tab}>
        <StepTab flow={view} saved={flow} editor={editor} id={selected} goTo={goTo} />
      </Tabs.Panel>
      <Tabs.Panel value="versions" className={classes.tab}>
        {pair ? (
          <Compared flow={flow} pair={pair} goTo={goTo} close={() => setOther(null)} />
        ) : (
          <VersionsPanel flow={flow} editable={admin} newest={latest && !editor} compare={setOther} />
        )}
      </Tabs.Panel>
      <Tabs.Panel value="test" className={classes.tab}>
        <TestPanel flow={flow} dirty={editor?.dirty ?? false} onPath={lightUp} />
      </Tabs.Panel>
    </Tabs>
  );
  return (
    <div className={`panel ${classes.work}`}>
      <div className={edits.left}>
        {admin && !pair && <EditTop flow={flow} editing={editing} />}
        {pair && tab === "versions" ? (
          <ComparedCanvas flow={flow} pair={pair} selected={selected} onSelect={select} focus={focus} />
        ) : (
          <FlowCanvas key={editor ? "edit" : "view"} flow={view} selected={selected} onSelect={select} focus={focus} path={tab === "test" ? path : undefined} editing={tab === "test" ? undefined : editing.canvas} />
        )}
      </div>
      {panel}
      {editing.dialogs}
    </div>
  );
}

function StepTab({ flow, saved, editor, id, goTo }: { flow: FlowDetail; saved: FlowDetail; editor: Editor | null; id: string | null; goTo: (id: string) => void }) {
  const node = flow.nodes.find((item) => item.id === id);
  if (!editor || !node) return <NodePanel flow={flow} id={id} goTo={goTo} />;
  const known = saved.nodes.find((item) => item.id === id)?.problems ?? [];
  const problems = readReport(saved).problems.filter((problem) => known.includes(problem.index));
  return <NodeEditor key={node.id} editor={editor} node={node} problems={problems} />;
}

interface Pair {
  from: number;
  to: number;
}

function Compared({ flow, pair, goTo, close }: { flow: FlowDetail; pair: Pair; goTo: (id: string) => void; close: () => void }) {
  const diff = useDiff(flow.id, pair.from, pair.to);
  return <Loaded query={diff}>{(data) => <DiffPanel diff={data} flow={flow} from={pair.from} to={pair.to} goTo={goTo} close={close} />}</Loaded>;
}

interface ComparedProps {
  flow: FlowDetail;
  pair: Pair;
  selected: string | null;
  onSelect: (id: string | null) => void;
  focus: string | null;
}

/** Both versions in one picture. */
function ComparedCanvas({ flow, pair, ...rest }: ComparedProps) {
  const diff = useDiff(flow.id, pair.from, pair.to);
  const older = useFlow(flow.id, pair.from);
  const newer = useFlow(flow.id, pair.to);
  const both = useMemo(() => diff.data && older.data && newer.data && { flow: bothOf(older.data, newer.data, diff.data), marks: marksOf(diff.data) }, [diff.data, older.data, newer.data]);
  if (!both) return <Loaded query={diff.data ? (older.data ? newer : older) : diff}>{() => null}</Loaded>;
  return <FlowCanvas flow={both.flow} marks={both.marks} {...rest} />;
}

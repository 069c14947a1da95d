import { Anchor, Button, Menu, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState, type ReactNode } from "react";
import { del } from "../api/client";
import type { FlowDetail } from "../api/types";
import { useRole } from "../app/session";
import { Confirm } from "../ui/Confirm";
import { Icon, type IconName } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { toastDone, toastFailed } from "../ui/toast";
import { useDiff, useFlow, usePublish } from "./api";
import { BindingsPanel } from "./BindingsPanel";
import { bothOf, DiffPanel, marksOf } from "./DiffPanel";
import edits from "./Editor.module.css";
import { useDownloads } from "./DownloadMenu";
import { flowOf } from "./draft";
import { EditTop, useEditing } from "./Editing";
import { KnownNames, type Known } from "./ExprInput";
import classes from "./Flows.module.css";
import { FlowCanvas, type Focus } from "./FlowCanvas";
import { formatName } from "./FlowsPage";
import { ImportDialog } from "./ImportDialog";
import { NodeEditor } from "./NodeEditor";
import { NodePanel } from "./NodePanel";
import { OptionsPanel } from "./OptionsPanel";
import type { Taken } from "./picture";
import { readReport } from "./report";
import { ReportPanel } from "./ReportPanel";
import { TestPanel } from "./TestPanel";
import type { Editor } from "./useEditor";
import { VariablesPanel } from "./VariablesPanel";
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
  const downloads = useDownloads(flow, admin);
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
          {downloads.items}
          {admin && <Menu.Divider />}
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
      {downloads.dialog}
      <ImportDialog opened={importing} close={dialog.close} flow={flow} />
      <Confirm opened={deleting} close={question.close} title={`Delete ${flow.name}?`} action="Delete the flow" run={() => remove.mutateAsync()}>
        All its versions go with it. Records of calls that used it stay.
      </Confirm>
    </>
  );
}

const tabs: { value: string; label: string; icon: IconName }[] = [
  { value: "report", label: "Report", icon: "alert" },
  { value: "node", label: "Step", icon: "flow" },
  { value: "variables", label: "Variables", icon: "tag" },
  { value: "options", label: "Flow", icon: "gear" },
  { value: "bindings", label: "Bindings", icon: "plug" },
  { value: "versions", label: "Versions", icon: "list" },
  { value: "test", label: "Test", icon: "play" },
];

function Work({ flow, latest }: { flow: FlowDetail; latest: boolean }) {
  const [selected, setSelected] = useState<string | null>(null);
  const [focus, setFocus] = useState<Focus | null>(null);
  const [tab, setTab] = useState<string>("report");
  const [path, setPath] = useState<Taken[] | undefined>();
  const [other, setOther] = useState<number | null>(null);
  const side = useRef<HTMLDivElement>(null);
  const mayEdit = useRole("admin");
  const admin = mayEdit && latest;
  const editing = useEditing(flow, selected, setSelected, setTab);
  const { editor } = editing;
  const pair = other === null ? null : { from: Math.min(other, flow.version), to: Math.max(other, flow.version) };
  const draft = editor?.draft;
  const view = useMemo(() => (draft ? flowOf(flow, draft) : flow), [flow, draft]);
  const counts: Record<string, number> = { bindings: flow.bindings.filter((binding) => !binding.target).length, report: readReport(flow).problems.length };
  const select = (id: string | null) => {
    setSelected(id);
    if (id !== null && !pair && tab !== "test") setTab("node");
  };
  const goTo = (id: string) => {
    setSelected(id);
    setFocus({ id });
  };
  const open = () => {
    setTab("node");
    requestAnimationFrame(() => side.current?.focus());
  };
  const lightUp = (next: Taken[] | undefined) => {
    setPath(next);
    const last = next?.at(-1)?.node;
    if (last !== undefined) setFocus({ id: last });
  };
  const panels: Record<string, ReactNode> = {
    report: <ReportPanel flow={flow} editable={admin && !editor?.dirty} goTo={goTo} />,
    node: <StepTab flow={view} saved={flow} editor={editor} id={selected} goTo={goTo} />,
    variables: <VariablesPanel flow={view} editor={editor} goTo={goTo} />,
    options: <OptionsPanel flow={view} editor={editor} goTo={goTo} />,
    bindings: <BindingsPanel flow={flow} editable={admin && !editor?.dirty} />,
    versions: pair ? <Compared flow={flow} pair={pair} goTo={goTo} close={() => setOther(null)} /> : <VersionsPanel flow={flow} editable={admin} newest={latest && !editor} compare={setOther} />,
    test: <TestPanel flow={view} editor={editor} onPath={lightUp} />,
  };
  return (
    <div className={`panel ${classes.work}`}>
      <div className={edits.left}>
        {mayEdit && !pair && <EditTop flow={flow} latest={latest} editing={editing} />}
        {pair && tab === "versions" ? (
          <ComparedCanvas flow={flow} pair={pair} selected={selected} onSelect={select} focus={focus} />
        ) : (
          <FlowCanvas key={editor ? "edit" : "view"} flow={view} selected={selected} onSelect={select} onOpen={open} focus={focus} path={tab === "test" ? path : undefined} editing={tab === "test" ? undefined : editing.canvas} />
        )}
      </div>
      <Tabs className={classes.side} orientation="vertical" placement="right" variant="none" value={tab} onChange={(value) => value && setTab(value)} keepMounted={false}>
        <Tabs.List className={classes.rail} aria-label="About this flow">
          {tabs.map(({ value, label, icon }) => (
            <Tabs.Tab key={value} value={value} className={classes.railTab}>
              <Icon name={icon} size={18} />
              <span>{label}</span>
              {(counts[value] ?? 0) > 0 && (
                <span className={classes.count}>
                  {counts[value]}
                  <span className="sr-only"> to do</span>
                </span>
              )}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map(({ value }) => (
          <Tabs.Panel key={value} value={value} className={classes.tab} ref={tab === value ? side : undefined} tabIndex={-1}>
            <KnownNames value={knownOf(view)}>{panels[value]}</KnownNames>
          </Tabs.Panel>
        ))}
      </Tabs>
      {editing.dialogs}
    </div>
  );
}

/** What expressions of the flow can read. */
function knownOf(flow: FlowDetail): Known {
  const gives: Record<string, string[]> = { http: ["httpStatusCode", "httpResponseBody"], menu: ["OptionEntered"], collect: ["DigitsEntered"], queueInfo: ["PIQ", "EWT"] };
  return {
    variables: flow.variables.map((variable) => variable.name),
    outputs: flow.nodes.flatMap((node) => (gives[node.op] ?? []).map((output) => `${node.name}.${output}`)),
    connect: flow.format.includes("connect"),
  };
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
  focus: Focus | null;
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

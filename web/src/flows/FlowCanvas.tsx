import "@xyflow/react/dist/style.css";
import { Button, Select, useComputedColorScheme } from "@mantine/core";
import { Background, Controls, MarkerType, MiniMap, Panel, ReactFlow, ReactFlowProvider, useReactFlow, type Connection, type Edge, type NodeChange } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { FlowDetail } from "../api/types";
import { edgeKey } from "./draft";
import { Icon } from "../ui/Icon";
import classes from "./FlowCanvas.module.css";
import { FlowNodeView, type CanvasNode } from "./FlowNodeView";
import { NODE_HEIGHT, NODE_WIDTH, placesOf, type Point } from "./layout";

const nodeTypes = { step: FlowNodeView };
const MINI_MAP_FROM = 40;
const FOCUS_ZOOM = 1;
const READABLE_ZOOM = 0.65;
const START_MARGIN = 60;
const WHOLE = { maxZoom: 1, padding: 0.1 };

export type Mark = "added" | "removed" | "changed";

/** What differs between two versions; edges by their edgeKey and target. */
export interface Marks {
  nodes: Map<string, Mark>;
  edges: Map<string, Mark>;
}

export const markKey = (edge: { from: string; port: string; to: string }): string => `${edgeKey(edge)} ${edge.to}`;

/** What can be done to a flow on its picture. */
export interface CanvasEditing {
  move: (id: string, to: Point) => void;
  connect: (from: string, to: string) => void;
  /** The selected way, by its edgeKey. */
  edge: string | null;
  onEdge: (key: string | null) => void;
}

interface Props {
  flow: FlowDetail;
  selected: string | null;
  onSelect: (id: string | null) => void;
  /** Moves the view to this node when it changes. */
  focus: string | null;
  /** The nodes a contact went through, in order. */
  path?: string[];
  marks?: Marks;
  /** Lets the flow be changed; every node then stands exactly where it says. */
  editing?: CanvasEditing;
}

/** The picture of a flow: to look at, search and select in, and to draw when it is edited. */
export function FlowCanvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Canvas {...props} />
    </ReactFlowProvider>
  );
}

function Canvas({ flow, selected, onSelect, focus, path, marks, editing }: Props) {
  const [tidy, setTidy] = useState(false);
  const scheme = useComputedColorScheme("light");
  const { fitView, getZoom, setViewport } = useReactFlow();
  const frame = useRef<HTMLDivElement>(null);
  const [dragged, setDragged] = useState<{ id: string; to: Point } | null>(null);
  const exact = editing !== undefined;
  const places = useMemo(() => (exact ? exactPlaces(flow) : placesOf(flow, tidy)), [flow, tidy, exact]);
  const still = useMemo(() => nodesOf(flow, places, selected, path, marks), [flow, places, selected, path, marks]);
  const nodes = useMemo(() => (dragged ? still.map((node) => (node.id === dragged.id ? { ...node, position: dragged.to } : node)) : still), [still, dragged]);
  const edges = useMemo(() => edgesOf(flow, path, marks, editing?.edge ?? null), [flow, path, marks, editing?.edge]);
  useFocus(focus, places);
  const change = (changes: NodeChange<CanvasNode>[]) => {
    const picked = changes.find((item) => item.type === "select" && item.selected);
    if (picked?.type === "select") {
      onSelect(picked.id);
      editing?.onEdge(null);
    }
    for (const item of changes) {
      if (!editing || item.type !== "position" || !item.position) continue;
      if (item.dragging) setDragged({ id: item.id, to: item.position });
      else {
        setDragged(null);
        editing.move(item.id, { x: Math.round(item.position.x), y: Math.round(item.position.y) });
      }
    }
  };
  const onConnect = ({ source, target }: Connection) => editing?.connect(source, target);
  const keyOf = (edge: Edge) => String(edge.data?.key ?? "");
  // A flow too wide to be read as a whole is shown from its start.
  const show = async () => {
    await fitView(WHOLE);
    const start = places.get(flow.nodes.find((node) => node.op === "start")?.id ?? flow.nodes[0]?.id ?? "");
    if (getZoom() >= READABLE_ZOOM || !start) return;
    const height = frame.current?.clientHeight ?? 0;
    await setViewport({ x: START_MARGIN - start.x * READABLE_ZOOM, y: height / 2 - (start.y + NODE_HEIGHT / 2) * READABLE_ZOOM, zoom: READABLE_ZOOM });
  };
  return (
    <div ref={frame} className={classes.canvas} data-editing={exact || undefined} data-testid="flow-canvas">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        colorMode={scheme}
        onNodesChange={change}
        onEdgesChange={(changes) => {
          const item = changes.find((change) => change.type === "select" && change.selected);
          const edge = item?.type === "select" ? edges.find((one) => one.id === item.id) : undefined;
          if (edge && editing) {
            onSelect(null);
            editing.onEdge(keyOf(edge));
          }
        }}
        onConnect={onConnect}
        onPaneClick={() => {
          onSelect(null);
          editing?.onEdge(null);
        }}
        nodesDraggable={exact}
        nodesConnectable={exact}
        edgesFocusable={exact}
        elementsSelectable
        multiSelectionKeyCode={null}
        deleteKeyCode={null}
        minZoom={0.05}
        onInit={() => void show()}
        fitViewOptions={WHOLE}
        onlyRenderVisibleElements
        aria-label={`Flow ${flow.name}`}
      >
        <Background gap={24} size={1} />
        <Controls showInteractive={false} />
        {flow.nodes.length >= MINI_MAP_FROM && <MiniMap pannable zoomable ariaLabel="Overview" nodeColor="var(--faint)" maskColor="color-mix(in srgb, var(--bg) 70%, transparent)" />}
        <Panel position="top-left" className={classes.tools}>
          <Select
            className={classes.search}
            aria-label="Find a step"
            placeholder="Find a step"
            searchable
            clearable
            clearButtonProps={{ "aria-label": "Clear the search" }}
            size="xs"
            leftSection={<Icon name="search" size={14} />}
            nothingFoundMessage="No step has this name"
            limit={50}
            data={flow.nodes.map((node) => ({ value: node.id, label: node.name || node.id }))}
            value={selected}
            onChange={onSelect}
          />
          {!exact && (
            <Button
              variant="default"
              size="xs"
              onClick={() => {
                setTidy(!tidy);
                requestAnimationFrame(() => void show());
              }}
            >
              {tidy ? "As drawn" : "Tidy up"}
            </Button>
          )}
        </Panel>
      </ReactFlow>
    </div>
  );
}

const exactPlaces = (flow: FlowDetail) => new Map(flow.nodes.map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]));

function useFocus(focus: string | null, places: Map<string, Point>): void {
  const { setCenter, getZoom } = useReactFlow();
  const known = useRef(places);
  known.current = places;
  useEffect(() => {
    const place = focus === null ? undefined : known.current.get(focus);
    if (!place) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    void setCenter(place.x + NODE_WIDTH / 2, place.y + NODE_HEIGHT / 2, { zoom: Math.max(FOCUS_ZOOM, getZoom()), duration: still ? 0 : 300 });
  }, [focus, setCenter, getZoom]);
}

function nodesOf(flow: FlowDetail, places: Map<string, Point>, selected: string | null, path: string[] | undefined, marks: Marks | undefined): CanvasNode[] {
  return flow.nodes.map((node) => {
    const order = path?.indexOf(node.id) ?? -1;
    const mark = marks?.nodes.get(node.id);
    return {
      id: node.id,
      type: "step",
      position: places.get(node.id) ?? { x: 0, y: 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      selected: node.id === selected,
      ariaLabel: labelOf(node.name || node.id, mark ?? node.status, node.problems?.length ?? 0),
      data: { node, order: order < 0 ? null : order + 1, dimmed: path !== undefined && order < 0, mark },
    };
  });
}

const labelOf = (name: string, status: string, problems: number): string =>
  [name, status === "mapped" ? "" : status, problems > 0 ? `${problems} problems` : ""].filter(Boolean).join(", ");

const markColors: Record<Mark, string> = { added: "var(--good)", removed: "var(--bad)", changed: "var(--warn)" };

function edgesOf(flow: FlowDetail, path: string[] | undefined, marks: Marks | undefined, selected: string | null): Edge[] {
  const taken = new Set(path?.slice(1).map((id, index) => `${path[index]} ${id}`));
  const nameOf = new Map(flow.nodes.map((node) => [node.id, node.name || node.id]));
  return flow.edges.map((edge) => {
    const lit = taken.has(`${edge.from} ${edge.to}`);
    const mark = marks?.edges.get(markKey(edge));
    const chosen = selected === edgeKey(edge);
    const color = mark ? markColors[mark] : lit || chosen ? "var(--accent)" : "var(--faint)";
    return {
      id: markKey(edge),
      source: edge.from,
      target: edge.to,
      label: edge.port === "ok" ? undefined : edge.port,
      className: mark ? classes[mark] : lit || chosen ? classes.lit : path ? classes.dim : undefined,
      markerEnd: { type: MarkerType.ArrowClosed, width: 12, height: 12, markerUnits: "userSpaceOnUse", color },
      zIndex: lit || chosen || mark ? 1 : 0,
      selected: chosen,
      ariaLabel: `${edge.port} from ${nameOf.get(edge.from) ?? edge.from} to ${nameOf.get(edge.to) ?? edge.to}`,
      data: { key: edgeKey(edge) },
    };
  });
}

import "@xyflow/react/dist/style.css";
import { Button, Select, useComputedColorScheme } from "@mantine/core";
import { Background, Controls, MarkerType, MiniMap, Panel, ReactFlow, ReactFlowProvider, useReactFlow, type Edge, type NodeChange } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { FlowDetail } from "../api/types";
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

interface Props {
  flow: FlowDetail;
  selected: string | null;
  onSelect: (id: string | null) => void;
  /** Moves the view to this node when it changes. */
  focus: string | null;
  /** The nodes a contact went through, in order. */
  path?: string[];
}

/** The picture of a flow: to look at, search and select in; it is not edited here. */
export function FlowCanvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Canvas {...props} />
    </ReactFlowProvider>
  );
}

function Canvas({ flow, selected, onSelect, focus, path }: Props) {
  const [tidy, setTidy] = useState(false);
  const scheme = useComputedColorScheme("light");
  const { fitView, getZoom, setViewport } = useReactFlow();
  const frame = useRef<HTMLDivElement>(null);
  const places = useMemo(() => placesOf(flow, tidy), [flow, tidy]);
  const nodes = useMemo(() => nodesOf(flow, places, selected, path), [flow, places, selected, path]);
  const edges = useMemo(() => edgesOf(flow, path), [flow, path]);
  useFocus(focus, places);
  const change = (changes: NodeChange<CanvasNode>[]) => {
    const picked = changes.find((item) => item.type === "select" && item.selected);
    if (picked?.type === "select") onSelect(picked.id);
  };
  // A flow too wide to be read as a whole is shown from its start.
  const show = async () => {
    await fitView(WHOLE);
    const start = places.get(flow.nodes.find((node) => node.op === "start")?.id ?? flow.nodes[0]?.id ?? "");
    if (getZoom() >= READABLE_ZOOM || !start) return;
    const height = frame.current?.clientHeight ?? 0;
    await setViewport({ x: START_MARGIN - start.x * READABLE_ZOOM, y: height / 2 - (start.y + NODE_HEIGHT / 2) * READABLE_ZOOM, zoom: READABLE_ZOOM });
  };
  return (
    <div ref={frame} className={classes.canvas} data-testid="flow-canvas">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        colorMode={scheme}
        onNodesChange={change}
        onPaneClick={() => onSelect(null)}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
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
        </Panel>
      </ReactFlow>
    </div>
  );
}

function useFocus(focus: string | null, places: Map<string, Point>): void {
  const { setCenter, getZoom } = useReactFlow();
  useEffect(() => {
    const place = focus === null ? undefined : places.get(focus);
    if (!place) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    void setCenter(place.x + NODE_WIDTH / 2, place.y + NODE_HEIGHT / 2, { zoom: Math.max(FOCUS_ZOOM, getZoom()), duration: still ? 0 : 300 });
  }, [focus, places, setCenter, getZoom]);
}

function nodesOf(flow: FlowDetail, places: Map<string, Point>, selected: string | null, path: string[] | undefined): CanvasNode[] {
  return flow.nodes.map((node) => {
    const order = path?.indexOf(node.id) ?? -1;
    return {
      id: node.id,
      type: "step",
      position: places.get(node.id) ?? { x: 0, y: 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      selected: node.id === selected,
      ariaLabel: labelOf(node.name || node.id, node.status, node.problems?.length ?? 0),
      data: { node, order: order < 0 ? null : order + 1, dimmed: path !== undefined && order < 0 },
    };
  });
}

const labelOf = (name: string, status: string, problems: number): string =>
  [name, status === "mapped" ? "" : status, problems > 0 ? `${problems} problems` : ""].filter(Boolean).join(", ");

function edgesOf(flow: FlowDetail, path: string[] | undefined): Edge[] {
  const taken = new Set(path?.slice(1).map((id, index) => `${path[index]} ${id}`));
  return flow.edges.map((edge, index) => {
    const lit = taken.has(`${edge.from} ${edge.to}`);
    return {
      id: `${index} ${edge.from} ${edge.to}`,
      source: edge.from,
      target: edge.to,
      label: edge.port === "ok" ? undefined : edge.port,
      className: lit ? classes.lit : path ? classes.dim : undefined,
      markerEnd: { type: MarkerType.ArrowClosed, width: 12, height: 12, markerUnits: "userSpaceOnUse", color: lit ? "var(--accent)" : "var(--faint)" },
      zIndex: lit ? 1 : 0,
      focusable: false,
    };
  });
}

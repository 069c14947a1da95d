import "@xyflow/react/dist/style.css";
import { Button, useComputedColorScheme } from "@mantine/core";
import { Background, Controls, MiniMap, Panel, ReactFlow, ReactFlowProvider, useReactFlow, type Connection, type Edge, type NodeChange } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import type { FlowDetail } from "../api/types";
import { FindStep } from "./FindStep";
import classes from "./FlowCanvas.module.css";
import { FlowNodeView, type CanvasNode } from "./FlowNodeView";
import { NODE_HEIGHT, NODE_WIDTH, placesOf, type Point } from "./layout";
import { edgesOf, neighbour, NodeDrawer, type Marks, type Taken } from "./picture";

const nodeTypes = { step: FlowNodeView };
const MINI_MAP_FROM = 40;
/** Larger flows are drawn only as far as they are seen. */
const PARTLY_FROM = 120;
const FOCUS_ZOOM = 1;
const READABLE_ZOOM = 0.65;
const START_MARGIN = 60;
const WHOLE = { maxZoom: 1, padding: 0.1 };
const STEP = 20;

const spoken = {
  "node.a11yDescription.default": "Arrow keys follow the ways, Enter opens the step, Control F finds one.",
  "node.a11yDescription.keyboardDisabled": "Arrow keys follow the ways, Enter opens the step, Control F finds one.",
  "edge.a11yDescription.default": "Enter selects the way, Delete removes it while the flow is edited.",
};

/** What can be done to a flow on its picture. */
export interface CanvasEditing {
  move: (id: string, to: Point) => void;
  connect: (from: string, to: string) => void;
  /** The selected way, by its edgeKey. */
  edge: string | null;
  onEdge: (key: string | null) => void;
}

/** Where the view goes; the same step again is another wish. */
export interface Focus {
  id: string;
}

interface Props {
  flow: FlowDetail;
  selected: string | null;
  onSelect: (id: string | null) => void;
  /** Opens a step by keyboard: the focus goes on to what tells of it. */
  onOpen?: (id: string) => void;
  /** Moves the view to this node when it changes. */
  focus: Focus | null;
  /** The steps a contact took, in order. */
  path?: Taken[];
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

function Canvas({ flow, selected, onSelect, onOpen, focus, path, marks, editing }: Props) {
  const [tidy, setTidy] = useState(false);
  const scheme = useComputedColorScheme("light");
  const { fitView, getZoom, setViewport } = useReactFlow();
  const frame = useRef<HTMLDivElement>(null);
  const drawer = useRef(new NodeDrawer());
  const [shown, setShown] = useState(false);
  const [dragged, setDragged] = useState<{ id: string; to: Point } | null>(null);
  const exact = editing !== undefined;
  const places = useMemo(() => (exact ? exactPlaces(flow) : placesOf(flow, tidy)), [flow, tidy, exact]);
  const still = useMemo(() => drawer.current.draw(flow, { places, selected, path, marks }), [flow, places, selected, path, marks]);
  const nodes = useMemo(() => (dragged ? still.map((node) => (node.id === dragged.id ? { ...node, position: dragged.to } : node)) : still), [still, dragged]);
  const edges = useMemo(() => edgesOf(flow, path, marks, editing?.edge ?? null), [flow, path, marks, editing?.edge]);
  const centre = useFocus(focus, places);
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
    const start = places.get(flow.start) ?? places.get(flow.nodes[0]?.id ?? "");
    if (getZoom() >= READABLE_ZOOM || !start) return;
    const height = frame.current?.clientHeight ?? 0;
    await setViewport({ x: START_MARGIN - start.x * READABLE_ZOOM, y: height / 2 - (start.y + NODE_HEIGHT / 2) * READABLE_ZOOM, zoom: READABLE_ZOOM });
  };
  const onKey = (event: KeyboardEvent) => {
    const id = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>(".react-flow__node")?.dataset.id : undefined;
    if (id === undefined || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" && onOpen) {
      event.preventDefault();
      onSelect(id);
      onOpen(id);
      return;
    }
    const place = places.get(id);
    if (!event.key.startsWith("Arrow") || !place) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.altKey && editing) {
      editing.move(id, moved(place, event.key));
      return;
    }
    const next = neighbour(flow, places, id, event.key);
    if (next === undefined) return;
    onSelect(next);
    centre(next, true);
    focusNode(frame, next);
  };
  return (
    <div ref={frame} className={classes.canvas} data-editing={exact || undefined} data-shown={shown || undefined} data-testid="flow-canvas" onKeyDownCapture={onKey}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        colorMode={scheme}
        ariaLabelConfig={spoken}
        onlyRenderVisibleElements={nodes.length >= PARTLY_FROM}
        onNodesChange={change}
        onEdgesChange={(changes) => {
          const item = changes.find((one) => one.type === "select" && one.selected);
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
        deleteKeyCode={null}
        minZoom={0.05}
        proOptions={{ hideAttribution: false }}
        onInit={() => void show().then(() => setShown(true))}
      >
        <Background color="var(--border-strong)" gap={24} />
        <Controls showInteractive={false} />
        {nodes.length >= MINI_MAP_FROM && <MiniMap pannable zoomable ariaLabel="Overview" nodeColor="var(--faint)" maskColor="color-mix(in srgb, var(--bg) 55%, transparent)" />}
        <Panel position="top-left" className={classes.tools}>
          <FindStep nodes={flow.nodes} value={selected} onChoose={(id) => {
            onSelect(id);
            if (id !== null) centre(id);
          }} />
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

const moved = (place: Point, key: string): Point => ({
  x: place.x + (key === "ArrowRight" ? STEP : key === "ArrowLeft" ? -STEP : 0),
  y: place.y + (key === "ArrowDown" ? STEP : key === "ArrowUp" ? -STEP : 0),
});

const MOST_FRAMES = 30;

/** Gives a node the focus, once it is drawn. */
function focusNode(frame: RefObject<HTMLDivElement | null>, id: string, frames = MOST_FRAMES): void {
  const node = frame.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"]`);
  if (node) node.focus({ preventScroll: true });
  else if (frames > 0) requestAnimationFrame(() => focusNode(frame, id, frames - 1));
}

const exactPlaces = (flow: FlowDetail) => new Map(flow.nodes.map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]));

/** Moves the view to a step, also by itself whenever the wish is another. */
function useFocus(focus: Focus | null, places: Map<string, Point>): (id: string, atOnce?: boolean) => void {
  const { setCenter, getZoom } = useReactFlow();
  const known = useRef(places);
  known.current = places;
  const centre = (id: string, atOnce = false) => {
    const place = known.current.get(id);
    if (!place) return;
    const still = atOnce || matchMedia("(prefers-reduced-motion: reduce)").matches;
    void setCenter(place.x + NODE_WIDTH / 2, place.y + NODE_HEIGHT / 2, { zoom: Math.max(FOCUS_ZOOM, getZoom()), duration: still ? 0 : 300 });
  };
  useEffect(() => {
    if (focus) centre(focus.id);
    // Only another wish moves the view.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [focus]);
  return centre;
}

import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";
import type { FlowNode } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./FlowCanvas.module.css";
import { opLabel } from "./ops";

interface Data extends Record<string, unknown> {
  node: FlowNode;
  /** Which step of a call's way it is. */
  order: number | null;
  dimmed: boolean;
  /** The last step of the way. */
  now: boolean;
  start: boolean;
  /** The events at which a handler starts here. */
  events: string[];
  mark?: "added" | "removed" | "changed";
}

export type CanvasNode = Node<Data, "step">;

/** One step on the canvas. */
export const FlowNodeView = memo(function FlowNodeView({ data, selected, isConnectable }: NodeProps<CanvasNode>) {
  const { node, order, dimmed, now, start, events, mark } = data;
  const problems = node.problems?.length ?? 0;
  const entry = node.op === "start" || node.op === "event";
  return (
    <div
      className={classes.node}
      data-status={node.status}
      data-selected={selected || undefined}
      data-lit={order !== null || undefined}
      data-now={now || undefined}
      data-dimmed={dimmed || undefined}
      data-mark={mark}
      data-entry={start || events.length > 0 || undefined}
    >
      <Handle type="target" position={Position.Left} className={classes.handle} isConnectable={isConnectable && !entry} data-hidden={entry || undefined} />
      <div className={classes.name} title={node.name}>
        {node.name || node.id}
      </div>
      <div className={classes.op}>
        {opLabel(node)}
        {node.status === "approximated" && " (nearly)"}
        {events.length > 0 && `, at ${events.join(", ")}`}
      </div>
      {mark && <span className={classes.mark}>{mark}</span>}
      {problems > 0 && !mark && (
        <span className={classes.problems}>
          <Icon name="alert" size={12} />
          {problems}
        </span>
      )}
      {order !== null && <span className={classes.order}>{order}</span>}
      <Handle type="source" position={Position.Right} className={classes.handle} isConnectable={isConnectable} />
    </div>
  );
});

import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";
import type { FlowNode } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./FlowCanvas.module.css";

export type CanvasNode = Node<{ node: FlowNode; order: number | null; dimmed: boolean; mark?: "added" | "removed" | "changed" }, "step">;

/** One step on the canvas. */
export const FlowNodeView = memo(function FlowNodeView({ data, selected, isConnectable }: NodeProps<CanvasNode>) {
  const { node, order, dimmed, mark } = data;
  const problems = node.problems?.length ?? 0;
  return (
    <div className={classes.node} data-status={node.status} data-selected={selected || undefined} data-lit={order !== null || undefined} data-dimmed={dimmed || undefined} data-mark={mark}>
      <Handle type="target" position={Position.Left} className={classes.handle} isConnectable={isConnectable} />
      <div className={classes.name} title={node.name}>
        {node.name || node.id}
      </div>
      <div className={classes.op}>
        {node.status === "unsupported" ? `${node.type}: not supported` : node.op}
        {node.status === "approximated" && " (approximated)"}
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

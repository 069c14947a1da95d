import type { Delivery, DeliveryStage } from "../api/types";
import { Pill } from "./Status";

interface Props {
  delivery: Delivery;
  how: string;
  stage: DeliveryStage;
}

/** How often a write can have its effect, what that rests on, and whether it may have had it. */
export function DeliveryNote({ delivery, how, stage }: Props) {
  if (!delivery) return null;
  return (
    <div className="small" data-testid="delivery">
      {delivery === "at_least_once" ? <Pill tone="warn">At least once</Pill> : "Exactly once:"}
      {how && ` ${how}`}
      {(stage === "sending" || stage === "doubtful") && ". It may have arrived already; the hub looks before it sends again."}
    </div>
  );
}

import { Icon, type IconName } from "../ui/Icon";
import classes from "./IdleCard.module.css";
import { useDesk } from "./useDesk";

interface Words {
  icon: IconName;
  tone: string;
  title: string;
  text: string;
}

/** What the desk says while there is no call: what happens next and what the agent can do. */
export function IdleCard() {
  const { desk } = useDesk();
  const words = wordsFor(desk.state, desk.station.connected, desk.queues.length);
  return (
    <section className={`panel ${classes.card}`} aria-label="Your calls" data-testid="idle">
      <span className={classes.disc} data-tone={words.tone}>
        <Icon name={words.icon} size={26} />
      </span>
      <div>
        <h2>{words.title}</h2>
        <p>{words.text}</p>
      </div>
    </section>
  );
}

function wordsFor(state: string, audio: boolean, queues: number): Words {
  if (state === "rona") {
    return { icon: "alert", tone: "bad", title: "You missed a call", text: "The caller went back to the queue. You are offered no calls until you go available again." };
  }
  if (state === "offline") {
    return { icon: "moon", tone: "", title: "You are offline", text: "Go available to be offered calls." };
  }
  if (state !== "available") {
    return { icon: "pause", tone: "warn", title: "You are not available", text: "You are offered no calls. Go available when you are back." };
  }
  if (!audio) {
    return { icon: "micOff", tone: "bad", title: "Calls cannot reach you yet", text: "You are available, but the audio is not connected. Connect it and calls will ring here." };
  }
  if (queues === 0) {
    return { icon: "info", tone: "warn", title: "You are in no queue", text: "Ask an administrator to add you to a queue; then calls will ring here." };
  }
  return { icon: "headset", tone: "good", title: "Ready for the next call", text: "It will ring here. You can leave this tab in the background." };
}

import { api } from "../api/client";
import { INSECURE_PAGE, microphoneProblem } from "./stationText";

export type AudioPhase = "off" | "asking" | "connecting" | "connected" | "retrying" | "blocked";

export interface AudioState {
  phase: AudioPhase;
  /** Why, and what to do, when the phase is blocked or retrying. */
  message: string;
  stream: MediaStream | null;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
const CONNECT_WITHIN_MS = 10_000;
/** ICE often mends a short gap by itself. */
const GAP_ALLOWED_MS = 3_000;

/**
 * The agent's end of the audio: one microphone, one peer connection to the hub, renewed by a new
 * offer whenever it breaks. The hub keeps the call; this may come and go.
 */
export class AudioLink {
  private state: AudioState = { phase: "off", message: "", stream: null };
  private readonly listeners = new Set<() => void>();
  private readonly speaker = new Audio();
  private peer: RTCPeerConnection | null = null;
  private wanted = false;
  private deviceId = "";
  private delay = FIRST_RETRY_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silenced = false;
  /** Counts attempts, so that an answer to an abandoned one is ignored. */
  private attempt = 0;

  constructor() {
    this.speaker.autoplay = true;
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = () => this.state;

  /** Opens the microphone and keeps the audio connected until stop. */
  async start(deviceId: string): Promise<void> {
    if (this.wanted && this.deviceId === deviceId && this.state.phase !== "blocked") return;
    this.wanted = true;
    this.deviceId = deviceId;
    this.delay = FIRST_RETRY_MS;
    this.releaseMicrophone();
    await this.connect();
  }

  stop(): void {
    this.wanted = false;
    this.attempt++;
    this.closePeer();
    this.releaseMicrophone();
    this.set({ phase: "off", message: "", stream: null });
  }

  /** Sends nothing while the contact is muted or held, whatever the server does with the audio. */
  silence(silenced: boolean): void {
    this.silenced = silenced;
    for (const track of this.state.stream?.getAudioTracks() ?? []) track.enabled = !silenced;
  }

  /** Plays on the chosen loudspeaker where the browser can choose. */
  async playOn(deviceId: string): Promise<void> {
    if ("setSinkId" in this.speaker) await this.speaker.setSinkId(deviceId);
  }

  /** Called by the keep-alive clock, which runs also in a background tab. */
  checkHealth(): void {
    const broken = this.peer?.connectionState === "failed" || this.peer?.connectionState === "closed";
    if (this.wanted && this.state.phase === "connected" && broken) this.again("The audio connection broke.");
  }

  private set(state: Partial<AudioState>): void {
    this.state = { ...this.state, ...state };
    for (const listener of this.listeners) listener();
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    this.closePeer();
    const stream = await this.microphone(attempt);
    if (!stream) return;
    if (attempt !== this.attempt) {
      if (stream !== this.state.stream) stopTracks(stream);
      return;
    }
    this.set({ phase: "connecting", message: "", stream });
    const peer = this.openPeer(stream, attempt);
    this.timer = setTimeout(() => this.again("The hub did not connect the audio in time."), CONNECT_WITHIN_MS);
    try {
      await peer.setLocalDescription(await peer.createOffer());
      const answer = await api<{ sdp: string }>("POST", "/desk/media", { body: { sdp: peer.localDescription?.sdp ?? "" } });
      if (attempt !== this.attempt) return;
      await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch (error) {
      if (attempt === this.attempt) this.again(error instanceof Error ? error.message : "The audio could not be connected.");
    }
  }

  private async microphone(attempt: number): Promise<MediaStream | null> {
    const live = this.state.stream?.getAudioTracks().some((track) => track.readyState === "live");
    if (live) return this.state.stream;
    if (!navigator.mediaDevices) {
      this.set({ phase: "blocked", message: INSECURE_PAGE, stream: null });
      return null;
    }
    this.set({ phase: "asking", message: "", stream: null });
    try {
      return await openMicrophone(this.deviceId);
    } catch (error) {
      if (attempt === this.attempt) this.set({ phase: "blocked", message: microphoneProblem(error), stream: null });
      return null;
    }
  }

  private openPeer(stream: MediaStream, attempt: number): RTCPeerConnection {
    const peer = new RTCPeerConnection();
    this.peer = peer;
    for (const track of stream.getAudioTracks()) {
      track.enabled = !this.silenced;
      track.onended = () => {
        if (attempt === this.attempt) this.again("The microphone was unplugged.");
      };
      preferPCMU(peer.addTransceiver(track, { direction: "sendrecv", streams: [stream] }));
    }
    peer.ontrack = (event) => {
      this.speaker.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void this.speaker.play().catch(() => undefined);
    };
    peer.onconnectionstatechange = () => {
      if (attempt === this.attempt) this.follow(peer.connectionState);
    };
    return peer;
  }

  private follow(state: RTCPeerConnectionState): void {
    switch (state) {
      case "connected":
        clearTimeout(this.timer);
        this.delay = FIRST_RETRY_MS;
        this.set({ phase: "connected", message: "" });
        return;
      case "disconnected":
        clearTimeout(this.timer);
        this.set({ phase: "retrying", message: "The audio connection is interrupted." });
        this.timer = setTimeout(() => this.again("The audio connection broke."), GAP_ALLOWED_MS);
        return;
      case "failed":
        this.again("The audio connection broke.");
        return;
      default:
    }
  }

  private again(message: string): void {
    this.attempt++;
    this.closePeer();
    if (!this.wanted) return;
    this.set({ phase: "retrying", message });
    this.timer = setTimeout(() => void this.connect(), this.delay);
    this.delay = Math.min(LONGEST_RETRY_MS, this.delay * 2);
  }

  private closePeer(): void {
    clearTimeout(this.timer);
    this.peer?.close();
    this.peer = null;
    this.speaker.srcObject = null;
  }

  private releaseMicrophone(): void {
    if (this.state.stream) stopTracks(this.state.stream);
    this.set({ stream: null });
  }
}

/** The microphone with this id, or the system's when the id is empty or gone. */
export async function openMicrophone(deviceId: string): Promise<MediaStream> {
  const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const gone = error instanceof DOMException && error.name === "OverconstrainedError";
    if (!deviceId || !gone) throw error;
    return await openMicrophone("");
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}

// G.711 passes through the hub to the caller untouched; anything else would have to be transcoded.
function preferPCMU(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities("audio")?.codecs ?? [];
  const isPCMU = (codec: { mimeType: string }) => codec.mimeType.toLowerCase() === "audio/pcmu";
  const ordered = [...codecs.filter(isPCMU), ...codecs.filter((codec) => !isPCMU(codec))];
  if (ordered.length > 0) transceiver.setCodecPreferences(ordered);
}

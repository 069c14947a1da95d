// Runs in a page of the test's browser and plays the hub's part of the audio.
const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
let current = null;

async function answer({ id, sdp }) {
  current?.close();
  const peer = new RTCPeerConnection();
  current = peer;
  peer.onconnectionstatechange = () => {
    if (peer === current) void post("/mock/audio", { connected: peer.connectionState === "connected" });
  };
  await peer.setRemoteDescription({ type: "offer", sdp });
  const context = new AudioContext();
  const tone = context.createOscillator();
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  peer.addTrack(out.stream.getAudioTracks()[0]);
  await peer.setLocalDescription(await peer.createAnswer());
  await new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    check();
  });
  window.lastOffer = sdp;
  await post("/mock/answer", { id, sdp: peer.localDescription.sdp });
}

// An open microphone makes the browser tell its real addresses to the peer.
await navigator.mediaDevices.getUserMedia({ audio: true });
window.hang = () => current?.close();
for (;;) {
  const offer = await (await fetch("/mock/offer")).json();
  if (offer) await answer(offer);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

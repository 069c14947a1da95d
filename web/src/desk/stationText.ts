/** Why the microphone cannot be used and what to do about it, from the name of the browser's error. */
export function microphoneProblem(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return "The browser does not let this page use the microphone. Click the lock or microphone sign beside the address, allow the microphone, and check again.";
    case "NotFoundError":
      return "No microphone was found. Plug in your headset and check again.";
    case "NotReadableError":
      return "The microphone is in use by another program. Close that program, or choose another microphone, and check again.";
    case "OverconstrainedError":
      return "The chosen microphone is no longer there. Choose another one.";
    case "SecurityError":
      return "The browser's settings forbid microphones here. Ask your administrator.";
    default:
      return `The microphone could not be opened${error instanceof Error && error.message ? `: ${error.message}` : "."}`;
  }
}

export const INSECURE_PAGE =
  "Browsers give the microphone only to pages opened by HTTPS or on this computer (127.0.0.1). Open Tandem by its https:// address.";

import { ago, codes, people, reasons, summary } from "./mock-data.mjs";

const inFuture = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const WRAP_UP_SECONDS = 60;

/** The agent's desk as the hub keeps it: every change makes a new revision and tells the listeners. */
export class MockDesk {
  constructor() {
    this.listeners = new Set();
    this.rev = 0;
    this.reset();
  }

  reset() {
    this.digits = "";
    this.state = {
      agent: { id: "a1", name: people.agent.name, login: people.agent.login },
      state: "idle",
      reason: reasons[0],
      since: ago(754),
      nextState: null,
      reasons,
      wrapUpCodes: codes,
      queues: [
        { id: "q1", name: "Billing", waiting: 2, longestWaitSeconds: 95 },
        { id: "q2", name: "Support", waiting: 0, longestWaitSeconds: 0 },
      ],
      station: { kind: "browser", connected: false, address: "", quality: null },
      contact: null,
    };
    this.changed();
  }

  snapshot() {
    return { ...this.state, rev: this.rev, now: new Date().toISOString() };
  }

  changed() {
    this.rev++;
    for (const listener of this.listeners) listener(this.snapshot());
    return this.snapshot();
  }

  setState(state, reasonId) {
    const reason = reasons.find((item) => item.id === reasonId) ?? null;
    if (this.state.contact) this.state.nextState = { state, reason };
    else Object.assign(this.state, { state, reason, since: ago(0) });
    return this.changed();
  }

  setAudio(connected) {
    this.state.station = { ...this.state.station, connected, quality: connected ? { packetsReceived: 5120, packetsLost: 7, jitterMs: 4.4 } : null };
    return this.changed();
  }

  setStation({ kind, address = "" }) {
    this.state.station = { kind, address, connected: kind === "sip", quality: null };
    return this.changed();
  }

  ring(extra = {}) {
    Object.assign(this.state, { state: "ringing", reason: null, since: ago(0) });
    this.state.contact = {
      id: `live${this.rev}`,
      ani: "+493012349001",
      dnis: "+49305550100",
      callerName: "Ruth Adler",
      direction: "inbound",
      state: "ringing",
      queue: { id: "q1", name: "Billing" },
      callback: null,
      priority: 3,
      createdAt: ago(62),
      queuedAt: ago(44),
      offeredAt: ago(0),
      answeredAt: null,
      endedAt: null,
      ringUntil: inFuture(20),
      wrapUpUntil: null,
      muted: false,
      held: false,
      endedBy: "",
      variables: [
        { name: "invoice", label: "Invoice", value: "4711", type: "STRING", editable: true },
        { name: "tier", label: "Tier", value: "Gold", type: "STRING", editable: false },
        { name: "topic", label: "Topic", value: "Wrong amount on the invoice", type: "STRING", editable: false },
      ],
      screenPop: null,
      customer: { status: "loading", message: "", accounts: [], contacts: [], cases: [] },
      wrapUp: { codeId: "", notes: "" },
      writeBack: { status: "none", detail: "" },
      earlier: [summary(3, { ani: "+493012349001" }), summary(8, { ani: "+493012349001" })],
      ...extra,
    };
    return this.changed();
  }

  /** Offers a callback: the customer is called once the agent accepts. */
  offerCallback() {
    return this.ring({ direction: "callback", createdAt: ago(1300), queuedAt: ago(44), callback: { number: "+493012349001", waitingSince: ago(1240), attempt: 2, maxAttempts: 3 } });
  }

  /** Calls the customer back, who has not answered yet. */
  dial() {
    Object.assign(this.state, { state: "connected", since: ago(0) });
    Object.assign(this.state.contact, { state: "dialing", ringUntil: null, customer: customer() });
    return this.changed();
  }

  act(verb) {
    const { contact } = this.state;
    const now = ago(0);
    switch (verb) {
      case "accept":
        Object.assign(this.state, { state: "connected", since: now });
        Object.assign(contact, { state: "connected", answeredAt: now, ringUntil: null, customer: customer() });
        contact.screenPop = { url: "https://example.my.salesforce.com/003xx000004TmiQ", label: "Ruth Adler", target: "newBrowserTab", at: now };
        break;
      case "decline":
        Object.assign(this.state, { state: "rona", since: now, contact: null });
        break;
      case "mute":
      case "unmute":
        contact.muted = verb === "mute";
        break;
      case "hold":
      case "resume":
        Object.assign(contact, { held: verb === "hold", state: verb === "hold" ? "held" : "connected" });
        break;
      case "end":
        this.wrapUp("agent");
        return this.snapshot();
      default:
        throw new Error(`unknown verb ${verb}`);
    }
    return this.changed();
  }

  wrapUp(endedBy) {
    const now = ago(0);
    Object.assign(this.state, { state: "wrapup", since: now });
    Object.assign(this.state.contact, { state: "wrapup", endedAt: now, endedBy, held: false, muted: false, wrapUpUntil: inFuture(WRAP_UP_SECONDS), writeBack: { status: "pending", detail: "Task" } });
    return this.changed();
  }

  extend() {
    this.state.contact.wrapUpUntil = inFuture(2 * WRAP_UP_SECONDS);
    return this.changed();
  }

  draft(body) {
    this.state.contact.wrapUp = body;
    return this.changed();
  }

  finish(body) {
    this.lastWrapUp = body;
    const next = this.state.nextState ?? { state: "available", reason: null };
    Object.assign(this.state, { contact: null, nextState: null, state: next.state, reason: next.reason, since: ago(0) });
    return this.changed();
  }

  setVariables(values) {
    for (const variable of this.state.contact.variables) {
      if (variable.editable && variable.name in values) variable.value = values[variable.name];
    }
    return this.changed();
  }
}

function customer() {
  const base = "https://example.my.salesforce.com";
  return {
    status: "found",
    message: "",
    contacts: [{ id: "003xx", type: "Contact", title: "Ruth Adler", subtitle: "Head of purchasing", url: `${base}/003xx`, fields: [{ label: "E-mail", value: "ruth.adler@adler-werke.example" }, { label: "Phone", value: "+49 30 1234 9001" }] }],
    accounts: [{ id: "001xx", type: "Account", title: "Adler Werke GmbH", subtitle: "Customer since 2019", url: `${base}/001xx`, fields: [{ label: "Tier", value: "Gold" }, { label: "Owner", value: "Jo Lindqvist" }] }],
    cases: [{ id: "500xx", type: "Case", title: "00001042 Invoice 4711 is too high", subtitle: "In progress", url: `${base}/500xx`, fields: [{ label: "Priority", value: "High" }] }],
  };
}

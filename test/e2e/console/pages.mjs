import { saveVersion } from "./mock-flow.mjs";

// Every page in the states worth looking at; used by the accessibility tests and the pictures.
const audio = (page) => page.evaluate(() => localStorage.setItem("tandem.desk.audio", '{"microphone":"","speaker":""}')).then(() => page.reload());
const emptied = (kind) => async (page, mock) => {
  mock.state.setup[kind] = [];
  await page.reload();
  await page.getByRole("heading", { level: 2, name: /yet/ }).or(page.getByText(/^No .* yet$/)).first().waitFor();
};

export const pages = {
  login: { path: "/login" },
  "desk-first": { path: "/desk", login: "agent" },
  "desk-check": { path: "/desk", login: "agent", prepare: (page) => page.getByTestId("mic-check").click() },
  "desk-idle": {
    path: "/desk",
    login: "agent",
    prepare: async (page, mock) => {
      await audio(page);
      mock.desk.setState("available");
      mock.desk.setAudio(true);
    },
  },
  "desk-ring": { path: "/desk", login: "agent", prepare: (_, mock) => mock.desk.ring() },
  "desk-call": {
    path: "/desk",
    login: "both",
    prepare: async (page, mock) => {
      await audio(page);
      mock.desk.ring();
      mock.desk.act("accept");
      mock.desk.act("mute");
      await page.getByTestId("dtmf-pad").click();
    },
  },
  "desk-wrapup": {
    path: "/desk",
    login: "agent",
    prepare: (_, mock) => {
      mock.desk.ring();
      mock.desk.act("accept");
      mock.desk.wrapUp("customer");
    },
  },
  "desk-callback": { path: "/desk", login: "agent", prepare: (_, mock) => mock.desk.offerCallback() },
  "desk-dialing": {
    path: "/desk",
    login: "agent",
    prepare: async (page, mock) => {
      await audio(page);
      mock.desk.offerCallback();
      mock.desk.dial();
    },
  },
  live: { path: "/live", login: "admin" },
  contacts: { path: "/contacts", login: "admin" },
  contact: { path: "/contacts/c1", login: "admin" },
  "contact-callback": { path: "/contacts/c2", login: "admin" },
  "contact-unreached": { path: "/contacts/c10", login: "admin" },
  flows: { path: "/flows", login: "admin" },
  flow: { path: "/flows/f1", login: "admin" },
  "flow-step": { path: "/flows/f1", login: "admin", prepare: (page) => page.locator('.react-flow__node[data-id="n3"]').click() },
  "flow-bindings": { path: "/flows/f1", login: "admin", prepare: (page) => page.getByRole("tab", { name: /Bindings/ }).click() },
  "flow-import": { path: "/flows", login: "admin", prepare: (page) => page.getByTestId("import-flow").click() },
  "flow-edit": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("edit-flow").click();
      await page.locator('.react-flow__node[data-id="n2"]').click();
      await page.getByTestId("step-name").fill("LookUp");
    },
  },
  "flow-request": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("edit-flow").click();
      await page.locator('.react-flow__node[data-id="n3"]').click();
    },
  },
  "flow-variables": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("edit-flow").click();
      await page.getByRole("tab", { name: "Variables" }).click();
      await page.getByRole("button", { name: /contactId/ }).click();
      await page.getByTestId("variable-name").fill("customerId");
    },
  },
  "flow-options": { path: "/flows/f1", login: "admin", prepare: (page) => page.getByRole("tab", { name: "Flow" }).click() },
  "flow-options-edit": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("edit-flow").click();
      await page.getByRole("tab", { name: "Flow" }).click();
    },
  },
  "flow-find": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("combobox", { name: "Find a step" }).fill("contact");
      await page.getByRole("option").first().waitFor();
    },
  },
  "flow-palette": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("edit-flow").click();
      await page.getByTestId("add-step").click();
      await page.getByRole("option").first().waitFor();
    },
  },
  "flow-conflict": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page, mock) => {
      await page.getByTestId("edit-flow").click();
      await page.locator('.react-flow__node[data-id="n2"]').click();
      await page.getByTestId("step-name").fill("Greeting");
      const nodes = structuredClone(mock.state.flow.nodes);
      nodes.find((node) => node.id === "n2").name = "Hello";
      nodes.find((node) => node.id === "n3").name = "LookUp";
      saveVersion(mock.state, { nodes }, "nora", "Another greeting");
      await page.getByTestId("save-flow").click();
      await page.getByTestId("conflict").waitFor();
    },
  },
  "flow-diff": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page, mock) => {
      const { nodes, edges } = structuredClone(mock.state.flow);
      nodes.find((node) => node.id === "n2").properties.prompts = [{ kind: "tts", text: "Hello" }];
      nodes.push({ ...nodes[1], id: "n10", name: "Closing", x: 780, y: 300 });
      edges.push({ from: "n4", to: "n10", port: "error" });
      saveVersion(mock.state, { nodes: nodes.filter((node) => node.id !== "n5"), edges: edges.filter((edge) => edge.from !== "n5" && edge.to !== "n5") }, "nora");
      await page.reload();
      await page.getByRole("tab", { name: "Versions" }).click();
      await page.getByTestId("compare-4").click();
      await page.getByTestId("diff").waitFor();
    },
  },
  "flow-test": {
    path: "/flows/f1",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("tab", { name: "Test" }).click();
      await page.getByTestId("run-test").click();
      await page.getByTestId("test-steps").getByText("Found?").waitFor();
    },
  },
  "flow-big": { path: "/flows/f2", login: "admin" },
  "entry-points": { path: "/entry-points", login: "admin" },
  queues: { path: "/queues", login: "admin" },
  "queue-form": { path: "/queues", login: "admin", prepare: (page) => page.getByRole("button", { name: "Billing" }).click() },
  "queue-new": { path: "/queues", login: "admin", prepare: (page) => page.getByTestId("add").click() },
  codes: { path: "/codes", login: "admin" },
  connectors: { path: "/connectors", login: "admin" },
  "connector-form": {
    path: "/connectors",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Order service" }).click();
      await page.getByTestId("connector-test").click();
    },
  },
  "connector-status": {
    path: "/connectors",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Salesforce production" }).click();
      await page.getByTestId("connector-status").waitFor();
      await page.getByText("Phone numbers, markers and change events").click();
    },
  },
  "connector-browser": {
    path: "/connectors",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Salesforce sandbox" }).click();
      await page.getByTestId("connector-status").waitFor();
      await page.getByTestId("connector-test").scrollIntoViewIfNeeded();
    },
  },
  "connector-soap": {
    path: "/connectors",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Salesforce legacy" }).click();
      await page.getByTestId("connector-status").waitFor();
    },
  },
  "connector-connected": { path: "/connectors?connect=ok", login: "admin" },
  "connector-refused": { path: "/connectors?connect=failed&reason=Salesforce%20refused%20the%20sign-in%3A%20access_denied", login: "admin" },
  hours: { path: "/hours", login: "admin" },
  "hours-form": {
    path: "/hours",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Office" }).click();
      await page.getByTestId("hours-now").waitFor();
    },
  },
  "hours-empty": { path: "/hours", login: "admin", prepare: emptied("hours") },
  functions: { path: "/functions", login: "admin" },
  "function-form": {
    path: "/functions",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Look-up" }).click();
      await page.getByTestId("function-test").click();
    },
  },
  "function-command": {
    path: "/functions",
    login: "admin",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Grading" }).click();
      await page.getByText("Operators allow commands").waitFor();
    },
  },
  "functions-empty": { path: "/functions", login: "admin", prepare: emptied("functions") },
  users: { path: "/users", login: "admin" },
  "user-form": { path: "/users", login: "admin", prepare: (page) => page.getByTestId("add").click() },
  keys: { path: "/keys", login: "admin" },
  "key-shown": {
    path: "/keys",
    login: "admin",
    prepare: async (page) => {
      await page.getByTestId("add-access-key").click();
      await page.getByRole("textbox", { name: "Name" }).fill("Import");
      await page.getByTestId("save").click();
    },
  },
  audit: { path: "/audit", login: "admin", prepare: (page) => page.getByTestId("verify").click() },
  jobs: { path: "/jobs", login: "admin" },
  system: { path: "/system", login: "admin" },
};

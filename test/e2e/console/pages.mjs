// Every page in the states worth looking at; used by the accessibility tests and the pictures.
const audio = (page) => page.evaluate(() => localStorage.setItem("tandem.desk.audio", '{"microphone":"","speaker":""}')).then(() => page.reload());

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
  live: { path: "/live", login: "admin" },
  contacts: { path: "/contacts", login: "admin" },
  contact: { path: "/contacts/c1", login: "admin" },
  flows: { path: "/flows", login: "admin" },
  flow: { path: "/flows/f1", login: "admin" },
  "flow-step": { path: "/flows/f1", login: "admin", prepare: (page) => page.locator('.react-flow__node[data-id="n3"]').click() },
  "flow-bindings": { path: "/flows/f1", login: "admin", prepare: (page) => page.getByRole("tab", { name: /Bindings/ }).click() },
  "flow-import": { path: "/flows", login: "admin", prepare: (page) => page.getByTestId("import-flow").click() },
  "flow-big": { path: "/flows/f2", login: "admin" },
};

// What the console reckons with a flow, without a page.
import { expect, test } from "@playwright/test";
import { merge } from "../../../web/src/flows/merge.ts";
import { readRequest, writeRequest } from "../../../web/src/flows/request.ts";
import { renameVariable, usesOf } from "../../../web/src/flows/uses.ts";

const step = (id, properties = {}, extra = {}) => ({ id, name: id, op: "say", type: "say", group: "main", x: 0, y: 0, status: "mapped", properties, problems: [], ...extra });
const options = { maxSteps: 0, zone: "", errorText: "", language: "", voice: "", rawInterpolation: false };
const draft = (change = {}) => ({
  nodes: [step("a", { text: "one", voice: "x" }), step("b"), step("c")],
  edges: [{ from: "a", port: "ok", to: "b" }],
  variables: [{ was: "v", name: "v", type: "STRING", value: "", cad: false }],
  handlers: [{ event: "error", node: "c" }],
  head: { name: "F", description: "", kind: "inbound", start: "a", options },
  ...change,
});
const all = (side) => () => side;

test("changes of different things are merged, also within one step", () => {
  const mine = draft({ nodes: [step("a", { text: "mine", voice: "x" }), step("b"), step("c")], edges: [{ from: "a", port: "ok", to: "c" }] });
  const theirs = draft({ nodes: [step("a", { text: "one", voice: "y" }), step("b"), step("c"), step("d")], head: { ...draft().head, options: { ...options, maxSteps: 9 } } });
  const merged = merge(draft(), mine, theirs);
  expect(merged.conflicts).toEqual([]);
  expect(merged.onlyMine).toEqual(["a: text", "a: exit ok"]);
  expect(merged.onlyTheirs).toEqual(["a: voice", "Budget", "Step d"]);
  const result = merged.result(all("mine"));
  expect(result.nodes.map((node) => node.id)).toEqual(["a", "b", "c", "d"]);
  expect(result.nodes[0].properties).toEqual({ text: "mine", voice: "y" });
  expect(result.edges).toEqual([{ from: "a", port: "ok", to: "c" }]);
  expect(result.head.options.maxSteps).toBe(9);
});

test("what both changed is asked about, and the choice counts", () => {
  const mine = draft({ edges: [{ from: "a", port: "ok", to: "c" }], handlers: [], variables: [{ ...draft().variables[0], name: "w" }] });
  const theirs = draft({ edges: [], handlers: [{ event: "error", node: "b" }], variables: [{ ...draft().variables[0], cad: true }] });
  const merged = merge(draft(), mine, theirs);
  expect(merged.conflicts.map(({ what, mine: own, theirs: other }) => [what, own, other])).toEqual([
    ["a: exit ok", "to c", ""],
    ["Variable v", "w, STRING", "v, STRING, shown to agents"],
    ["Handler of error", "", "to b"],
  ]);
  const own = merged.result(all("mine"));
  expect([own.edges, own.handlers, own.variables[0]]).toEqual([[{ from: "a", port: "ok", to: "c" }], [], { was: "v", name: "w", type: "STRING", value: "", cad: false }]);
  const other = merged.result(all("theirs"));
  expect([other.edges, other.handlers, other.variables[0].name]).toEqual([[], [{ event: "error", node: "b" }], "v"]);
});

test("a step that one removed and the other changed is not lost without a word", () => {
  const mine = draft({ nodes: [step("a", { text: "one", voice: "x" }), step("c")], edges: [] });
  const theirs = draft({ nodes: [step("a", { text: "one", voice: "x" }), step("b", { text: "new" }), step("c")] });
  const merged = merge(draft(), mine, theirs);
  expect(merged.conflicts.map((item) => [item.what, item.mine, item.theirs])).toEqual([["Step b", "", "kept, and changed"]]);
  expect(merged.result(all("mine")).nodes.map((node) => node.id)).toEqual(["a", "c"]);
  const kept = merged.result(all("theirs"));
  expect(kept.nodes.find((node) => node.id === "b").properties).toEqual({ text: "new" });
  expect(merge(draft(), draft(), draft()).result(all("mine"))).toEqual(draft());
});

test("uses of a variable are found and renamed where it is meant", () => {
  const cases = [
    ["{{ name }}", "{{ other }}"],
    ["{{name.first}} {{ row.name }}", "{{other.first}} {{ row.name }}"],
    ["{% if name == 'name' %}name{% endif %}", "{% if other == 'name' %}name{% endif %}"],
    ["{{ x | name }} {{ name(1) }} {{ names }}", "{{ x | name }} {{ name(1) }} {{ names }}"],
    ["{{ name", "{{ other"],
    ["name", "name"],
    ["$.Attributes.name and $.Attributes.names", "$.Attributes.other and $.Attributes.names"],
  ];
  for (const [from, to] of cases) expect(renameVariable(draft({ nodes: [step("a", { text: from })] }), "name", "other", true).nodes[0].properties.text).toBe(to);
  const nodes = [
    step("set", { sets: [{ var: "name", value: "name" }, { var: "x", value: "name", from: "var" }] }, { op: "set" }),
    step("http", { skipWhenUnset: "name", results: "name = $.name\nx = $.name", prompts: [{ text: "{{ name }}" }] }, { op: "http" }),
    step("parse", { input: "name" }, { op: "parse" }),
    step("say", { text: "name", input: "name" }),
  ];
  expect(usesOf(nodes, "name").map((use) => `${use.node} ${use.setting}`)).toEqual(["set sets", "http skipWhenUnset", "http results", "http prompts", "parse input"]);
  const renamed = renameVariable(draft({ nodes }), "name", "other", true).nodes;
  expect(renamed[0].properties.sets).toEqual([{ var: "other", value: "name" }, { var: "x", value: "other", from: "var" }]);
  expect(renamed[1].properties.results).toBe("other = $.name\nx = $.name");
  expect(renameVariable(draft({ nodes }), "name", "other", false).nodes).toBe(nodes);
});

test("a query in a path is read and written back in the path's own manner", () => {
  const cases = [
    ["/query?q=SELECT Id FROM Case", "SELECT Id FROM Case"],
    ["/query/?q=SELECT+Id+FROM+Case+WHERE+A='{{ a + b }}'&limit=1", "SELECT Id FROM Case WHERE A='{{ a + b }}'"],
    ["/query?x=1&q=SELECT%20Id%20FROM%20Case%20WHERE%20A%3D'{{ a & b }}'", "SELECT Id FROM Case WHERE A='{{ a & b }}'"],
  ];
  for (const [path, query] of cases) {
    const read = readRequest(path);
    expect(read.query).toBe(query);
    expect(readRequest(writeRequest(read, `${query} LIMIT 2`)).query).toBe(`${query} LIMIT 2`);
    expect(writeRequest(read, query).includes("&limit=1")).toBe(path.includes("&limit=1"));
  }
  expect(readRequest("/accounts?q=shoes")).toBeNull();
});

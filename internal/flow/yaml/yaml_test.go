package yaml_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

func read(t testing.TB, text string) (*flow.Flow, *flow.Report) {
	t.Helper()
	f, rep, err := yaml.Importer{}.Import([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f, rep
}

// TestShortForms reads what authors may leave out.
func TestShortForms(t *testing.T) {
	t.Parallel()
	f, rep := read(t, `
tandem: flow/1
name: Short
vars:
  n: 3
  yes: true
  text: "007"
  half: 0.5
  list: [1, a]
nodes:
  Hello:
    op: say
    in: {prompts: "Good {{ part }}"}
    exits: Count
  Count:
    op: set
    in: {sets: {n: "{{ n + 1 }}", text: x}}
    exits: {ok: Ask}
  Ask:
    op: http
    in: {method: GET, connectorName: crm, path: /a, query: {q: "{{ n }}"}, timeoutMS: 3000, body: !pebble plain}
    out: {text: $.a, n: $.b}
`)
	for _, p := range rep.Problems {
		if p.Rule == flow.RuleShape || p.Rule == flow.RuleUndeclared && (p.Field != "in.prompts[0] (line 13, column 19)" || p.Position != 8) {
			t.Errorf("problem: %+v", p)
		}
	}
	if f.Start != "Hello" || f.Kind != flow.KindInbound || f.Nodes["Hello"].Exits[flow.PortOK] != "Count" {
		t.Errorf("%+v", f)
	}
	types := map[string]flow.Type{"n": flow.TypeInteger, "yes": flow.TypeBoolean, "text": flow.TypeString, "half": flow.TypeDecimal, "list": flow.TypeJSON}
	for _, v := range f.Vars {
		if v.Type != types[v.Name] {
			t.Errorf("%s is %s", v.Name, v.Type)
		}
	}
	say := f.Nodes["Hello"].In["prompts"].List
	if len(say) != 1 || say[0].Map["kind"].Lit != "tts" || say[0].Map["text"].Src != "Good {{ part }}" || say[0].Map["text"].Dialect != flow.DialectPebble {
		t.Errorf("prompts: %+v", say)
	}
	sets := f.Nodes["Count"].In["sets"].List
	if len(sets) != 2 || sets[0].Map["var"].Lit != "n" || sets[1].Map["value"].Lit != "x" {
		t.Errorf("sets: %+v", sets)
	}
	ask := f.Nodes["Ask"]
	if ask.In["body"].Dialect != flow.DialectPebble || ask.In["timeoutMS"].Lit != int64(3000) || ask.In["query"].Map["q"].Src == "" || len(ask.Out) != 2 {
		t.Errorf("%+v", ask)
	}
	if want := []flow.Ref{{Node: "Ask", Kind: flow.RefConnector, Name: "crm"}}; gocmp.Diff(want, f.Refs) != "" {
		t.Errorf("references: %+v", f.Refs)
	}
}

// TestPositions names the line and the column of what is wrong, in the text and in its templates.
func TestPositions(t *testing.T) {
	t.Parallel()
	_, rep := read(t, `tandem: flow/1
name: Wrong
kind: outbond
colour: red
start: Helo
vars:
  a: {type: NUMBER, secret: true}
handlers:
  error: Nobody
nodes:
  Hello:
    op: say
    in:
      prompts:
        - "Hi {{ a | }}"
      languge: en
    exits: {ok: Ask, eror: Ask}
  Ask:
    op: mennu
    exit: Hello
  Hello: {op: end}
  Fetch:
    op: http
    in: {url: "https://x.example/", method: GET}
    out: {a: "$.["}
    exits: {ok: Nowhere}
`)
	text := ""
	for _, p := range rep.Problems {
		text += p.Node + "|" + p.Field + "|" + p.Message + "|" + p.Fix + "\n"
	}
	for _, want := range []string{
		"|kind (line 3, column 7)|\"outbond\" is no kind of flow",
		"|colour (line 4, column 1)|",
		"|start (line 5, column 8)|the first node \"Helo\" is not in the flow|did you mean Hello?",
		"|vars.a.type (line 7, column 13)|\"NUMBER\" is no type",
		"|vars.a.secret (line 7, column 21)|\"secret\" is no property of a variable|secure",
		"|handlers.error (line 9, column 10)|the handler's node \"Nobody\"",
		"Hello|in.prompts[0] (line 15, column 11)|",
		"Hello|in.languge (line 11, column 3)|the operation say has no input \"languge\"|language",
		"Hello|exits.eror (line 11, column 3)|the operation say has no exit \"eror\"|error",
		"Ask|op (line 19, column 9)|there is no operation \"mennu\"|menu",
		"Ask|exit (line 20, column 5)|\"exit\" is no part of a node|exits",
		"|nodes (line 21, column 3)|\"Hello\" stands twice",
		"Fetch|exits.ok (line 26, column 17)|the exit ok leads to \"Nowhere\"",
		"Fetch|out.a (line 25, column 14)|",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestNoFlow refuses what is no flow, in one line.
func TestNoFlow(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                            "mapping",
		"- a":                         "mapping",
		"tandem: flow/2\nnodes: {}":   "flow/2",
		"name: x\nnodes: {A: {}}":     "first line",
		"tandem: flow/1":              "no nodes",
		"tandem: flow/1\nnodes: [":    "line",
		"tandem: flow/1\nnodes: text": "no nodes",
		"tandem: flow/1\na: &a {b: *a}\nnodes: {A: {op: end}}\nc: *zzz": "unknown anchor",
		bomb(): "more than",
	} {
		_, _, err := yaml.Importer{}.Import([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q gives %v, without %q", text, err, says)
		}
	}
}

// bomb is a small text that stands for very many values.
func bomb() string {
	var b strings.Builder
	b.WriteString("tandem: flow/1\nnodes:\n  A:\n    op: set\n    in:\n      a: &a0 [" + strings.Repeat("x, ", 10) + "x]\n")
	for i := range 8 {
		c := string(rune('0' + i))
		b.WriteString("      a" + c + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat("*a"+c+", ", 10) + "x]\n")
	}
	return b.String()
}

// TestSniff knows its own files and no others.
func TestSniff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"tandem: flow/1\n":                true,
		"\xef\xbb\xbf# hi\ntandem: x":     true,
		`{"tandem": "flow/1"}`:            true,
		"{\n  \"tandem\": \"flow/1\"\n}":  true,
		"name: x\n  tandem: flow/1":       false,
		`{"process": {"activities": {}}}`: false,
		"":                                false,
	} {
		if have := (yaml.Importer{}).Sniff([]byte(text)); have != want {
			t.Errorf("%q: %t", text, have)
		}
	}
}

// TestHardValues writes and reads values that YAML would take for something else.
func TestHardValues(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", " ", "1", "1.0", "true", "null", "~", "0x1F", "2026-01-01", "yes", "a: b", "- a", "#", "!pebble x", "&a", "*a", "{{ x }}", "{# c #}", "{a}", "[a]",
		"line\nother", "one\n", "\ntwo", "three\n\n", "  in\nout", "a \nb", "tab\there", "cr\r\nlf", "\u2028", "\x01", "é 😀", "'", `"`, "|", ">", "@x", "`x`", "%x", "a #b", "key:", "---", "...", "\ufeffx", "a\u0085b", "= ", "<<",
	}
	f := &flow.Flow{
		Name: "Hard", Kind: flow.KindInbound, Start: "A", Nodes: map[flow.NodeID]*flow.Node{},
		Vars: []flow.Var{{Name: "doc", Type: flow.TypeJSON, Value: map[string]any{"a": []any{int64(1), 2.5, nil, "x: y"}, "": true}}},
	}
	in := map[string]flow.Value{
		"list": {List: []flow.Value{}}, "map": {Map: map[string]flow.Value{}}, "int": flow.Lit(int64(-5)), "float": flow.Lit(1e21), "whole": flow.Lit(3.0), "nil": {},
		"doc": flow.Lit([]any{"a", map[string]any{"b": "{{ c }}"}}), "empty": {Dialect: flow.DialectPebble}, "sets": flow.Lit("odd"), "prompts": flow.Lit("{{ odd }}"),
	}
	for _, s := range texts {
		in["lit:"+s] = flow.Lit(s)
		in["pebble:"+s] = flow.Pebble(s, "")
		in["connect:"+s] = flow.Value{Src: s, Dialect: flow.DialectConnect}
	}
	f.Nodes["A"] = &flow.Node{ID: "A", Name: "same", Op: flow.OpPass, In: in, Exits: map[flow.Port]flow.NodeID{"ok": "B", "true": "B"}}
	f.Nodes["B"] = &flow.Node{ID: "B", Name: "same", Op: flow.OpEnd, Type: "x", PortNames: map[flow.Port]string{"ok": "no"}, Exits: map[flow.Port]flow.NodeID{}}
	f.Nodes[""] = &flow.Node{Name: "", Op: flow.OpEnd, Exits: map[flow.Port]flow.NodeID{}}
	f.Refs = []flow.Ref{{Node: "A", Kind: flow.RefQueue, ID: "q", Bound: "b"}, {Node: "gone", Kind: flow.RefOther, ID: "z"}}
	delete(in, "prompts") // a text there is read as a prompt
	g, data := roundTrip(t, f)
	if d := gocmp.Diff(model(t, f), model(t, g)); d != "" {
		t.Errorf("%s\n%s", d, data)
	}
}

// FuzzImport reads any text; what is read can be written, and read again as the same flow.
func FuzzImport(f *testing.F) {
	f.Add([]byte("tandem: flow/1\nnodes: {A: {op: say, in: {prompts: [a, {file: b}, {tts: \"{{ c }}\"}]}, exits: B}, B: {op: end, at: [1, 2.5]}}"))
	f.Add([]byte("tandem: flow/1\nvars: {a: 1, b: {type: JSON, value: [1, {x: null}]}}\nnodes: {A: {op: set, in: {sets: {a: !connect $.b}}, out: [{path: $, var: a}], refs: [{kind: queue, id: x}]}}"))
	f.Add([]byte("tandem: flow/1\nnodes:\n  A: &n {op: case, in: {expr: !literal '{{', cases: !literal [1, a]}, exits: {\"case:1\": A}}\n  B: *n\nhandlers: {error: B}\noptions: {zone: UTC, maxSteps: 5}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, _, err := yaml.Importer{}.Import(data)
		if err != nil {
			return
		}
		h, text := roundTrip(t, g)
		if d := gocmp.Diff(model(t, g), model(t, h)); d != "" {
			t.Errorf("%s\n%s", d, text)
		}
	})
}

// A step that plays nothing stays one that plays nothing.
func TestNoPromptsStayNone(t *testing.T) {
	t.Parallel()
	f, _ := read(t, "tandem: flow/1\nname: x\nnodes:\n  A:\n    op: say\n    in: {prompts: null}\n")
	if p := f.Nodes["A"].In["prompts"]; len(p.List) != 0 {
		t.Errorf("the prompts are %+v", p)
	}
	same(t, "no prompts", f)
}

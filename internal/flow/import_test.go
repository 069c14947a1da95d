package flow_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// Every real export is read without an error, quickly, with nearly all of its nodes understood and every count right.
func TestFixtureWebexImports(t *testing.T) {
	nodes, runs := 0, 0
	for _, path := range webexFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			best := time.Hour
			var f *flow.Flow
			var rep *flow.Report
			for range 3 {
				begin := time.Now()
				f, rep = imported(t, data)
				best = min(best, time.Since(begin))
			}
			if best > importSlack*50*time.Millisecond {
				t.Errorf("importing took %v", best)
			}
			nodes, runs = nodes+rep.Nodes, runs+rep.Mapped+rep.Approximated
			checkCounts(t, data, rep)
			if _, err := flow.Compile(f); err != nil {
				t.Errorf("compiling: %v", err)
			}
			mended, _ := flow.Mend(f, rep)
			for _, p := range flow.Lint(mended) {
				if p.Replace {
					t.Errorf("still to be corrected after mending: %+v", p)
				}
			}
			if len(rep.Problems) > 0 && rep.Problems[0].Fix == "" {
				t.Error("a problem without a fix")
			}
		})
	}
	if share := float64(runs) / float64(nodes); share < 0.95 {
		t.Errorf("%d of %d nodes run (%.1f %%)", runs, nodes, 100*share)
	}
}

// checkCounts counts a file by another way.
func checkCounts(t *testing.T, data []byte, rep *flow.Report) {
	t.Helper()
	type process struct {
		Activities map[string]any
		Links      []any
	}
	var raw struct {
		Nodes      []any
		Process    process
		EventFlows struct {
			EventsMap map[string]struct {
				Process  process
				OnEvents map[string]string
			}
		}
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	if raw.Nodes != nil {
		return // FlowV2: its lists are what is counted
	}
	nodes, edges, handlers := len(raw.Process.Activities), len(raw.Process.Links), 0
	for _, e := range raw.EventFlows.EventsMap {
		nodes += len(e.Process.Activities)
		edges += len(e.Process.Links)
		handlers += len(e.OnEvents)
	}
	if got, want := [3]int{rep.Nodes, rep.Edges, rep.Handlers}, [3]int{nodes, edges, handlers}; got != want {
		t.Errorf("nodes, edges, handlers are %v, want %v", got, want)
	}
	if rep.Mapped+rep.Approximated+len(rep.Unsupported) != rep.Nodes {
		t.Errorf("%d mapped, %d approximated and %d unsupported do not make %d nodes", rep.Mapped, rep.Approximated, len(rep.Unsupported), rep.Nodes)
	}
}

// The six defects of the template that Cisco ships are all named, at their places, with their mends.
func TestFixtureSalesforceDefects(t *testing.T) {
	_, rep := imported(t, fixtures.Read(t, "flows", "webex", "Salesforce_HTTP_Connector_Flow.json"))
	want := []struct {
		rule        flow.Rule
		node, field string
		pos         int
		fix         string // a part of it
	}{
		{flow.RuleTemplate, "AccountByANI", "httpRequestPath", 88, "%27%25{{phoneNumber}}%25%27"},
		{flow.RulePath, "AccountByANI", "outputVariableArray[0].jsonPathExp", 10, "$.records[0].Name"},
		{flow.RulePath, "CasebyContactId", "outputVariableArray[1].jsonPathExp", 10, "$.records[0].Id"},
		{flow.RuleIndefinite, "PostComment", "outputVariableArray[0].jsonPathExp", 2, "$"},
		{flow.RuleDefault, "", "variables.caseId.value", 0, "leave the value empty"},
		{flow.RuleDefault, "", "variables.phoneNumber.value", 0, "leave the value empty"},
		{flow.RuleInjection, "AccountByANI", "httpRequestPath", 86, `{{ phoneNumber | urlencode | replace({"%5C": "%5C%5C"})`},
		{flow.RuleInjection, "ContactByANI", "httpRequestPath", 80, `{{ phoneNumber | urlencode | replace({"%5C": "%5C%5C"})`},
		{flow.RuleInjection, "CasebyContactId", "httpRequestPath", 128, `{{ contactId | urlencode`},
		{flow.RuleNow, "PostComment", "httpRequestBody", 82, `now() | replace({"[UTC]": ""})`},
		{flow.RuleUnguarded, "PostComment", "httpRequestPath", 35, `caseId != "null"`},
		{flow.RuleNoHandler, "", "eventFlows.onEvents.GlobalErrorHandling", -1, "queue"},
	}
	for _, w := range want {
		i := slices.IndexFunc(rep.Problems, func(p flow.Problem) bool { return p.Rule == w.rule && p.Node == w.node && p.Field == w.field })
		if i < 0 {
			t.Errorf("%s at %s.%s is not named", w.rule, w.node, w.field)
			continue
		}
		if p := rep.Problems[i]; p.Position != w.pos || !strings.Contains(p.Fix, w.fix) || p.Message == "" {
			t.Errorf("%s at %s.%s: position %d (want %d), fix %q", w.rule, w.node, w.field, p.Position, w.pos, p.Fix)
		}
	}
	if rep.Mapped != 15 || rep.Nodes != 15 || rep.Edges != 12 || rep.Handlers != 3 {
		t.Errorf("counts %+v", rep)
	}
}

// records answers as Salesforce does.
func records(s string) string { return `{"totalSize":1,"done":true,"records":[` + s + `]}` }

// The template, mended, runs: dips, queue, agent, screen pop, and the write-back to the case.
func TestFixtureSalesforceMendedRuns(t *testing.T) {
	f, rep := imported(t, fixtures.Read(t, "flows", "webex", "Salesforce_HTTP_Connector_Flow.json"))
	m, done := flow.Mend(f, rep)
	if len(done) == 0 {
		t.Fatal("nothing was mended")
	}
	if left := flow.Lint(m); len(left) > 0 {
		t.Errorf("problems left: %+v", left)
	}
	if n := m.Bind(flow.RefConnector, "9b04cc45-e715-45e4-a568-4635a88494f9", "sf"); n != 4 {
		t.Errorf("bound %d connectors", n)
	}
	c := start(t, m, nil)
	h := c.want(flow.CmdHTTP).HTTP
	if h.Connector != "sf" || h.Path != "/services/data/v52.0/query?q=SELECT+id,name,phone+from+Account+WHERE+Phone+LIKE+%27%254155550100%25%27" || h.TimeoutMS != 5000 || h.Retries != 3 {
		t.Errorf("account request %+v", h)
	}
	c.answer(200, records(`{"Id":"001A","Name":"Acme"}`)).answer(200, records(`{"Id":"003B","Name":"Ada"}`))
	if h := c.want(flow.CmdHTTP).HTTP; !strings.HasSuffix(h.Path, "WHERE+ContactId=%27003B%27") {
		t.Errorf("case request %s", h.Path)
	}
	c.answer(200, records(`{"Id":"500C","CaseNumber":"00001"}`))
	if q := c.want(flow.CmdEnqueue).Enqueue; q.Queue != "147a5615-baf0-4325-8a26-d8c96c2ee7b3" {
		t.Errorf("queue %+v", q)
	}
	c.played().agentAnswers()
	pop := c.got(flow.CmdScreenPop)
	if len(pop) != 1 || pop[0].ScreenPop.URL != "https://d2v000000qy4veag-dev-ed.lightning.force.com/lightning/r/Account/001A/view?channel=OPEN_CTI" {
		t.Errorf("screen pop %+v", pop)
	}
	c.step(flow.Event{Kind: flow.EvContactEnded})
	h = c.want(flow.CmdHTTP).HTTP
	if h.Method != http.MethodPatch || h.Path != "/services/data/v52.0/sobjects/Case/500C" || !strings.Contains(h.Body, "at 2026-03-02T09:3") || !json.Valid([]byte(h.Body)) {
		t.Errorf("write-back %+v", h)
	}
	c.answer(204, "").over()

	// Nothing found: no record is changed.
	c = start(t, m, nil).answer(200, records("")).answer(200, records("")).answer(200, records("")).played().agentAnswers()
	c.step(flow.Event{Kind: flow.EvContactEnded}).over()
	if len(c.got(flow.CmdHTTP)) > 0 {
		t.Errorf("a case that was not found is changed: %+v", c.last)
	}

	// The other system is down: the caller is queued all the same.
	c = start(t, m, nil).lost()
	c.want(flow.CmdEnqueue)
	c.agentAnswers().step(flow.Event{Kind: flow.EvContactEnded}).over()
}

// As shipped, the template fails at its first request, whose text is malformed, and says so in the trace.
func TestFixtureSalesforceAsShipped(t *testing.T) {
	f, _ := imported(t, fixtures.Read(t, "flows", "webex", "Salesforce_HTTP_Connector_Flow.json"))
	c := start(t, f, nil)
	if got := c.path(); !slices.Contains(got, "395af366-7d63-49f8-bfd4-5e588046510a>error") {
		t.Errorf("path %v", got)
	}
	if c.want(flow.CmdPlay).Play.Prompts[0].Text != flow.DefaultErrorText {
		t.Error("no announcement")
	}
}

// Every way in which a value can change what a request means is named, with the text to put in its place.
func TestLintInjections(t *testing.T) {
	vars := []flow.Var{{Name: "v", Type: flow.TypeString, Value: "x"}}
	tests := []struct{ in, src, fix string }{
		{"path", "/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{v}}%27", `/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{ v | urlencode | replace({"%5C": "%5C%5C"}) | replace({"%27": "%5C%27"}) }}%27`},
		{"path", "/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{ v ~ \"a\" | upper }}%27", `/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{ (v ~ "a" | upper) | urlencode | replace({"%5C": "%5C%5C"}) | replace({"%27": "%5C%27"}) }}%27`},
		{"path", "/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{ v | urlencode }}%27", `/q?q=SELECT+Id+FROM+A+WHERE+B=%27{{ v | urlencode | replace({"%5C": "%5C%5C"}) | replace({"%27": "%5C%27"}) }}%27`},
		{"path", "/a/{{NewPhoneContact.ani}}", "/a/{{ NewPhoneContact.ani | urlencode }}"},
		{"path", "/a/{{v}}?b={{ NewPhoneContact.ANI | urlencode }}", ""},
		{"body", `{"a":"{{NewPhoneContact.ANI}}","b":"{{v}}"}`, `{"a":"{{ NewPhoneContact.ANI | escape(strategy="json") }}","b":"{{v}}"}`},
		{"body", `{"a":{{NewPhoneContact.ANI}}}`, ""},
	}
	for _, tt := range tests {
		f := build(vars, node("start", flow.OpStart, nil, "ok", "H"), httpNode("H", map[string]flow.Value{
			"connector": flow.Lit("c"), tt.in: flow.Pebble(tt.src, tt.in), "contentType": flow.Lit("Application/JSON"),
		}, "ok", "E", "error", "E"), node("E", flow.OpEnd, nil))
		ps := flow.Lint(f)
		if tt.fix == "" {
			if len(ps) > 0 {
				t.Errorf("%s: %+v", tt.src, ps)
			}
			continue
		}
		if len(ps) != 1 || ps[0].Rule != flow.RuleInjection || ps[0].Fix != tt.fix || ps[0].Position != strings.Index(tt.src, "{{") {
			t.Errorf("%s: %+v", tt.src, ps)
		}
		if mended, _ := flow.Mend(f, nil); len(flow.Lint(mended)) > 0 {
			t.Errorf("%s: the mended text is not accepted: %+v", tt.src, flow.Lint(mended))
		}
	}
}

func TestExamplesHaveNoProblems(t *testing.T) {
	for _, name := range []string{"data-dip.json", "menu.json"} {
		_, rep := example(t, name)
		if len(rep.Problems) > 0 || rep.Mapped != rep.Nodes {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

// Our data dip from the first ring to the write-back.
func TestDataDip(t *testing.T) {
	f, _ := example(t, "data-dip.json")
	c := start(t, f, map[string]any{"instanceUrl": "https://acme.my.salesforce.com"})
	c.played()
	h := c.want(flow.CmdHTTP).HTTP
	if h.ConnectorName != "salesforce" || !strings.Contains(h.Path, "LIKE+%27%254%251%255%255%255%255%250%251%250%250%25%27") {
		t.Errorf("account request %+v", h)
	}
	c.answer(200, records(`{"Id":"001A","Name":"Acme"}`)).answer(200, records(`{"Id":"003B","Name":"Ada Byron"}`)).answer(200, records(`{"Id":"500C","CaseNumber":"00001"}`))
	if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; got != "Hello Ada Byron. We are connecting you to an agent." {
		t.Errorf("said %q", got)
	}
	if q := c.played().want(flow.CmdEnqueue).Enqueue; q.QueueName != "Support" {
		t.Errorf("queue %+v", q)
	}
	c.played().agentAnswers()
	if pop := c.got(flow.CmdScreenPop); len(pop) != 1 || pop[0].ScreenPop.URL != "https://acme.my.salesforce.com/lightning/r/Case/500C/view" || pop[0].ScreenPop.Label != "Case 00001" {
		t.Errorf("screen pop %+v", pop)
	}
	c.step(flow.Event{Kind: flow.EvVarsEdited, Fields: map[string]any{"notes": `said "hi"`}}).step(flow.Event{Kind: flow.EvHungUp})
	c.step(flow.Event{Kind: flow.EvContactEnded, Fields: map[string]any{"DispositionCode": "solved"}})
	h = c.want(flow.CmdHTTP).HTTP
	var body struct{ Comments string }
	if err := json.Unmarshal([]byte(h.Body), &body); err != nil {
		t.Fatalf("body %s: %v", h.Body, err)
	}
	want := `Call int-1 from +14155550100, agent: Ada, disposition: solved, notes: said "hi"`
	if h.Method != http.MethodPatch || h.Path != "/services/data/v60.0/sobjects/Case/500C" || body.Comments != want {
		t.Errorf("write-back %s %s %s", h.Method, h.Path, body.Comments)
	}
	c.answer(204, "").over()
}

// An unknown caller is greeted without a name, and nothing is popped or written.
func TestDataDipUnknownCaller(t *testing.T) {
	f, _ := example(t, "data-dip.json")
	c := start(t, f, nil).played().answer(200, records("")).answer(200, records(""))
	if got := c.want(flow.CmdPlay).Node; f.Nodes[got].Name != "GreetCaller" {
		t.Errorf("at %s", f.Nodes[got].Name)
	}
	c.played().agentAnswers()
	if len(c.got(flow.CmdScreenPop)) > 0 {
		t.Errorf("popped %+v", c.last)
	}
	c.step(flow.Event{Kind: flow.EvContactEnded}).over()
	c = start(t, f, nil).played().lost()
	if c.want(flow.CmdEnqueue).Enqueue.QueueName != "Support" {
		t.Error("a caller is not served while the other system is down")
	}
}

func TestMenuExample(t *testing.T) {
	f, _ := example(t, "menu.json")
	c := start(t, f, nil).entered("1").entered("4711")
	if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; !strings.HasSuffix(got, "order 4711.") {
		t.Errorf("said %q", got)
	}
	if q := c.played().want(flow.CmdEnqueue).Enqueue.QueueName; q != "Support" {
		t.Errorf("queue %s", q)
	}
	if q := start(t, f, nil).entered("2").want(flow.CmdEnqueue).Enqueue.QueueName; q != "Sales" {
		t.Errorf("queue %s", q)
	}
	c = start(t, f, nil).entered("7").played().entered("7").played().entered("7")
	if q := c.want(flow.CmdEnqueue).Enqueue.QueueName; q != "Support" || c.s.Vars["tries"] != int64(3) {
		t.Errorf("queue %s after %v tries", q, c.s.Vars["tries"])
	}
}

// Import never changes what it was given, and stored flows are the same flows.
func TestFlowSurvivesStorage(t *testing.T) {
	f, _ := example(t, "data-dip.json")
	var g *flow.Flow
	if err := json.Unmarshal([]byte(flat(t, f)), &g); err != nil {
		t.Fatal(err)
	}
	p, err := flow.Compile(f)
	q, err2 := flow.Compile(g)
	if err != nil || err2 != nil || p.Pin() != q.Pin() {
		t.Errorf("pins %s and %s, errors %v and %v", p.Pin(), q.Pin(), err, err2)
	}
	if diff := cmp.Diff(flow.Lint(f), flow.Lint(g)); diff != "" {
		t.Error(diff)
	}
	before := flat(t, f)
	flow.Mend(f, nil)
	if before != flat(t, f) {
		t.Error("mending changed the flow itself")
	}
}

// What is no flow is refused in one line.
func TestNotAFlow(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "blank": "  \n", "text": "hello", "half": `{"process":{"activities":{`, "number": "42", "list": "[]", "other": `{"a":1}`,
		"no activities": `{"process":{}}`, "no start": `{"process":{"activities":{}}}`, "null": "null",
		"activities of another kind": `{"process":{"activities":[]}}`, "deep": strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	} {
		_, _, err := flow.Registry{webex.Importer{}}.Import([]byte(data))
		if !errors.Is(err, flow.ErrNotAFlow) || errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%s: not one line: %v", name, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, a := range []string{
		`"activityName":"set-variable","setVariablesArray":[1,null,{},{"srcVariable":"a","literal":"{{ a | replace({\"x\":\"\"}) }}"}]`,
		`"activityName":"http-request-v2","authenticated":true,"connectorId":"c","httpRequestMethod":"PATCH","httpRequestPath":"/q?q=SELECT+a+FROM+b+WHERE+c+LIKE+%27%25{{[a}}%25%27",
			"httpRequestBody":"{\"a\":\"{{now()}}\"}","outputVariableArray":[{"outputVariable":"a","jsonPathExp":"$.records.[0].*"}]`,
		`"activityName":"case-statement","expression":"a","menuLinks":["0"],"menuLinks_input":["{{ a }}"]`,
		`"activityName":"ivr-menu","menuLinks":["1"],"toggle":true,"promptsTts":[{"type":"tts","value":"{% if a %}x{% endif %}"}],"entryTimeout":"1e9"`,
		`"activityName":"percent-allocation","allocations":[{"percent":"NaN","desc":"a"}]`, `"activityName":"screen-pop","screenPopUrl":"{{a}}","queryParameters":{"a":"b"}`,
		`"activityName":"queue-contact","destination":"q","skills":{"requirements":[{}],"relaxations":[1]}`,
	} {
		f.Add([]byte(`{"variables":[{"name":"a","type":"STRING","value":"null"}],"process":{"activities":{"s":{"group":"start"},"b":{"properties":{` + a +
			`}}},"links":[{},{"sourceActivityId":"s","targetActivityId":"b"},{"sourceActivityId":"b","targetActivityId":"b","conditionExpr":"default"}]},
			"eventFlows":{"eventsMap":{"G":{"process":{"activities":{"s":{"group":"event"}}},"onEvents":{"ContactEnded":"s"}}}}}`))
	}
	f.Add([]byte(`{"nodes":[{"id":"a","activityType":"start"},{"name":"b","properties":{"activityName":"end"}}],"edges":[{"from":"a","to":"b"}]}`))
	f.Add([]byte(`{"StartAction":"a","Actions":[{"Identifier":"a","Transitions":{"NextAction":"a","Conditions":[{}],"Errors":[{}]}}]}`))
	f.Add([]byte(`{"start":"a","modules":[{"id":"a","branches":[{"condition":"x","transition":"a"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fl, rep, err := allFormats.Import(data)
		if err != nil {
			return
		}
		flat(t, rep)
		flat(t, fl)
		m, _ := flow.Mend(fl, rep)
		for _, g := range []*flow.Flow{fl, m} {
			p, err := flow.Compile(g)
			if err != nil {
				continue
			}
			s, _, err := flow.Start(p, flow.Input{At: epoch})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := flow.Step(p, s, flow.Event{Kind: flow.EvContactEnded, At: epoch}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

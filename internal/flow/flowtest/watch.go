package flowtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// watcher plays a test in the testing language: it sees what the flow says and does, and answers.
type watcher struct {
	test *Amazon
	x    *run // nil until the call has begun
	// waiting are the observations that may come next, with how often each was seen.
	waiting []string
	seen    map[string]int
	passed  int
	keys    string // pressed, and not read by the flow yet
	spoken  string // said to a bot
	ended   bool
	fails   []string
}

// runAmazon runs a test in the testing language.
func (r *Runner) runAmazon(t *Test) Outcome {
	o := Outcome{Name: t.Name, Failures: []string{}}
	w := &watcher{test: t.Amazon, seen: make(map[string]int)}
	s := t.Script
	s.From, s.To = or(s.From, t.Amazon.From), or(s.To, t.Amazon.To)
	w.begin(&s)
	res, err := r.run(context.Background(), &s, w)
	if err != nil {
		o.Failures = append(o.Failures, err.Error())
		return o
	}
	if !w.ended {
		w.observe(func(e *Observed) bool { return e.Type == evTestCompleted })
	}
	o.Result = res
	o.Failures = append(o.Failures, w.fails...)
	if res.End.Stopped() && !w.ended {
		o.Failures = append(o.Failures, "the run ended by "+res.End.Reason+": "+res.End.Detail)
	}
	if !w.ended {
		for _, id := range w.waiting {
			if ob := t.Amazon.byID[id]; w.seen[id] < ob.least() {
				o.Failures = append(o.Failures, fmt.Sprintf("observation %q did not come: %s", id, ob.Event))
			}
		}
	}
	return o
}

// least is how often an observation must be seen.
func (o *Observation) least() int {
	if strings.EqualFold(o.Usage.Type, "ANY") {
		return 0
	}
	return max(1, o.Usage.Times)
}

// String describes the event.
func (e Observed) String() string {
	p := e.Properties
	text := or(p.Text, p.SSML, p.PromptId, p.Media.Uri, p.ActionType)
	return strings.TrimSpace(e.Type + " " + text)
}

// begin plays what stands at the test's beginning. Overrides become answers of the script.
func (w *watcher) begin(s *Script) {
	first := w.test.Observations[0].Identifier
	targets := make(map[string]bool)
	for i := range w.test.Observations {
		for _, n := range w.test.Observations[i].Transitions.NextObservations {
			targets[n] = true
		}
	}
	for i := range w.test.Observations {
		o := &w.test.Observations[i]
		if o.Event.Type == evTestInitiated {
			first = o.Identifier
			break
		}
		if !targets[o.Identifier] && targets[first] {
			first = o.Identifier
		}
	}
	for i := range w.test.Observations {
		for j := range w.test.Observations[i].Actions {
			if a := &w.test.Observations[i].Actions[j]; a.Type == "OverrideSystemBehavior" {
				override(s, a.Parameters.Behavior.Properties)
			}
		}
	}
	w.waiting = []string{first}
	w.observe(func(e *Observed) bool { return e.Type == evTestInitiated })
}

// override makes an answer of the script from a changed behaviour.
func override(s *Script, b behavior) {
	res := b.Strategy.Response
	failure := ""
	if res.Type == "Error" {
		failure = or(res.Error.Value, "NoMatchingError")
	}
	delay := Duration(max(res.ExecutionResult.DelaySeconds, res.Error.DelaySeconds) * float64(time.Second))
	ref := refOf(b.ActionParameters)
	data := or(plainText(res.ExecutionResult.LoadedData), plainText(res.ExecutionResult.Value))
	r := Reply{Ref: ref, Error: failure, After: delay, Outcome: "ok", Fields: fieldsOf(data)}
	switch b.ActionType {
	case "CheckHoursOfOperation":
		r.To, r.Fields, r.Outcome = flow.AskHours, nil, "work"
		if strings.EqualFold(data, "OutOfHours") || strings.EqualFold(data, "OutHours") {
			r.Outcome = "closed"
		}
		if b.Strategy.Type == "SubstituteResource" && strings.Contains(strings.ToLower(b.Strategy.SubstituteArn), "closed") {
			r.Outcome = "closed"
		}
	case "TransferContactToQueue", "DequeueAndTransferToQueue":
		if failure != "" {
			s.Queue = append(s.Queue, Queueing{Queue: ref, Full: failure == "QueueAtCapacity", Fail: failureText(failure)})
		}
		return
	case "ConnectParticipantWithLexBot":
		r.To, r.Outcome = flow.AskBot, "ended"
	default: // a function, as a question or as a request
		r.To = flow.AskFunction
		a := Answer{URL: or(ref, "*"), Status: 200, Body: Body(or(data, "{}")), Error: failure, Delay: delay}
		s.HTTP = append(s.HTTP, a)
	}
	if b.Strategy.Type == "SubstituteResource" && b.ActionType != "CheckHoursOfOperation" {
		return // another resource answers as the script says
	}
	s.Answers = append(s.Answers, r)
}

func failureText(f string) string {
	if f == "QueueAtCapacity" {
		return ""
	}
	return f
}

// refOf is a pattern for the resource an override or an event names: its identifier, whatever the address before it.
func refOf(params map[string]any) string {
	for _, k := range slices.Sorted(maps.Keys(params)) {
		switch v := params[k].(type) {
		case string:
			if id := lastPart(v); id != "" {
				return "*" + id
			}
		case map[string]any:
			if id := refOf(v); id != "" {
				return id
			}
		}
	}
	return ""
}

func lastPart(arn string) string {
	return arn[strings.LastIndexAny(arn, "/:")+1:]
}

func fieldsOf(data string) map[string]any {
	var m map[string]any
	if json.Unmarshal([]byte(data), &m) != nil {
		return nil
	}
	return m
}

func (w *watcher) done() bool { return w.ended }

// utterance is what the caller said to a bot.
func (w *watcher) utterance() map[string]any {
	if w.spoken == "" {
		return nil
	}
	said := w.spoken
	w.spoken = ""
	return map[string]any{"inputTranscript": said}
}

// take gives a question the keys it can use; the rest stays for the next.
func (w *watcher) take(g *flow.Gather) (now, later string) {
	for i, k := range w.keys {
		if strings.ContainsRune(g.Terminators, k) || i+1 >= g.Max {
			return w.keys[:i+1], w.keys[i+1:]
		}
	}
	return w.keys, ""
}

// message is a prompt the caller hears.
func (w *watcher) message(text string) {
	w.observe(func(e *Observed) bool { return e.Type == evMessage && e.hears(text) })
}

// hears compares a prompt with what the event wants. Similarity is the share of common words, since no language model is
// at hand; Inclusion looks for the text itself.
func (e *Observed) hears(text string) bool {
	p := e.Properties
	if file := or(p.PromptId, p.Media.Uri); file != "" {
		return strings.Contains(text, file) || strings.Contains(text, lastPart(file))
	}
	want := or(p.Text, p.SSML)
	if contains(text, want) {
		return true
	}
	kind := or(p.MatchingCriteria.Type, e.MatchingCriteria.Type)
	return strings.EqualFold(kind, "Similarity") && similarity(text, want) >= 0.6
}

// similarity is Dice's coefficient of the two texts' words.
func similarity(a, b string) float64 {
	words := func(s string) map[string]bool {
		m := make(map[string]bool)
		for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r < 128
		}) {
			m[w] = true
		}
		return m
	}
	x, y := words(a), words(b)
	if len(x)+len(y) == 0 {
		return 0
	}
	common := 0
	for w := range x {
		if y[w] {
			common++
		}
	}
	return 2 * float64(common) / float64(len(x)+len(y))
}

// node is a step of the flow that begins.
func (w *watcher) node(n *flow.Node, t flow.TraceEntry) {
	if t.Port != "" && w.x.res.waited(len(w.x.res.Trace)-1) {
		return // it goes on
	}
	w.observe(func(e *Observed) bool { return e.Type == evFlowAction && e.is(n, t) })
}

// is compares a node with the action the event wants, by its type in the source format or by what it does.
func (e *Observed) is(n *flow.Node, t flow.TraceEntry) bool {
	want := strings.TrimSpace(e.Properties.ActionType)
	if n.Type != want && !slices.Contains(sameAs(want), n.Op) {
		return false
	}
	ref := refOf(e.Properties.ActionParameters)
	if ref == "" {
		return true
	}
	id := strings.TrimPrefix(ref, "*")
	if strings.Contains(t.Detail, id) || strings.Contains(string(n.Raw), id) {
		return true
	}
	found := false
	for _, v := range n.In {
		found = found || strings.Contains(plainText(v.Lit)+v.Src, id)
	}
	return found || want == "TransferContactToQueue" && len(n.In) == 0
}

// sameAs are the operations that do what an action of Connect does.
func sameAs(action string) []flow.Op {
	switch action {
	case "InvokeLambdaFunction":
		return []flow.Op{flow.OpHTTP, flow.OpFunction}
	case "CheckHoursOfOperation":
		return []flow.Op{flow.OpHours}
	case "TransferContactToQueue":
		return []flow.Op{flow.OpQueue, flow.OpQueueAgent}
	case "ConnectParticipantWithLexBot":
		return []flow.Op{flow.OpBot}
	}
	return nil
}

// observe lets the first waiting observation that fits see the event, and does its actions.
func (w *watcher) observe(fits func(e *Observed) bool) {
	if w.ended {
		return
	}
	for _, id := range slices.Clone(w.waiting) {
		o := w.test.byID[id]
		if !fits(&o.Event) {
			continue
		}
		w.seen[id]++
		if w.seen[id] == max(1, o.least()) {
			w.passed++
		}
		for i := range o.Actions {
			w.act(id, &o.Actions[i])
		}
		if w.seen[id] >= max(1, o.least()) {
			w.goOn(o)
		}
		return
	}
}

// goOn replaces a seen observation by those that follow it.
func (w *watcher) goOn(o *Observation) {
	w.waiting = slices.DeleteFunc(w.waiting, func(id string) bool {
		return id == o.Identifier && !strings.EqualFold(o.Usage.Type, "ANY")
	})
	for _, next := range o.Transitions.NextObservations {
		if next != "" && !slices.Contains(w.waiting, next) && w.seen[next] == 0 {
			w.waiting = append(w.waiting, next)
		}
	}
}

// act does one action. Overrides were done before the flow began.
func (w *watcher) act(observation string, a *Action) {
	p := &a.Parameters
	switch a.Type {
	case "SendInstruction":
		switch p.Instruction.Type {
		case "DtmfInput":
			w.keys += plainText(p.Instruction.Properties.Value)
		case "Disconnect":
			if w.x != nil {
				w.x.endCall(byCaller, "customer")
			}
		default:
			w.spoken = or(p.Instruction.Properties.Text, p.Instruction.Properties.SSML, plainText(p.Instruction.Properties.Value))
		}
	case "Assert", "Assertion":
		have, ok := w.lookUp(p.Namespace)
		if !compare(p.Operator, have, plainText(p.Operand), ok) {
			w.fails = append(w.fails, fmt.Sprintf("observation %q: %s is %q, which fails %s %q", observation, p.Namespace, have, p.Operator,
				plainText(p.Operand)))
		}
	case "EndTest":
		w.ended = true
	case "TestControl":
		w.ended = w.ended || p.Command.Type == "EndTest"
	}
}

// lookUp finds what a namespace of Connect means in a run.
func (w *watcher) lookUp(path string) (string, bool) {
	x := w.x
	if x == nil || x.s == nil {
		return "", false
	}
	doc := x.namespaces()
	if !strings.HasPrefix(path, "$") {
		path = "$." + path
	}
	p, err := jsonpath.Parse(path, jsonpath.Jayway)
	if err != nil {
		return "", false
	}
	v, err := p.One(doc)
	if err != nil || v == nil {
		return "", false
	}
	return plainText(v), true
}

// namespaces is what a test in the testing language can look up.
func (x *run) namespaces() map[string]any {
	c := x.s.Contact
	doc := map[string]any{
		"Channel": "VOICE", "ContactId": c.ID, "InitialContactId": c.ID, "InitiationMethod": c.Direction, "LanguageCode": c.Language,
		"CustomerEndpoint": map[string]any{"Address": c.ANI, "Type": "TELEPHONE_NUMBER"},
		"SystemEndpoint":   map[string]any{"Address": c.DNIS, "Type": "TELEPHONE_NUMBER"},
		"Attributes":       map[string]any(x.s.Vars),
	}
	for name, fields := range x.s.Outputs {
		if _, taken := doc[name]; !taken {
			doc[name] = map[string]any(fields)
		}
	}
	for name, v := range x.s.Vars {
		if bare, own := strings.CutPrefix(name, "$"); own {
			doc[bare] = v // the flow keeps this namespace itself
		} else if _, taken := doc[name]; !taken {
			doc[name] = v
		}
	}
	if n := len(x.res.Queued); n > 0 && doc["Queue"] == nil {
		q := x.res.Queued[n-1]
		doc["Queue"] = map[string]any{"Name": or(q.Name, q.Queue), "ARN": q.Queue, "Id": q.Queue}
	}
	if x.agent.ID != "" && doc["Agent"] == nil {
		first, last, _ := strings.Cut(x.agent.Name, " ")
		doc["Agent"] = map[string]any{"UserName": x.agent.ID, "FirstName": first, "LastName": last, "ARN": x.agent.ID}
	}
	return doc
}

// compare applies an operator of the testing language.
func compare(op, have, want string, exists bool) bool {
	switch op {
	case "Exists":
		return exists
	case "Equals":
		return exists && have == want
	case "TextStartsWith":
		return exists && strings.HasPrefix(have, want)
	case "TextEndsWith":
		return exists && strings.HasSuffix(have, want)
	case "TextContains":
		return exists && strings.Contains(have, want)
	}
	return compareNumbers(op, have, want)
}

func compareNumbers(op, have, want string) bool {
	x, err := strconv.ParseFloat(strings.TrimSpace(have), 64)
	y, err2 := strconv.ParseFloat(strings.TrimSpace(want), 64)
	if err != nil || err2 != nil {
		return false
	}
	switch op {
	case "NumberGreaterThan":
		return x > y
	case "NumberGreaterOrEqualTo":
		return x >= y
	case "NumberLessThan":
		return x < y
	default:
		return x <= y
	}
}

package webex

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// add writes a node that the document does not have.
func (ex *exporting) add(n *flow.Node) {
	name, pr := ex.encode(n)
	if name == "" {
		return
	}
	part := ex.partOf(n.ID)
	id := string(n.ID)
	group := groups[n.Op]
	if group == "" {
		group = "action"
	}
	pr["name"] = n.Name
	pr["activityName"], pr["activityId"] = name, name
	a := map[string]any{"id": id, "name": n.Name, "group": group, "properties": map[string]any(pr)}
	ex.lay.addActivity(ex.lay.part(ex.doc, part), id, a)
	ex.at[n.ID] = spot{a, part, id}
	ex.place(n.ID, id, pr)
}

// begin writes the start activity, which flows of other systems do not have.
func (ex *exporting) begin() {
	const id = "start"
	to := ex.at[ex.follow(ex.f.Start)]
	pr := map[string]any{"name": "NewPhoneContact", "activityName": "NewPhoneContact", "event": "NewPhoneContact"}
	part := ex.lay.part(ex.doc, "")
	ex.lay.addActivity(part, id, map[string]any{"id": id, "name": "NewPhoneContact", "group": "start", "properties": pr})
	if to.obj == nil {
		return
	}
	source, target := ex.lay.ends()
	l := map[string]any{"id": id + "-out", source: id, target: to.id}
	ex.lay.setName(l, "out")
	ex.lay.setLinks(part, append(ex.lay.links(part), l))
}

// place puts a new activity on the canvas.
func (ex *exporting) place(nid flow.NodeID, id string, pr props) {
	d := ex.doc.obj("diagram")
	if d == nil {
		return
	}
	widgets, _ := d["widgets"].(map[string]any)
	if widgets == nil {
		widgets = map[string]any{}
		d["widgets"] = widgets
	}
	p := ex.f.Layout[nid]
	widgets[id] = map[string]any{"id": id, "widgetType": "activity", "point": map[string]any{"x": p.X, "y": p.Y}, "properties": maps.Clone(map[string]any(pr))}
}

// groups are the groups of activities that do not stand in "action".
var groups = map[flow.Op]string{
	flow.OpStart: "start", flow.OpEvent: "event", flow.OpEnd: "end", flow.OpHangup: "terminating-action", flow.OpSet: "set-variable", flow.OpMenu: "enum-gateway", flow.OpCase: "enum-gateway",
}

// partOf says in which part a new node stands: with the handlers when only they lead to it.
func (ex *exporting) partOf(id flow.NodeID) string {
	if ex.reaches(ex.f.Start, id) {
		return ""
	}
	for _, handler := range ex.f.On {
		if s, ok := ex.at[handler]; ok && s.part != "" && ex.reaches(handler, id) {
			return s.part
		}
		if ex.reaches(handler, id) {
			return "GLOBAL_EVENTS"
		}
	}
	return ""
}

func (ex *exporting) reaches(from, to flow.NodeID) bool {
	seen := map[flow.NodeID]bool{}
	todo := []flow.NodeID{from}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if id == to {
			return true
		}
		if n := ex.f.Nodes[id]; n != nil && !seen[id] {
			seen[id] = true
			todo = append(todo, slices.Collect(maps.Values(n.Exits))...)
		}
	}
	return false
}

// fixedPorts are the ports that are called the same on every activity.
var fixedPorts = map[flow.Port]string{
	flow.PortHoursWork: "workingHours", flow.PortHoursHoliday: "holidays", flow.PortHoursSpecial: "override", flow.PortInsufficient: "insufficientdata",
	flow.PortResend: "resend", flow.PortCapacity: "failure", flow.PortFailure: "failure", flow.PortDone: "ENDED", flow.PortEscalate: "ESCALATE",
}

// portName names a port as Webex does.
func portName(n *flow.Node, p flow.Port) string {
	if name := n.PortNames[p]; name != "" && !strings.HasPrefix(name, "Transitions.") {
		return name
	}
	if name := fixedPorts[p]; name != "" {
		return name
	}
	switch {
	case p == flow.PortOK && (n.Op == flow.OpStart || n.Op == flow.OpEvent || n.Op == flow.OpSet):
		return "out"
	case p == flow.PortNoMatch && (n.Op == flow.OpMenu || n.Op == flow.OpCollect):
		return "invalid"
	case p == flow.PortOK, p == flow.PortNoMatch:
		return "default"
	}
	s := string(p)
	switch prefix, rest, _ := strings.Cut(s, ":"); prefix {
	case "digit", "pct":
		return rest
	case "error":
		return "error"
	case "case":
		return caseName(n, p)
	}
	return s
}

// caseName is the port of a case, which is its number.
func caseName(n *flow.Node, p flow.Port) string {
	seen := make(map[flow.Port]int)
	for i, c := range n.In["cases"].List {
		if flow.CasePort(seen, c) == p {
			return strconv.Itoa(i)
		}
	}
	for i, m := range n.In["match"].List {
		if m.Map["port"].Lit == string(p) {
			return strconv.Itoa(i)
		}
	}
	return strings.TrimPrefix(string(p), "case:")
}

var identifier = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// write turns a value into a template.
func (ex *exporting) write(n *flow.Node, field string, v flow.Value) string {
	if v.Dialect != flow.DialectConnect {
		return flow.Source(v)
	}
	var b strings.Builder
	at := 0
	for _, s := range flow.ConnectSpans(v.Src) {
		b.WriteString(v.Src[at:s.Start])
		b.WriteString("{{ " + ex.name(n, field, v.Src[s.Start:s.End], s.Names) + " }}")
		at = s.End
	}
	return b.String() + v.Src[at:]
}

// name is what a reference of Amazon Connect is called here.
func (ex *exporting) name(n *flow.Node, field, src string, names []string) string {
	switch strings.Join(names, ".") {
	case "CustomerEndpoint.Address":
		return "NewPhoneContact.ANI"
	case "SystemEndpoint.Address":
		return "NewPhoneContact.DNIS"
	case "ContactId":
		return "NewPhoneContact.InteractionId"
	}
	if names[0] == "Attributes" && len(names) == 2 && identifier.MatchString(names[1]) {
		return names[1]
	}
	ex.lose(n, field, "Webex has no %s", src)
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, strings.Join(names, "_"))
}

// encode writes an operation as an activity; "" when there is none like it.
func (ex *exporting) encode(n *flow.Node) (string, props) {
	if fn := encoders[n.Op]; fn != nil {
		return fn(ex, n)
	}
	ex.lose(n, "", "%s has no form in Webex; the flow goes on after it", n.Op)
	return "", nil
}

// fields writes an operation whose inputs become fields as they are; pairs are field, input, field, input...
func fields(name string, pairs ...string) func(*exporting, *flow.Node) (string, props) {
	return func(ex *exporting, n *flow.Node) (string, props) {
		out := props{}
		for i := 0; i+1 < len(pairs); i += 2 {
			if v, ok := n.In[pairs[i+1]]; ok {
				out[pairs[i]] = ex.write(n, pairs[i+1], v)
			}
		}
		return name, out
	}
}

// encoders are the operations that Webex has an activity for. It is never changed.
var encoders = map[flow.Op]func(*exporting, *flow.Node) (string, props){
	flow.OpStart: fields("NewPhoneContact"), flow.OpEvent: encodeEvent, flow.OpEnd: fields("end"), flow.OpHangup: fields("disconnect-contact"),
	flow.OpEndSub: fields("end-subflow"), flow.OpSet: encodeSet, flow.OpSay: encodeSay, flow.OpLoopPrompts: encodeSay, flow.OpMusic: encodeMusic, flow.OpMenu: encodeMenu,
	flow.OpCollect: encodeCollect, flow.OpCond: fields("condition-activity", "expression", "expr"), flow.OpCase: encodeCase, flow.OpCompare: encodeCase,
	flow.OpHTTP: encodeHTTP, flow.OpFunction: encodeFunction, flow.OpParse: encodeParse, flow.OpQueue: encodeQueue, flow.OpCallback: fields("callback", "callbackDn", "number", "callbackQueue", "queue", "callbackAni", "ani"),
	flow.OpTransfer: encodeTransfer, flow.OpPop: encodePop, flow.OpHours: fields("business-hours", "businessHoursId", "hours", "businessHoursId:name", "hoursName"),
	flow.OpSplit: encodeSplit, flow.OpGoto: fields("hand-off", "handOffFlow", "flow", "handOffFlow:name", "flowName"),
	flow.OpSub: fields("subflow-handoff", "subflowId", "flow", "subflowId:name", "flowName"), flow.OpWait: encodeWait,
	flow.OpHash: encodeHash, flow.OpOTP: encodeOTP, flow.OpCallerID: fields("SetCallerID", "callerId", "number"),
	flow.OpVerifyOTP:  fields("verify-otp", "pin", "otp", "transactionReference", "reference", "resendCommand", "resend"),
	flow.OpSendDigits: fields("send-digits", "transferoutdigits", "digits"),
	flow.OpPriority:   fields("set-contact-priority", "priority", "priority"), flow.OpQueueInfo: fields("queue-lookup", "destination", "queue", "destination:name", "queueName", "ewtLookbackMinutes", "lookbackMinutes"),
}

func encodeHash(ex *exporting, n *flow.Node) (string, props) {
	name, out := fields("cryptographic-hash", "algorithm", "algorithm", "input", "input", "salt", "salt", "saltEncoding", "saltEncoding")(ex, n)
	out["applySalt"] = flow.Source(n.In["salt"]) != "" || flow.Source(n.In["saltEncoding"]) != ""
	return name, out
}

func encodeOTP(ex *exporting, n *flow.Node) (string, props) {
	name, out := fields("generate-otp", "pinFormat", "format", "pinLength", "length", "pinValidity", "validSeconds", "transactionReference", "reference")(ex, n)
	out["pinResend"] = "GENERATE_NEW"
	if n.In["reuse"].Lit == true {
		out["pinResend"] = "REUSE_SAME"
	}
	return name, out
}

func encodeEvent(_ *exporting, n *flow.Node) (string, props) {
	return flow.Source(n.In["event"]), props{"displayName": flow.Source(n.In["event"]), "eventSpecificationName": flow.Source(n.In["event"])}
}

func encodeSet(ex *exporting, n *flow.Node) (string, props) {
	list := []any{}
	for _, item := range n.In["sets"].List {
		name, v := flow.Source(item.Map["var"]), item.Map["value"]
		if strings.HasPrefix(name, "$") {
			ex.lose(n, "sets", "Webex has no %s", name)
			continue
		}
		to := "set-to-literal"
		if item.Map["from"].Lit == "var" {
			to = "set-to-variable"
		}
		s := ex.write(n, "sets", v)
		list = append(list, map[string]any{"srcVariable": name, "setTo": to, "expr": s, "literal": s})
	}
	return "set-variable", props{"setVariablesArray": list}
}

// spoken writes what is played.
func (ex *exporting) spoken(n *flow.Node) props {
	list := []any{}
	for _, item := range n.In["prompts"].List {
		typ := "tts"
		if item.Map["kind"].Lit == string(flow.PromptFile) {
			typ = "audioFile"
		}
		list = append(list, map[string]any{"type": typ, "value": ex.write(n, "prompts", item.Map["text"])})
	}
	out := props{"toggle": true, "promptsTts": list, "prompts": nil}
	if v := flow.Source(n.In["voice"]); v != "" {
		out["voiceLanguage"] = v
	}
	if n.Op == flow.OpLoopPrompts {
		ex.lose(n, "prompts", "the prompts are played once: Webex repeats by a way back to the activity")
	}
	return out
}

func encodeSay(ex *exporting, n *flow.Node) (string, props) { return "play-message", ex.spoken(n) }

// secondsOf writes a time that the model has in milliseconds.
func secondsOf(v flow.Value) string {
	ms, err := strconv.ParseFloat(flow.Source(v), 64)
	if err != nil {
		return ""
	}
	return strconv.FormatFloat(ms/1000, 'f', -1, 64)
}

// times writes times in seconds; pairs are field, input, field, input...
func times(out props, n *flow.Node, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if s := secondsOf(n.In[pairs[i+1]]); s != "" {
			out[pairs[i]] = s
		}
	}
}

func encodeMusic(ex *exporting, n *flow.Node) (string, props) {
	out := props{"prompt": ex.write(n, "file", n.In["file"]), "audioRadioGroup": "staticAudio"}
	times(out, n, "duration", "durationMS", "skip", "offsetMS")
	return "play-music", out
}

func encodeMenu(ex *exporting, n *flow.Node) (string, props) {
	out := ex.spoken(n)
	digits, labels := []any{}, []any{}
	for i, d := range n.In["digits"].List {
		digits = append(digits, flow.Source(d))
		label := ""
		if l := n.In["labels"].List; i < len(l) {
			label = flow.Source(l[i])
		}
		labels = append(labels, label)
	}
	out["menuLinks"], out["menuLinks_input"], out["interruptible"] = digits, labels, true
	times(out, n, "entryTimeout", "entryTimeoutMS")
	return "ivr-menu", out
}

func encodeCollect(ex *exporting, n *flow.Node) (string, props) {
	out := ex.spoken(n)
	for field, in := range map[string]string{"minDigits": "min", "maxDigits": "max", "terminatorSymbol": "terminators", "interruptible": "interruptible"} {
		if s := flow.Source(n.In[in]); s != "" {
			out[field] = s
		}
	}
	times(out, n, "entryTimeout", "entryTimeoutMS", "interDigitTimeout", "interDigitTimeoutMS")
	return "ivr-collectdigits", out
}

// encodeCase writes a comparison by equality; other operators have no form.
func encodeCase(ex *exporting, n *flow.Node) (string, props) {
	in := "expr"
	links, values := []any{}, []any{}
	for i, c := range n.In["cases"].List {
		links, values = append(links, strconv.Itoa(i)), append(values, ex.write(n, "cases", c))
	}
	if n.Op == flow.OpCompare {
		in = "value"
		for i, m := range n.In["match"].List {
			if op := flow.Source(m.Map["op"]); op != "Equals" {
				ex.lose(n, "match", "Webex compares for equality only, not by %s", op)
			}
			for _, v := range m.Map["operands"].List {
				links, values = append(links, strconv.Itoa(i)), append(values, ex.write(n, "match", v))
			}
		}
	}
	return "case-statement", props{"expression": ex.write(n, in, n.In[in]), "menuLinks": links, "menuLinks_input": values}
}

// outputsOf writes which part of an answer goes into which variable.
func outputsOf(n *flow.Node) []any {
	list := []any{}
	for _, b := range n.Out {
		list = append(list, map[string]any{"outputVariable": b.Var, "jsonPathExp": b.Path})
	}
	return list
}

func (ex *exporting) pairs(n *flow.Node, in string) map[string]any {
	out := map[string]any{}
	for k, v := range n.In[in].Map {
		out[k] = ex.write(n, in, v)
	}
	return out
}

func encodeHTTP(ex *exporting, n *flow.Node) (string, props) {
	_, out := fields("", "httpRequestPath", "path", "httpRequestUrl", "url", "httpRequestMethod", "method", "httpRequestBody", "body", "httpContentType", "contentType",
		"contentType", "parse", "httpResponseTimeout", "timeoutMS", "retryAttempts", "retries", "connectorId", "connector", "connectorId:name", "connectorName")(ex, n)
	out["authenticated"] = flow.Source(n.In["connector"]) != ""
	out["httpRequestHeaders"], out["httpQueryParameters"], out["outputVariableArray"] = ex.pairs(n, "headers"), ex.pairs(n, "query"), outputsOf(n)
	return "http-request-v2", out
}

// encodeFunction writes a function as a request that posts its parameters; the address is to be filled in.
func encodeFunction(ex *exporting, n *flow.Node) (string, props) {
	fn := ex.write(n, "function", n.In["function"])
	ex.lose(n, "function", "Webex has no functions: give the request the address at which %s answers", fn)
	body, err := json.Marshal(ex.pairs(n, "params"))
	if err != nil {
		body = []byte("{}")
	}
	return "http-request-v2", props{
		"authenticated": false, "httpRequestUrl": "", "httpRequestMethod": "POST", "httpContentType": "Application/JSON", "httpRequestBody": string(body),
		"httpResponseTimeout": cmp.Or(flow.Source(n.In["timeoutMS"]), "3000"), "contentType": "JSON", "outputVariableArray": []any{},
	}
}

func encodeParse(ex *exporting, n *flow.Node) (string, props) {
	return "parse-activity", props{"inputVariable": ex.write(n, "input", n.In["input"]), "contentType": flow.Source(n.In["format"]), "outputVariableArray": outputsOf(n)}
}

func encodeQueue(ex *exporting, n *flow.Node) (string, props) {
	out := props{
		"destination": ex.write(n, "queue", n.In["queue"]), "destination:name": flow.Source(n.In["queueName"]), "destination:type": "LONGEST_AVAILABLE_AGENT",
		"queueRadioGroup": "staticQueue",
	}
	if n.In["hook"].Lit != nil {
		ex.lose(n, "queue", "the queue was chosen by an action before: choose it here")
	}
	if s := ex.write(n, "priority", n.In["priority"]); s != "" {
		out["toggle"], out["priority"] = true, s
	}
	return "queue-contact", out
}

func encodeTransfer(ex *exporting, n *flow.Node) (string, props) {
	out := props{"transfertodn": ex.write(n, "number", n.In["number"])}
	times(out, n, "timeout", "timeoutMS")
	if n.In["bridged"].Lit == true {
		return "bridged-transfer", out
	}
	return "blind-transfer", out
}

func encodePop(ex *exporting, n *flow.Node) (string, props) {
	_, out := fields("", "screenPopUrl", "url", "screenPopDesktopLabel", "label", "target", "target")(ex, n)
	out["queryParameters"] = ex.pairs(n, "query")
	return "screen-pop", out
}

func encodeSplit(_ *exporting, n *flow.Node) (string, props) {
	list := []any{}
	for _, w := range n.In["weights"].List {
		list = append(list, map[string]any{"desc": flow.Source(w.Map["label"]), "percent": flow.Source(w.Map["percent"])})
	}
	return "percent-allocation", props{"allocations": list}
}

func encodeWait(ex *exporting, n *flow.Node) (string, props) {
	s := secondsOf(n.In["durationMS"])
	if v, ok := n.In["seconds"]; ok {
		s = ex.write(n, "seconds", v)
	}
	return "wait-activity", props{"duration": s}
}

package webex

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// how says how well an activity is understood.
type how int

const (
	unsupported how = iota
	mapped
	approximated
)

// convert fills in what a node does from an activity's properties.
func convert(n *flow.Node, p props) how {
	switch n.Type {
	case "start", "start-subflow", "NewSubFlowStart":
		n.Op = flow.OpStart
		return mapped
	case "event":
		n.Op = flow.OpEvent
		n.In["event"] = flow.Value{Lit: p.text("displayName")}
		return mapped
	case "end":
		n.Op = flow.OpEnd
		return mapped
	case "disconnect-contact":
		n.Op = flow.OpHangup
		return mapped
	}
	if fn := media[n.Type]; fn != nil {
		return fn(n, p)
	}
	if fn := logic[n.Type]; fn != nil {
		return fn(n, p)
	}
	if fn := routing[n.Type]; fn != nil {
		return fn(n, p)
	}
	return unsupported
}

// media, logic and routing are the activities by name. They are never changed.
var (
	media = map[string]func(*flow.Node, props) how{
		"play-message": say, "play-music": music, "ivr-menu": menu, "ivr-collectdigits": collect,
		"ivr-virtualassistant": bot, "ivr-virtualassistantvoice": bot, "virtual-agent-v2": bot,
		"start-media-stream": pass, "RecordingControl": recordingControl, "SetCallerID": callerID, "set-whisperannouncement": pass,
		"set-announcement": pass, "Feedback": pass, "Feedback-V2": pass, "send-digits": sendDigits, "escalate-cdg": pass, "record": recordMessage,
	}
	logic = map[string]func(*flow.Node, props) how{
		"set-variable": set, "condition-activity": condition, "case-statement": cases, "http-request-v2": request, "http-request": request,
		"parse-activity": parse, "percent-allocation": split, "wait-activity": pause, "business-hours": hours,
		"hand-off": handOff, "subflow-handoff": subflow, "end-subflow": endSub, "fn-activity": function,
		"cryptographic-hash": hash, "generate-otp": generateOTP, "verify-otp": verifyOTP,
	}
	routing = map[string]func(*flow.Node, props) how{
		"queue-contact": queue, "queue-to-agent": queueAgent, "queue-lookup": queueInfo, "advanced-queue-info": nearly(queueInfo), "callback": callback, "scheduled-callback": nearly(callback),
		"screen-pop": pop, "blind-transfer": transfer, "bridged-transfer": transfer, "set-contact-priority": priority,
	}
)

// nearly marks an activity that we run as a simpler one of its kind.
func nearly(fn func(*flow.Node, props) how) func(*flow.Node, props) how {
	return func(n *flow.Node, p props) how {
		fn(n, p)
		return approximated
	}
}

// portOf names a port in our terms.
func portOf(n *flow.Node, name string) flow.Port {
	if p, ok := specialPort(n, name); ok {
		return p
	}
	switch strings.ToLower(name) {
	case "", "out", "default":
		return flow.PortOK
	case "true":
		return flow.PortTrue
	case "false":
		return flow.PortFalse
	case "timeout", "noinputtimeout":
		return flow.PortTimeout
	case "invalid":
		return flow.PortNoMatch
	case "failure":
		return flow.PortFailure
	case "resend":
		return flow.PortResend
	case "error", "errored", "undefinederrors":
		return flow.PortError
	case "insufficientdata":
		return flow.PortInsufficient
	case "ended", "handled":
		return flow.PortDone
	case "escalate", "escalated":
		return flow.PortEscalate
	}
	return flow.Port(name)
}

// specialPort names the ports that depend on what the node does.
func specialPort(n *flow.Node, name string) (flow.Port, bool) {
	switch n.Op {
	case flow.OpMenu:
		for _, d := range n.In["digits"].List {
			if d.Lit == name {
				return flow.PortDigit(name), true
			}
		}
	case flow.OpCase:
		if strings.EqualFold(name, "default") {
			return flow.PortNoMatch, true
		}
		return casePort(n, name)
	case flow.OpHours:
		switch strings.ToLower(name) {
		case "workinghours":
			return flow.PortHoursWork, true
		case "holidays":
			return flow.PortHoursHoliday, true
		case "override":
			return flow.PortHoursSpecial, true
		}
	case flow.OpSplit:
		if !strings.EqualFold(name, "error") {
			return flow.PortShare(name), true
		}
	default: // has the ports every activity has
	}
	return "", false
}

// casePort finds a case by its port's name, which is the case's number, and in FlowV2 its value.
func casePort(n *flow.Node, name string) (flow.Port, bool) {
	links := n.In["links"].List
	seen := make(map[flow.Port]int)
	byValue := flow.Port("")
	for i, c := range n.In["cases"].List {
		p := flow.CasePort(seen, c)
		if i < len(links) && links[i].Lit == name {
			return p, true
		}
		if byValue == "" && (c.Lit == name || c.Src == name && name != "") {
			byValue = p
		}
	}
	return byValue, byValue != ""
}

func texts(list []string, field string) flow.Value {
	out := make([]flow.Value, len(list))
	for i, s := range list {
		out[i] = input(s, field+"["+strconv.Itoa(i)+"]")
	}
	return flow.Value{List: out, Field: field}
}

func set(n *flow.Node, p props) how {
	n.Op = flow.OpSet
	list := p.list("setVariablesArray")
	if len(list) == 0 {
		n.In["sets"] = flow.Value{List: []flow.Value{assignment(p, "")}}
		return mapped
	}
	var out []flow.Value
	for i, item := range list {
		out = append(out, assignment(asProps(item), "setVariablesArray["+strconv.Itoa(i)+"]."))
	}
	n.In["sets"] = flow.Value{List: out}
	return mapped
}

// assignment reads one assignment. The newer form repeats a literal in "expr" and "literal".
func assignment(p props, prefix string) flow.Value {
	key := "expr"
	toVariable := p.text("setTo") == "set-to-variable"
	if !toVariable && !p.has("expr") && p["literal"] != nil {
		key = "literal"
	}
	m := map[string]flow.Value{
		"var":   {Lit: p.text("srcVariable"), Field: prefix + "srcVariable"},
		"value": input(p.text(key), prefix+key),
	}
	if toVariable {
		m["from"] = flow.Lit("var")
	}
	return flow.Value{Map: m}
}

func condition(n *flow.Node, p props) how {
	n.Op = flow.OpCond
	n.In["expr"] = p.value("expression")
	return mapped
}

func cases(n *flow.Node, p props) how {
	n.Op = flow.OpCase
	n.In["expr"] = p.variable("expression")
	links := p.texts("menuLinks")
	n.In["links"] = texts(links, "menuLinks")
	vals, field := p.texts("menuLinks_input"), "menuLinks_input"
	if len(vals) == 0 {
		vals, field = p.texts("menuLinks:input"), "menuLinks:input"
	}
	if len(vals) == 0 {
		vals, field = links, "menuLinks"
	}
	n.In["cases"] = texts(vals, field)
	return mapped
}

func request(n *flow.Node, p props) how {
	n.Op = flow.OpHTTP
	if p.flag("authenticated") || !p.has("httpRequestUrl") {
		n.In["connector"] = flow.Value{Lit: p.text("connectorId"), Field: "connectorId"}
		n.In["connectorName"] = flow.Value{Lit: p.twin("connectorId", "name"), Field: "connectorId:name"}
		n.In["path"] = p.value("httpRequestPath")
	}
	if !p.has("httpRequestPath") || !p.flag("authenticated") {
		n.In["url"] = p.value("httpRequestUrl")
	}
	n.In["method"] = flow.Value{Lit: p.text("httpRequestMethod"), Field: "httpRequestMethod"}
	n.In["headers"] = p.values("httpRequestHeaders")
	n.In["query"] = p.values("httpQueryParameters")
	n.In["body"] = p.value("httpRequestBody")
	n.In["contentType"] = flow.Value{Lit: p.text("httpContentType"), Field: "httpContentType"}
	n.In["parse"] = flow.Value{Lit: p.text("contentType"), Field: "contentType"}
	if p.has("httpResponseTimeout") {
		n.In["timeoutMS"] = flow.Value{Lit: p.text("httpResponseTimeout"), Field: "httpResponseTimeout"}
	}
	if p.has("retryAttempts") {
		n.In["retries"] = flow.Value{Lit: p.text("retryAttempts"), Field: "retryAttempts"}
	}
	return outputs(n, p)
}

// outputs reads which part of an answer goes into which variable. "Select" without a path is an empty row of the editor.
func outputs(n *flow.Node, p props) how {
	binds(n, p, "outputVariableArray")
	switch strings.ToUpper(p.text("contentType")) {
	case "XML", "TOML", "YAML":
		if len(n.Out) > 0 {
			return approximated
		}
	}
	return mapped
}

func binds(n *flow.Node, p props, key string) {
	for i, item := range p.list(key) {
		o := asProps(item)
		name, path := o.text("outputVariable"), strings.TrimSpace(o.text("jsonPathExp"))
		if name == "" || path == "" {
			continue
		}
		n.Out = append(n.Out, flow.Bind{Path: path, Var: name, Field: fmt.Sprintf("%s[%d].jsonPathExp", key, i)})
	}
}

func parse(n *flow.Node, p props) how {
	n.Op = flow.OpParse
	n.In["input"] = p.value("inputVariable")
	n.In["format"] = flow.Value{Lit: p.text("contentType"), Field: "contentType"}
	return outputs(n, p)
}

func split(n *flow.Node, p props) how {
	n.Op = flow.OpSplit
	var out []flow.Value
	for i, item := range p.list("allocations") {
		a := asProps(item)
		label := cmp.Or(a.text("desc"), strconv.Itoa(i))
		out = append(out, flow.Value{Map: map[string]flow.Value{
			"label": flow.Lit(label), "percent": {Lit: a.text("percent"), Field: fmt.Sprintf("allocations[%d].percent", i)},
		}})
	}
	n.In["weights"] = flow.Value{List: out, Field: "allocations"}
	return mapped
}

// pause reads a duration that is written HH:MM:SS or in seconds.
func pause(n *flow.Node, p props) how {
	n.Op = flow.OpWait
	sec := 0.0
	for part := range strings.SplitSeq(p.text("duration"), ":") {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || f < 0 || f > 1e6 {
			return unsupported
		}
		sec = sec*60 + f
	}
	n.In["durationMS"] = flow.Value{Lit: strconv.FormatFloat(sec*1000, 'f', 0, 64), Field: "duration"}
	return mapped
}

func hours(n *flow.Node, p props) how {
	n.Op = flow.OpHours
	n.In["hours"] = p.value("businessHoursId")
	if !p.has("businessHoursId") {
		n.In["hours"] = p.variable("businessHoursVariable")
	}
	n.In["hoursName"] = flow.Value{Lit: p.twin("businessHoursId", "name")}
	return mapped
}

func handOff(n *flow.Node, p props) how {
	n.Op = flow.OpGoto
	key := firstKey(p, "handOffFlow", "handOffEntryPoint", "flowId", "flowVariable")
	n.In["flow"] = p.value(key)
	n.In["flowName"] = flow.Value{Lit: p.twin(key, "name")}
	return mapped
}

func subflow(n *flow.Node, p props) how {
	n.Op = flow.OpSub
	if version := p.obj("subflowVersion"); version.has("id") {
		n.In["flow"] = input(version.text("id"), "subflowVersion.id")
		n.In["flowName"] = flow.Value{Lit: cmp.Or(version.text("name"), p.text("subflowName"))}
	} else {
		key := firstKey(p, "subflowId", "handOffFlow", "flowId")
		n.In["flow"] = p.value(key)
		n.In["flowName"] = flow.Value{Lit: p.twin(key, "name")}
	}
	n.In["inputs"] = arguments(p, "subflowInputVariables")
	for _, item := range p.list("subflowOutputVariables") {
		o := asProps(item)
		name, from := o.text("outputVariable"), cmp.Or(o.text("target"), o.text("src"))
		if name != "" && from != "" {
			n.Out = append(n.Out, flow.Bind{Path: flow.PathOfVar(from), Var: name})
		}
	}
	return approximated
}

// arguments reads what a function or a subflow is given: variables by bare names.
func arguments(p props, key string) flow.Value {
	m := make(map[string]flow.Value)
	for i, item := range p.list(key) {
		a := asProps(item)
		if name := a.text("target"); name != "" {
			v := a.variable("src")
			v.Field = fmt.Sprintf("%s[%d].src", key, i)
			m[name] = v
		}
	}
	return flow.Value{Map: m, Field: key}
}

// function reads a call of a function of the organisation. Exports may lack its name.
func function(n *flow.Node, p props) how {
	n.Op = flow.OpFunction
	version := p.obj("fnVersionConfig")
	n.In["function"] = input(version.text("id"), "fnVersionConfig.id")
	n.In["functionName"] = flow.Value{Lit: p.text("fnName"), Field: "fnName"}
	n.In["response"] = flow.Lit("JSON")
	n.In["params"] = arguments(p, "fnInputVariables")
	binds(n, p, "fnOutputVariables")
	return mapped
}

func hash(n *flow.Node, p props) how {
	n.Op = flow.OpHash
	n.In["input"] = p.value("input")
	n.In["algorithm"] = flow.Value{Lit: p.text("algorithm"), Field: "algorithm"}
	if p.flag("applySalt") {
		n.In["salt"] = p.value("salt")
		n.In["saltEncoding"] = flow.Value{Lit: p.text("saltEncoding"), Field: "saltEncoding"}
	}
	return mapped
}

func generateOTP(n *flow.Node, p props) how {
	n.Op = flow.OpOTP
	n.In["reference"] = p.value("transactionReference")
	n.In["format"] = flow.Value{Lit: p.text("pinFormat"), Field: "pinFormat"}
	n.In["length"], n.In["validSeconds"] = p.value("pinLength"), p.value("pinValidity")
	if strings.EqualFold(p.text("pinResend"), "REUSE_SAME") {
		n.In["reuse"] = flow.Lit(true)
	}
	return mapped
}

func verifyOTP(n *flow.Node, p props) how {
	n.Op = flow.OpVerifyOTP
	n.In["reference"], n.In["otp"], n.In["resend"] = p.value("transactionReference"), p.variable("pin"), p.value("resendCommand")
	return mapped
}

func endSub(n *flow.Node, _ props) how {
	n.Op = flow.OpEndSub
	return mapped
}

// firstKey returns the first of the keys that holds something, else the first.
func firstKey(p props, keys ...string) string {
	for _, k := range keys {
		if p.has(k) {
			return k
		}
	}
	return keys[0]
}

// Types are the activities that run here, in order of their names.
func Types() []string {
	out := []string{"start", "event", "end", "disconnect-contact"}
	for _, list := range []map[string]func(*flow.Node, props) how{media, logic, routing} {
		out = slices.AppendSeq(out, maps.Keys(list))
	}
	slices.Sort(out)
	return out
}

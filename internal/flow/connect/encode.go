package connect

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// add writes a node that the document does not have.
func (ex *exporting) add(n *flow.Node) {
	ex.changed = true
	typ, params := ex.encode(n)
	if typ == "" {
		return
	}
	id := identifier(string(n.ID))
	for i := 2; ex.taken[id]; i++ {
		id = identifier(string(n.ID)) + "-" + strconv.Itoa(i)
	}
	ex.taken[id] = true
	o := map[string]any{"Identifier": id, "Type": typ, "Parameters": map[string]any(params), "Transitions": map[string]any{}}
	ex.objs[n.ID], ex.ids[n.ID] = o, id
	ex.append(o)
	if n.Op == flow.OpQueue && n.In["hook"].Lit == nil { // the queue is chosen by an action of its own
		first := id + "-q"
		ex.append(map[string]any{
			"Identifier": first, "Type": "UpdateContactTargetQueue", "Parameters": map[string]any{"QueueId": ex.write(n, "queue", n.In["queue"])},
			"Transitions": map[string]any{"NextAction": id, "Errors": []any{map[string]any{"NextAction": id, "ErrorType": "NoMatchingError"}}},
		})
		ex.ids[n.ID], ex.taken[first] = first, true
	}
}

func (ex *exporting) append(o map[string]any) {
	key := ex.doc.key("Actions")
	list, _ := ex.doc[key].([]any)
	ex.doc[key] = append(list, o)
}

var notInIdentifier = regexp.MustCompile(`[%:(\\/)=$,;\[\]{}]`)

// identifier makes a name one that an action may have: up to 50 characters, and not those that are reserved.
func identifier(s string) string {
	r := []rune(notInIdentifier.ReplaceAllString(s, "-"))
	return string(r[:min(len(r), 46)])
}

// connect writes the ways out of a node that was added. Those that lead to a node without a form go on to what follows it.
func (ex *exporting) connect(n *flow.Node) {
	o := ex.objs[n.ID]
	if n.Op == flow.OpEnd || n.Op == flow.OpHangup || n.Op == flow.OpEndSub {
		return
	}
	ports := flow.ChangedExits(&flow.Node{}, n)
	if n.Op == flow.OpSplit {
		slices.SortStableFunc(ports, func(a, b flow.Port) int {
			return cmp.Compare(upTo(n, strings.TrimPrefix(string(a), "pct:")), upTo(n, strings.TrimPrefix(string(b), "pct:")))
		})
	}
	for _, port := range ports {
		to := ex.ids[ex.follow(n.Exits[port])]
		if n.Op == flow.OpQueue && port == flow.PortOK {
			ex.lose(n, "", "what is played while waiting is a flow of its own in Amazon Connect: name it by UpdateContactEventHooks")
			continue
		}
		if n.Op == flow.OpHours && port == flow.PortOK {
			port = flow.PortFalse
		}
		if n.Op == flow.OpTransfer && port == flow.PortError && n.Exits[flow.PortFailure] != "" {
			continue
		}
		ex.addExit(o, n, port, to)
	}
}

// follow passes nodes that have no form.
func (ex *exporting) follow(id flow.NodeID) flow.NodeID {
	for range len(ex.f.Nodes) {
		n := ex.f.Nodes[id]
		if n == nil || ex.objs[id] != nil {
			return id
		}
		id = n.Exits[flow.PortOK]
	}
	return id
}

// simpleVar is a template that reads one variable or field.
var simpleVar = regexp.MustCompile(`\{\{\s*([A-Za-z_][\w.]*)\s*\}\}`)

// write turns a value into a text of Amazon Connect.
func (ex *exporting) write(n *flow.Node, field string, v flow.Value) string {
	if v.Dialect != flow.DialectPebble {
		return flow.Source(v)
	}
	out := simpleVar.ReplaceAllStringFunc(v.Src, func(s string) string {
		name := simpleVar.FindStringSubmatch(s)[1]
		root, rest, found := strings.Cut(name, ".")
		if !found {
			return "$.Attributes" + pathOf(name, false)
		}
		if strings.EqualFold(root, "NewPhoneContact") || strings.EqualFold(root, "NewContact") {
			switch strings.ToLower(rest) {
			case "ani":
				return "$.CustomerEndpoint.Address"
			case "dnis", "dn":
				return "$.SystemEndpoint.Address"
			case "interactionid", "contactid":
				return "$.ContactId"
			}
		}
		if from := ex.f.NodeByName(root); from != nil && from.Op == flow.OpCollect {
			return "$.StoredCustomerInput"
		}
		return s
	})
	if strings.Contains(out, "{{") || strings.Contains(out, "{%") {
		ex.lose(n, field, "Amazon Connect has no expressions: %s", v.Src)
	}
	return out
}

// spoken writes prompts, of which an action has one.
func (ex *exporting) spoken(n *flow.Node) props {
	out := props{}
	text := ""
	for _, item := range n.In["prompts"].List {
		s := ex.write(n, "prompts", item.Map["text"])
		switch kind := item.Map["kind"].Lit; {
		case kind == string(flow.PromptFile) && len(n.In["prompts"].List) == 1:
			out["PromptId"] = s
		case kind == string(flow.PromptFile):
			ex.lose(n, "prompts", "an action plays one prompt; %s is left out", s)
		case kind == flow.KindSSML:
			out["SSML"] = s
		default:
			text = strings.TrimSpace(text + " " + s)
		}
	}
	if text != "" && out["SSML"] == nil {
		out["Text"] = text
	}
	return out
}

// seconds writes a time that the model has in milliseconds.
func seconds(v flow.Value, high, def float64) string {
	ms, err := strconv.ParseFloat(flow.Source(v), 64)
	if err != nil {
		return strconv.FormatFloat(def, 'f', -1, 64)
	}
	return strconv.FormatFloat(max(1, min(high, float64(int(ms/1000)))), 'f', -1, 64)
}

// encode writes an operation as an action; "" when there is none like it.
func (ex *exporting) encode(n *flow.Node) (string, props) {
	if fn := encoders[n.Op]; fn != nil {
		return fn(ex, n)
	}
	if n.Op != flow.OpStart {
		ex.lose(n, "", "%s has no form in Amazon Connect; the flow goes on after it", n.Op)
	}
	return "", nil
}

func fixed(typ string) func(*exporting, *flow.Node) (string, props) {
	return func(*exporting, *flow.Node) (string, props) { return typ, props{} }
}

// one writes an operation that has one parameter.
func one(typ, param, in string) func(*exporting, *flow.Node) (string, props) {
	return func(ex *exporting, n *flow.Node) (string, props) {
		return typ, props{param: ex.write(n, in, n.In[in])}
	}
}

// encoders are the operations that Amazon Connect has an action for. It is never changed.
var encoders = map[flow.Op]func(*exporting, *flow.Node) (string, props){
	flow.OpHangup: fixed("DisconnectParticipant"), flow.OpEnd: fixed("EndFlowExecution"), flow.OpEndSub: fixed("EndFlowModuleExecution"),
	flow.OpSplit: fixed("DistributeByPercentage"), flow.OpGoto: one("TransferToFlow", "ContactFlowId", "flow"), flow.OpSub: one("InvokeFlowModule", "FlowModuleId", "flow"),
	flow.OpCompare: one("Compare", "ComparisonValue", "value"), flow.OpLoop: one("Loop", "LoopCount", "count"), flow.OpCase: one("Compare", "ComparisonValue", "expr"),
	flow.OpPriority: one("UpdateContactRoutingBehavior", "QueuePriority", "priority"), flow.OpSay: encodeSay, flow.OpMusic: one("MessageParticipant", "PromptId", "file"),
	flow.OpLoopPrompts: encodeLoopPrompts, flow.OpMenu: encodeInput("False"), flow.OpCollect: encodeInput("True"), flow.OpSet: encodeSet, flow.OpFunction: encodeFunction,
	flow.OpQueue: fixed("TransferContactToQueue"), flow.OpSetQueue: encodeSetQueue, flow.OpRouting: encodeRouting, flow.OpHooks: encodeHooks, flow.OpHours: encodeHours,
	flow.OpMetric: encodeMetric, flow.OpQueueInfo: encodeQueueInfo, flow.OpTransfer: encodeTransfer, flow.OpCallback: encodeCallback, flow.OpWait: encodeWait,
	flow.OpRecord: encodeRecord, flow.OpCond: encodeCond, flow.OpHTTP: encodeHTTP,
}

// equality is a condition that compares one variable with a text.
var equality = regexp.MustCompile(`^\{\{\s*([A-Za-z_][\w.]*)\s*==\s*(?:"([^"]*)"|'([^']*)'|(\d+|true|false))\s*\}\}$`)

// yes is what the true branch of a condition compares with.
func yes(n *flow.Node) (name, value string) {
	if m := equality.FindStringSubmatch(strings.TrimSpace(flow.Source(n.In["expr"]))); m != nil {
		return m[1], m[2] + m[3] + m[4]
	}
	return "", "true"
}

// encodeCond writes a condition as a comparison; one that is more than an equality is left to be written by hand.
func encodeCond(ex *exporting, n *flow.Node) (string, props) {
	name, _ := yes(n)
	if name == "" {
		return "Compare", props{"ComparisonValue": ex.write(n, "expr", n.In["expr"])}
	}
	return "Compare", props{"ComparisonValue": ex.write(n, "expr", flow.Pebble("{{ "+name+" }}", ""))}
}

// encodeHTTP writes a request as a function, which is to be made: it is told what to send.
func encodeHTTP(ex *exporting, n *flow.Node) (string, props) {
	in := map[string]any{"method": flow.Source(n.In["method"])}
	for _, key := range []string{"url", "path", "body"} {
		if v := n.In[key]; flow.Source(v) != "" {
			in[key] = ex.write(n, key, v)
		}
	}
	ex.lose(n, "function", "Amazon Connect sends no requests: make a function that does, and name it here; its outputs are $.External")
	return "InvokeLambdaFunction", props{
		"LambdaFunctionARN": "${" + identifier(n.Name) + "}", "InvocationTimeLimitSeconds": seconds(n.In["timeoutMS"], 8, 3), "LambdaInvocationAttributes": in,
	}
}

func encodeSay(ex *exporting, n *flow.Node) (string, props) {
	return "MessageParticipant", ex.spoken(n)
}

func encodeLoopPrompts(ex *exporting, n *flow.Node) (string, props) {
	list := []any{}
	for _, item := range n.In["prompts"].List {
		key := "Text"
		switch item.Map["kind"].Lit {
		case string(flow.PromptFile):
			key = "PromptId"
		case flow.KindSSML:
			key = "SSML"
		}
		list = append(list, map[string]any{key: ex.write(n, "prompts", item.Map["text"])})
	}
	out := props{"Messages": list}
	if v := n.In["interruptMS"]; flow.Source(v) != "" {
		out["InterruptFrequencySeconds"] = seconds(v, 86_400, 20)
	}
	return "MessageParticipantIteratively", out
}

func encodeInput(store string) func(*exporting, *flow.Node) (string, props) {
	return func(ex *exporting, n *flow.Node) (string, props) {
		out := ex.spoken(n)
		out["StoreInput"], out["InputTimeLimitSeconds"] = store, seconds(n.In["entryTimeoutMS"], 180, 5)
		if store == "True" {
			out["InputValidation"] = map[string]any{"CustomValidation": map[string]any{"MaximumLength": flow.Source(n.In["max"])}}
			dtmf := map[string]any{}
			if s := flow.Source(n.In["terminators"]); s != "" {
				dtmf["InputTerminationSequence"] = s
			}
			if v := n.In["interDigitTimeoutMS"]; flow.Source(v) != "" {
				dtmf["InterdigitTimeLimitSeconds"] = seconds(v, 20, 5)
			}
			out["DTMFConfiguration"] = dtmf
		}
		return "GetParticipantInput", out
	}
}

func encodeSet(ex *exporting, n *flow.Node) (string, props) {
	attrs := map[string]any{}
	for _, item := range n.In["sets"].List {
		name := flow.Source(item.Map["var"])
		v := item.Map["value"]
		switch {
		case strings.HasPrefix(name, "$FlowAttributes."):
			return "UpdateFlowAttributes", props{"FlowAttributes": map[string]any{strings.TrimPrefix(name, "$FlowAttributes."): map[string]any{"Value": flow.Source(v)}}}
		case name == "Global_VoiceName":
			return "UpdateContactTextToSpeechVoice", props{"TextToSpeechVoice": ex.write(n, "sets", v)}
		case name == "Global_Language":
			return "UpdateContactData", props{"LanguageCode": ex.write(n, "sets", v)}
		}
		s := ex.write(n, "sets", v)
		if item.Map["from"].Lit == "var" && v.Dialect == flow.DialectLiteral {
			s = "$.Attributes" + pathOf(flow.Source(v), false)
		}
		attrs[name] = s
	}
	return "UpdateContactAttributes", props{"Attributes": attrs, "TargetContact": "Current"}
}

func encodeFunction(ex *exporting, n *flow.Node) (string, props) {
	out := props{"LambdaFunctionARN": ex.write(n, "function", n.In["function"]), "InvocationTimeLimitSeconds": seconds(n.In["timeoutMS"], 8, 3)}
	in := map[string]any{}
	for name, v := range n.In["params"].Map {
		in[name] = ex.write(n, "params", v)
	}
	out["LambdaInvocationAttributes"] = in
	out["ResponseValidation"] = map[string]any{"ResponseType": cmp.Or(flow.Source(n.In["response"]), "STRING_MAP")}
	return "InvokeLambdaFunction", out
}

func encodeSetQueue(ex *exporting, n *flow.Node) (string, props) {
	if v, ok := n.In["agent"]; ok {
		return "UpdateContactTargetQueue", props{"AgentId": ex.write(n, "agent", v)}
	}
	return "UpdateContactTargetQueue", props{"QueueId": ex.write(n, "queue", n.In["queue"])}
}

func encodeRouting(ex *exporting, n *flow.Node) (string, props) {
	if s := ex.write(n, "priority", n.In["priority"]); s != "" {
		return "UpdateContactRoutingBehavior", props{"QueuePriority": s}
	}
	return "UpdateContactRoutingBehavior", props{"QueueTimeAdjustmentSeconds": ex.write(n, "adjustSeconds", n.In["adjustSeconds"])}
}

func encodeHooks(ex *exporting, n *flow.Node) (string, props) {
	hooks := map[string]any{}
	for name, v := range n.In["hooks"].Map {
		hooks[name] = ex.write(n, "hooks", v)
	}
	return "UpdateContactEventHooks", props{"EventHooks": hooks}
}

func encodeHours(ex *exporting, n *flow.Node) (string, props) {
	if s := ex.write(n, "hours", n.In["hours"]); s != "" {
		return "CheckHoursOfOperation", props{"HoursOfOperationId": s}
	}
	return "CheckHoursOfOperation", props{}
}

func encodeMetric(ex *exporting, n *flow.Node) (string, props) {
	out := props{}
	if s := ex.write(n, "queue", n.In["queue"]); s != "" {
		out["QueueId"] = s
	}
	if s := ex.write(n, "metric", n.In["metric"]); s != "" {
		out["MetricType"] = s
		return "CheckMetricData", out
	}
	return "GetMetricData", out
}

func encodeQueueInfo(ex *exporting, n *flow.Node) (string, props) {
	return "GetMetricData", props{"QueueId": ex.write(n, "queue", n.In["queue"])}
}

func encodeTransfer(ex *exporting, n *flow.Node) (string, props) {
	out := props{
		"ThirdPartyPhoneNumber": ex.write(n, "number", n.In["number"]), "ThirdPartyConnectionTimeLimitSeconds": seconds(n.In["timeoutMS"], 600, 30),
		"ContinueFlowExecution": "False",
	}
	if n.In["bridged"].Lit == true {
		out["ContinueFlowExecution"] = "True"
	}
	return "TransferParticipantToThirdParty", out
}

func encodeCallback(ex *exporting, n *flow.Node) (string, props) {
	out := props{"InitialCallDelaySeconds": "5", "MaximumConnectionAttempts": "1", "RetryDelaySeconds": "60"}
	if s := ex.write(n, "queue", n.In["queue"]); s != "" {
		out["QueueId"] = s
	}
	if s := flow.Source(n.In["number"]); s != "" && s != "$.CustomerCallBackPhoneNumber" {
		ex.lose(n, "number", "the number is chosen by an action of its own in Amazon Connect: put UpdateContactCallbackNumber before it")
	}
	return "CreateCallbackContact", out
}

func encodeWait(ex *exporting, n *flow.Node) (string, props) {
	if v, ok := n.In["seconds"]; ok {
		return "Wait", props{"TimeLimitSeconds": ex.write(n, "seconds", v)}
	}
	return "Wait", props{"TimeLimitSeconds": seconds(n.In["durationMS"], 604_800, 60)}
}

func encodeRecord(_ *exporting, n *flow.Node) (string, props) {
	who := []any{}
	for _, v := range n.In["participants"].List {
		who = append(who, flow.Source(v))
	}
	return "UpdateContactRecordingBehavior", props{"RecordingBehavior": map[string]any{"RecordedParticipants": who}}
}

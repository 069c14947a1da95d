package connect

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// translate turns an older export into a document of the Flow language. It knows the 33 types of modules that the older
// editor had; any other becomes an action of its own type. The result has an action for each module, in the same order.
func translate(old props) (doc props, sources []source) {
	sources = []source{}
	var actions []any
	meta := map[string]any{}
	for _, item := range old.list("modules") {
		m := &step{props: asProps(item), meta: map[string]any{}}
		typ, params := m.action()
		trans := m.transitions(typ)
		actions = append(actions, map[string]any{
			"Identifier": m.text("id"), "Type": typ, "Parameters": map[string]any(params), "Transitions": trans,
		})
		if pos := m.obj("metadata").get("position"); pos != nil {
			m.meta["position"] = pos
		}
		meta[m.text("id")] = m.meta
		sources = append(sources, source{typ: m.text("type"), raw: item})
	}
	md := map[string]any{"ActionMetadata": meta}
	oldMeta := old.obj("metadata")
	for _, key := range []string{"entryPointPosition", "name", "description", "type", "status", "hash"} {
		if v, ok := oldMeta[key]; ok && v != nil {
			md[key] = v
		}
	}
	if md["type"] == nil && old.has("type") {
		md["type"] = old.text("type")
	}
	return props{"Version": "2019-10-30", "StartAction": old.text("start"), "Actions": actions, "Metadata": md}, sources
}

// step is one step of an older export.
type step struct {
	props
	meta map[string]any // what the newer editor keeps beside the action
}

// param finds a parameter by its name.
func (m *step) param(name string) props {
	for _, item := range m.list("parameters") {
		if p := asProps(item); p.text("name") == name {
			return p
		}
	}
	return nil
}

// value is a parameter as the Flow language writes it.
func (m *step) value(name string) string { return dynamicOf(m.param(name)) }

// first is the first of the parameters that holds something.
func (m *step) first(names ...string) string {
	for _, name := range names {
		if v := m.value(name); v != "" {
			return v
		}
	}
	return ""
}

// dynamicOf writes a parameter with its namespace as a reference.
func dynamicOf(p props) string {
	return reference(p.text("namespace"), anyText(p["value"]))
}

// systemNames are the older names of what comes with the contact ("System" attributes).
var systemNames = map[string]string{
	"customer number": "$.CustomerEndpoint.Address", "dialed number": "$.SystemEndpoint.Address", "stored customer input": "$.StoredCustomerInput",
	"customer callback number": "$.CustomerCallBackPhoneNumber", "queue name": "$.Queue.Name", "queue arn": "$.Queue.ARN", "text to speech voice": "$.TextToSpeechVoiceId",
	"contactid": "$.ContactId", "contact id": "$.ContactId", "initial contact id": "$.InitialContactId", "previous contact id": "$.PreviousContactId",
	"channel": "$.Channel", "instance arn": "$.InstanceARN", "initiation method": "$.InitiationMethod", "aws region": "$.AwsRegion", "language": "$.LanguageCode",
	"queue outbound number": "$.Queue.OutboundCallerId.Address", "queue.name": "$.Queue.Name", "queue.arn": "$.Queue.ARN",
}

// reference writes a name in one of the older namespaces as a reference.
func reference(namespace, name string) string {
	if namespace == "" || name == "" || strings.HasPrefix(name, "$.") {
		return name
	}
	switch strings.ToLower(namespace) {
	case "system":
		if s := systemNames[strings.ToLower(strings.TrimSpace(name))]; s != "" {
			return s
		}
		return "$" + pathOf(name, true)
	case "user defined":
		return "$.Attributes" + pathOf(name, false)
	case "external":
		return "$.External" + pathOf(name, true)
	case "lex", "lex.slots", "lex.sessionattributes", "lex slots", "lex attributes":
		prefix := map[string]string{"lex": "", "lex.slots": ".Slots", "lex slots": ".Slots", "lex.sessionattributes": ".SessionAttributes", "lex attributes": ".SessionAttributes"}
		return "$.Lex" + prefix[strings.ToLower(namespace)] + pathOf(name, true)
	case "media streams":
		return "$.MediaStreams" + pathOf(name, true)
	case "queue metrics", "metrics":
		return "$.Metrics" + pathOf(name, true)
	case "agent":
		return "$.Agent" + pathOf(name, true)
	}
	return "$." + strings.ReplaceAll(namespace, " ", "") + pathOf(name, true)
}

// plainName is a name, or several with points between, that needs no quotes in a reference.
var plainName = regexp.MustCompile(`^[\w.\-\x{80}-\x{10FFFF}]+$`)

// pathOf writes a name as part of a reference: as .name, or as ['name'] when it has other characters.
func pathOf(name string, nested bool) string {
	plain := plainName.MatchString(name) && (nested || !strings.Contains(name, "."))
	if plain && !strings.HasSuffix(name, ".") && !strings.HasSuffix(name, "-") && !strings.HasPrefix(name, ".") {
		return "." + name
	}
	return "['" + strings.ReplaceAll(name, "'", "") + "']"
}

// action translates what a module does.
func (m *step) action() (typ string, params props) {
	if fn := legacyTypes[m.text("type")]; fn != nil {
		return fn(m)
	}
	params = props{}
	for _, item := range m.list("parameters") {
		p := asProps(item)
		params[cmp.Or(p.text("name"), "Parameter")] = dynamicOf(p)
	}
	return m.text("type"), params
}

func plainAction(typ string) func(*step) (string, props) {
	return func(*step) (string, props) { return typ, props{} }
}

// legacyTypes translates the modules by type. It is never changed.
var legacyTypes = map[string]func(*step) (string, props){
	"Disconnect": plainAction("DisconnectParticipant"), "Resume": plainAction("EndFlowExecution"), "End": plainAction("EndFlowExecution"),
	"EndFlowExecution": plainAction("EndFlowExecution"), "PlayPrompt": legacyPrompt, "LoopPrompts": legacyLoopPrompts,
	"GetUserInput": legacyInput, "StoreUserInput": legacyStore, "SetAttributes": legacyAttributes, "CheckAttribute": legacyCheck,
	"InvokeExternalResource": legacyLambda, "SetQueue": legacySetQueue, "Transfer": legacyTransfer, "SetLoggingBehavior": legacyLogging,
	"SetRecordingBehavior": legacyRecording, "SetVoice": legacyVoice, "Loop": legacyLoop, "Wait": legacyWait, "SetContactFlow": legacyHook,
	"SetEventHook": legacyHook, "CheckHoursOfOperation": legacyHours, "CheckStaffing": legacyStaffing, "CheckQueueStatus": legacyQueueStatus,
	"GetMetrics": legacyGetMetrics, "GetQueueMetrics": legacyGetMetrics, "UpdateRoutingPriority": legacyPriority, "SetRoutingPriority": legacyPriority,
	"SetCallBackNumber": legacyCallbackNumber, "SetCallbackNumber": legacyCallbackNumber, "StartMediaStreaming": legacyStreaming("Enabled"),
	"StopMediaStreaming": legacyStreaming("Disabled"), "DistributeByPercentage": plainAction("DistributeByPercentage"), "SplitByPercentage": plainAction("DistributeByPercentage"),
}

// prompt writes what a module plays.
func (m *step) prompt() props {
	out := props{}
	if v := m.value("Text"); v != "" {
		key := "Text"
		if strings.EqualFold(m.value("TextToSpeechType"), "ssml") {
			key = "SSML"
		}
		out[key] = v
	}
	if p := m.param("AudioPrompt"); p != nil && out["Text"] == nil && out["SSML"] == nil {
		out["PromptId"] = cmp.Or(dynamicOf(p), p.text("resourceName"))
		m.shown("PromptId", p)
	}
	return out
}

// shown keeps the name that the editor showed for what a parameter refers to.
func (m *step) shown(param string, p props) {
	name := p.text("resourceName")
	if name == "" {
		return
	}
	all, _ := m.meta["parameters"].(map[string]any)
	if all == nil {
		all = map[string]any{}
		m.meta["parameters"] = all
	}
	all[param] = map[string]any{"displayName": name}
}

func legacyPrompt(m *step) (string, props) { return "MessageParticipant", m.prompt() }

func legacyLoopPrompts(m *step) (string, props) {
	var list []any
	for _, item := range m.list("parameters") {
		p := asProps(item)
		switch p.text("name") {
		case "Text":
			key := "Text"
			if strings.EqualFold(p.text("key"), "ssml") {
				key = "SSML"
			}
			list = append(list, map[string]any{key: dynamicOf(p)})
		case "AudioPrompt":
			list = append(list, map[string]any{"PromptId": cmp.Or(dynamicOf(p), p.text("resourceName"))})
		}
	}
	out := props{"Messages": list}
	if v := m.first("InterruptSeconds", "TimeoutSeconds", "Timeout"); v != "" {
		out["InterruptFrequencySeconds"] = v
	}
	return "MessageParticipantIteratively", out
}

func legacyInput(m *step) (string, props) {
	out := m.prompt()
	if strings.EqualFold(m.text("target"), "Lex") || m.param("BotName") != nil {
		bot := map[string]any{"Name": m.value("BotName"), "Alias": m.value("BotAlias"), "Region": m.value("BotRegion")}
		out["LexBot"] = bot
		if attrs := m.keyed("Parameter"); len(attrs) > 0 {
			out["LexSessionAttributes"] = attrs
		}
		return "ConnectParticipantWithLexBot", out
	}
	out["StoreInput"], out["InputTimeLimitSeconds"] = "False", cmp.Or(m.value("Timeout"), "5")
	return "GetParticipantInput", out
}

func legacyStore(m *step) (string, props) {
	out := m.prompt()
	out["StoreInput"], out["InputTimeLimitSeconds"] = "True", cmp.Or(m.value("Timeout"), "5")
	if kind := m.value("CustomerInputType"); strings.Contains(strings.ToLower(kind), "phone") {
		format := "E164"
		if strings.Contains(strings.ToLower(kind+m.first("PhoneNumberFormat", "NumberFormat")), "local") {
			format = "Local"
		}
		out["InputValidation"] = map[string]any{"PhoneNumberValidation": map[string]any{"NumberFormat": format, "CountryCode": m.value("CountryCode")}}
	} else {
		out["InputValidation"] = map[string]any{"CustomValidation": map[string]any{"MaximumLength": cmp.Or(m.value("MaxDigits"), "20")}}
	}
	dtmf := map[string]any{"DisableCancelKey": capital(cmp.Or(m.value("DisableCancel"), "false"))}
	if v := m.value("TerminatorDigits"); v != "" {
		dtmf["InputTerminationSequence"] = v
	}
	if v := m.first("InterdigitTimeout", "InterDigitTimeout"); v != "" {
		dtmf["InterdigitTimeLimitSeconds"] = v
	}
	out["DTMFConfiguration"] = dtmf
	if strings.EqualFold(m.value("EncryptEntry"), "true") {
		out["InputEncryption"] = map[string]any{"EncryptionKeyId": m.value("EncryptionKeyId"), "Key": m.value("EncryptionKey")}
	}
	return "GetParticipantInput", out
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// keyed gathers the parameters of a name by their key.
func (m *step) keyed(name string) map[string]any {
	out := map[string]any{}
	for _, item := range m.list("parameters") {
		if p := asProps(item); p.text("name") == name && p.has("key") {
			out[p.text("key")] = dynamicOf(p)
		}
	}
	return out
}

func legacyAttributes(m *step) (string, props) {
	return "UpdateContactAttributes", props{"Attributes": m.keyed("Attribute")}
}

func legacyCheck(m *step) (string, props) {
	return "Compare", props{"ComparisonValue": reference(m.value("Namespace"), m.value("Attribute"))}
}

func legacyLambda(m *step) (string, props) {
	out := props{"LambdaFunctionARN": m.value("FunctionArn"), "InvocationTimeLimitSeconds": cmp.Or(m.value("TimeLimit"), "3")}
	if in := m.keyed("Parameter"); len(in) > 0 {
		out["LambdaInvocationAttributes"] = in
	}
	m.shown("LambdaFunctionARN", m.param("FunctionArn"))
	return "InvokeLambdaFunction", out
}

// queueOrAgent writes the queue or the agent that a module names.
func (m *step) queueOrAgent() props {
	out := props{}
	if p := m.param("Agent"); p != nil && dynamicOf(p) != "" {
		out["AgentId"] = dynamicOf(p)
	}
	if p := m.param("Queue"); p != nil {
		out["QueueId"] = cmp.Or(dynamicOf(p), p.text("resourceName"))
		m.shown("QueueId", p)
	}
	return out
}

func legacySetQueue(m *step) (string, props) { return "UpdateContactTargetQueue", m.queueOrAgent() }

func legacyTransfer(m *step) (string, props) {
	switch strings.ToLower(m.text("target")) {
	case "flow", "contactflow":
		p := m.param("ContactFlowId")
		m.shown("ContactFlowId", p)
		return "TransferToFlow", props{"ContactFlowId": cmp.Or(dynamicOf(p), p.text("resourceName"))}
	case "phonenumber":
		out := props{
			"ThirdPartyPhoneNumber": m.value("PhoneNumber"), "ThirdPartyConnectionTimeLimitSeconds": cmp.Or(m.value("TimeLimit"), "30"),
			"ContinueFlowExecution": "True",
		}
		if m.param("BlindTransfer").flag("value") {
			out["ContinueFlowExecution"] = "False"
		}
		if v := m.first("SendDigits", "DTMF", "Digits"); v != "" {
			out["ThirdPartyDTMFDigits"] = v
		}
		if v := m.first("CallerId", "CallerIdNumber"); v != "" {
			out["CallerId"] = map[string]any{"Number": v}
		}
		return "TransferParticipantToThirdParty", out
	case "callback", "callbackqueue":
		out := m.queueOrAgent()
		for to, from := range map[string]string{"InitialCallDelaySeconds": "InitialDelay", "RetryDelaySeconds": "RetryDelay", "MaximumConnectionAttempts": "MaxRetryAttempts"} {
			if v := m.first(from, to); v != "" {
				out[to] = v
			}
		}
		return "CreateCallbackContact", out
	}
	return "TransferContactToQueue", props{}
}

func legacyLogging(m *step) (string, props) {
	state := "Enabled"
	if strings.HasPrefix(strings.ToLower(m.value("LoggingBehavior")), "disable") {
		state = "Disabled"
	}
	return "UpdateFlowLoggingBehavior", props{"FlowLoggingBehavior": state}
}

func legacyRecording(m *step) (string, props) {
	who := []any{}
	if !strings.HasPrefix(strings.ToLower(m.value("RecordingBehaviorOption")), "disable") {
		switch m.value("RecordingParticipantOption") {
		case "Agent":
			who = []any{"Agent"}
		case "Customer":
			who = []any{"Customer"}
		case "None":
		default:
			who = []any{"Agent", "Customer"}
		}
	}
	return "UpdateContactRecordingBehavior", props{"RecordingBehavior": map[string]any{"RecordedParticipants": who}}
}

func legacyVoice(m *step) (string, props) {
	return "UpdateContactTextToSpeechVoice", props{"TextToSpeechVoice": m.first("GlobalVoice", "Voice")}
}

func legacyLoop(m *step) (string, props) { return "Loop", props{"LoopCount": m.value("LoopCount")} }

func legacyWait(m *step) (string, props) {
	out := props{"TimeLimitSeconds": m.first("TimeoutSeconds", "Timeout")}
	if strings.EqualFold(m.value("InterruptOnCustomerReturn"), "true") {
		out["Events"] = []any{"CustomerReturned"}
	}
	return "Wait", out
}

func legacyHook(m *step) (string, props) {
	p := m.param("ContactFlowId")
	hook := cmp.Or(m.value("Type"), "CustomerQueue")
	if name := p.text("resourceName"); name != "" {
		m.meta["contactFlow"] = map[string]any{"text": name}
	}
	return "UpdateContactEventHooks", props{"EventHooks": map[string]any{hook: cmp.Or(dynamicOf(p), p.text("resourceName"))}}
}

func legacyHours(m *step) (string, props) {
	p := m.param("Hours")
	if p == nil {
		return "CheckHoursOfOperation", props{}
	}
	m.shown("HoursOfOperationId", p)
	return "CheckHoursOfOperation", props{"HoursOfOperationId": cmp.Or(dynamicOf(p), p.text("resourceName"))}
}

func legacyStaffing(m *step) (string, props) {
	out := m.queueOrAgent()
	out["MetricType"] = "NumberOfAgents" + capital(cmp.Or(m.value("Status"), "Available"))
	return "CheckMetricData", out
}

func legacyQueueStatus(m *step) (string, props) {
	out := m.queueOrAgent()
	out["MetricType"] = "NumberOfContactsInQueue"
	for _, item := range m.list("branches") {
		if asProps(item).text("condition") == "CheckQueueTime" {
			out["MetricType"] = "OldestContactInQueueAgeSeconds"
		}
	}
	return "CheckMetricData", out
}

func legacyGetMetrics(m *step) (string, props) { return "GetMetricData", m.queueOrAgent() }

func legacyPriority(m *step) (string, props) {
	if v := m.value("AbsolutePosition"); v != "" {
		return "UpdateContactRoutingBehavior", props{"QueuePriority": v}
	}
	return "UpdateContactRoutingBehavior", props{"QueueTimeAdjustmentSeconds": m.first("RelativePosition", "TimeAdjustment", "RoutingAge", "Adjustment")}
}

func legacyCallbackNumber(m *step) (string, props) {
	return "UpdateContactCallbackNumber", props{"CallbackNumber": m.first("CallBackNumber", "CallbackNumber", "PhoneNumber", "Number")}
}

func legacyStreaming(state string) func(*step) (string, props) {
	return func(*step) (string, props) {
		return "UpdateContactMediaStreamingBehavior", props{"MediaStreamingState": state, "MediaStreamType": "Audio"}
	}
}

// legacyErrors are the branches that become errors, by condition.
var legacyErrors = map[string]string{
	"error": "NoMatchingError", "nomatch": "NoMatchingCondition", "atcapacity": "QueueAtCapacity", "invalidnumber": "InvalidPhoneNumber",
	"invalid": "InvalidPhoneNumber", "notdialable": "CallbackNumberNotDialable", "callfailure": "CallFailed", "callfailed": "CallFailed",
	"connectiontimelimitexceeded": "ConnectionTimeLimitExceeded",
}

// legacyResults are the branches that become conditions on the result.
var legacyResults = map[string]string{
	"true": "True", "looping": "ContinueLooping", "complete": "DoneLooping", "customerreturn": "CustomerReturned", "customerreturned": "CustomerReturned",
	"interrupted": "MessagesInterrupted", "botparticipantdisconnected": "BotParticipantDisconnected",
}

// legacyOperators are the older names of the operators.
var legacyOperators = map[string]string{
	"": "Equals", "equals": "Equals", "contains": "TextContains", "startswith": "TextStartsWith", "endswith": "TextEndsWith", "greaterthan": "NumberGreaterThan",
	"greaterthanorequalto": "NumberGreaterOrEqualTo", "lessthan": "NumberLessThan", "lessthanorequalto": "NumberLessOrEqualTo",
}

// transitions translates a module's branches.
func (m *step) transitions(typ string) map[string]any {
	out := map[string]any{}
	conditions, errs := []any{}, []any{}
	for _, item := range m.list("branches") {
		b := asProps(item)
		to := b.text("transition")
		name := strings.ToLower(b.text("condition"))
		cond := func(operator, operand string) {
			conditions = append(conditions, map[string]any{"NextAction": to, "Condition": map[string]any{"Operator": operator, "Operands": []any{operand}}})
		}
		fail := func(kind string) { errs = append(errs, map[string]any{"NextAction": to, "ErrorType": kind}) }
		switch {
		case name == "success" && out["NextAction"] == nil:
			out["NextAction"] = to
		case name == "timeout":
			m.timeout(typ, cond, fail)
		case name == "true" && typ == "CheckMetricData":
			cond("NumberGreaterThan", "0")
		case name == "false" && typ == "CheckMetricData":
			fail("NoMatchingCondition")
		case name == "false":
			cond("Equals", "False")
		case name == "evaluate", strings.HasPrefix(name, "checkqueue"):
			cond(operatorOf(b), operandOf(b, name))
		case legacyResults[name] != "":
			cond("Equals", legacyResults[name])
		case legacyErrors[name] != "":
			fail(legacyErrors[name])
		default:
			fail(cmp.Or(b.text("condition"), "NoMatchingError"))
		}
	}
	out["Conditions"], out["Errors"] = conditions, errs
	return out
}

// timeout translates a branch that is called Timeout, which is a result of waiting and of playing in a loop, and else an error.
func (m *step) timeout(typ string, cond func(operator, operand string), fail func(string)) {
	switch typ {
	case "Wait":
		cond("Equals", "WaitCompleted")
	case "MessageParticipantIteratively":
		cond("Equals", "MessagesInterrupted")
	case "TransferParticipantToThirdParty":
		fail("ConnectionTimeLimitExceeded")
	default:
		fail("InputTimeLimitExceeded")
	}
}

func operatorOf(b props) string {
	if op := legacyOperators[strings.ToLower(b.text("conditionType"))]; op != "" {
		return op
	}
	return b.text("conditionType")
}

// operandOf is what a branch compares with; an age in a queue was given in milliseconds.
func operandOf(b props, name string) string {
	v := b["conditionValue"]
	if name == "checkqueuetime" {
		if n, ok := v.(json.Number); ok {
			if ms, err := n.Float64(); err == nil {
				return strconv.FormatFloat(ms/1000, 'f', -1, 64)
			}
		}
	}
	return anyText(v)
}

package connect

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/tandemcc/tandem/internal/flow"
)

// how says how well an action is understood.
type how int

const (
	unsupported how = iota
	mapped
	approximated
)

// stored is the variable that holds $.StoredCustomerInput.
const stored = "$StoredCustomerInput"

// converters are the actions that run, by type. It is never changed.
var converters = map[string]func(*action) how{
	"MessageParticipant": message, "MessageParticipantIteratively": messages, "GetParticipantInput": getInput,
	"DisconnectParticipant": simple(flow.OpHangup), "EndFlowExecution": simple(flow.OpEnd),
	"EndFlowModuleExecution": endModule, "InvokeFlowModule": module, "TransferToFlow": toFlow,
	"UpdateContactAttributes": attributes, "UpdateFlowAttributes": flowAttributes, "InvokeLambdaFunction": lambda,
	"Compare": compare, "Loop": loop, "Wait": pause, "DistributeByPercentage": simple(flow.OpSplit),
	"UpdateFlowLoggingBehavior": simple(flow.OpPass), "UpdateContactRecordingBehavior": recording,
	"UpdateContactRecordingAndAnalyticsBehavior": recording,
	"UpdateContactTextToSpeechVoice":             voice, "UpdateContactData": contactData,
	"UpdateContactTargetQueue": targetQueue, "TransferContactToQueue": toQueue, "UpdateContactRoutingBehavior": routing,
	"UpdateContactEventHooks": hooks, "TransferParticipantToThirdParty": thirdParty, "CheckHoursOfOperation": hours,
	"CheckMetricData": metric, "GetMetricData": metric, "CreateCallbackContact": callback, "UpdateContactCallbackNumber": callbackNumber,
	"UpdateContactRoutingCriteria": criteria, "UpdateRoutingCriteria": criteria, "ConnectParticipantWithLexBot": bot,
	"UpdateContactMediaStreamingBehavior": mediaStreaming, "ShowView": view, "CreateTask": task,
}

// simple is for actions that have no parameters we need.
func simple(op flow.Op) func(*action) how {
	return func(a *action) how {
		a.n.Op = op
		return mapped
	}
}

// dyn turns a parameter into an input.
func (a *action) dyn(name string) flow.Value {
	return flow.Dynamic(anyText(a.params.get(name)), "Parameters."+a.params.key(name))
}

// lit turns a parameter into an input that is taken as it stands.
func (a *action) lit(name string) flow.Value {
	return flow.Value{Lit: a.params.text(name), Field: "Parameters." + a.params.key(name)}
}

// values turns an object of texts into a map of inputs.
func values(o props, field string) flow.Value {
	m := make(map[string]flow.Value, len(o))
	for name, v := range o {
		m[name] = flow.Dynamic(anyText(v), field+"."+name)
	}
	return flow.Value{Map: m, Field: field}
}

// millis turns a number of seconds into milliseconds; false when it is none, as with a dynamic value.
func millis(p props, name, field string) (flow.Value, bool) {
	s, ok := p.number(name)
	if !ok || s < 0 || s > 1e7 {
		return flow.Value{}, false
	}
	return flow.Value{Lit: strconv.FormatFloat(s*1000, 'f', -1, 64), Field: field}, true
}

// set makes one assignment.
func set(name string, v flow.Value) flow.Value {
	return flow.Value{Map: map[string]flow.Value{"var": flow.Lit(name), "value": v}}
}

// shown is the name that the editor keeps for what a parameter refers to.
func (a *action) shown(param string, keys ...string) string {
	name := a.meta.obj("parameters").obj(param).text("displayName")
	for _, k := range keys {
		name = cmp.Or(name, a.meta.obj(k).text("text"), a.meta.text(k))
	}
	return name
}

// ref notes what an input names outside the flow.
func (a *action) ref(kind flow.RefKind, v flow.Value, name string) {
	id, _ := v.Lit.(string)
	if id == "" && (name == "" || v.Src != "") {
		return
	}
	if name == id {
		name = ""
	}
	a.im.f.Refs = append(a.im.f.Refs, flow.Ref{Node: a.n.ID, Kind: kind, ID: id, Name: name})
}

// prompt reads what is played from an object that has one of Text, SSML, PromptId and Media.
func (a *action) prompt(p props, field string) []flow.Value {
	one := func(kind, key string, src any) flow.Value {
		v := flow.Dynamic(scalar(src), field+"."+key)
		if kind == string(flow.PromptFile) {
			a.ref(flow.RefPrompt, v, a.shown("PromptId", "promptName", "prompt"))
		}
		return flow.Value{Map: map[string]flow.Value{"kind": flow.Lit(kind), "text": v}}
	}
	var out []flow.Value
	for _, key := range []string{"Text", "SSML", "PromptId"} {
		if !p.has(key) {
			continue
		}
		kind := map[string]string{"Text": string(flow.PromptTTS), "SSML": flow.KindSSML, "PromptId": string(flow.PromptFile)}[key]
		out = append(out, one(kind, p.key(key), p.get(key)))
	}
	if media := p.obj("Media"); media.has("Uri") {
		out = append(out, one(string(flow.PromptFile), "Media."+media.key("Uri"), media.get("Uri")))
	}
	return out
}

func message(a *action) how {
	a.n.Op = flow.OpSay
	list := a.prompt(a.params, "Parameters")
	a.n.In["prompts"] = flow.Value{List: list}
	if len(list) == 0 && len(a.params) > 0 { // another kind of message, of a chat
		return approximated
	}
	return mapped
}

func messages(a *action) how {
	a.n.Op = flow.OpLoopPrompts
	var list []flow.Value
	for i, item := range a.params.list("Messages") {
		list = append(list, a.prompt(asProps(item), fmt.Sprintf("Parameters.Messages[%d]", i))...)
	}
	a.n.In["prompts"] = flow.Value{List: list}
	if v, ok := millis(a.params, "InterruptFrequencySeconds", "Parameters.InterruptFrequencySeconds"); ok {
		a.n.In["interruptMS"] = v
	}
	return mapped
}

func getInput(a *action) how {
	in := a.n.In
	in["prompts"] = flow.Value{List: a.prompt(a.params, "Parameters")}
	in["interruptible"] = flow.Lit(true)
	dtmf := a.params.obj("DTMFConfiguration")
	if v, ok := millis(a.params, "InputTimeLimitSeconds", "Parameters.InputTimeLimitSeconds"); ok {
		in["entryTimeoutMS"] = v
	}
	if v, ok := millis(dtmf, "InterdigitTimeLimitSeconds", "Parameters.DTMFConfiguration.InterdigitTimeLimitSeconds"); ok {
		in["interDigitTimeoutMS"] = v
	}
	if !a.params.flag("StoreInput") {
		a.n.Op = flow.OpMenu
		return mapped
	}
	a.n.Op = flow.OpCollect
	in["store"], in["min"], in["max"] = flow.Lit(stored), flow.Lit("1"), flow.Lit("20")
	in["terminators"] = flow.Value{Lit: cmp.Or(dtmf.text("InputTerminationSequence"), "#"), Field: "Parameters.DTMFConfiguration.InputTerminationSequence"}
	check := a.params.obj("InputValidation")
	if n, ok := check.obj("CustomValidation").number("MaximumLength"); ok && n >= 1 && n <= 128 {
		in["max"] = flow.Value{Lit: strconv.Itoa(int(n)), Field: "Parameters.InputValidation.CustomValidation.MaximumLength"}
	}
	if phone := check.obj("PhoneNumberValidation"); phone != nil {
		in["phone"] = flow.Lit(cmp.Or(phone.text("NumberFormat"), "E164"))
		if code := phonenumbers.GetCountryCodeForRegion(strings.ToUpper(phone.text("CountryCode"))); code > 0 {
			in["phonePrefix"] = flow.Lit("+" + strconv.Itoa(code))
		}
	}
	if a.params.obj("InputEncryption") != nil {
		in["secure"] = flow.Lit(true)
		return approximated // kept as a secure variable, not encrypted with the key that is named
	}
	return mapped
}

func endModule(a *action) how {
	a.n.Op = flow.OpEndSub
	for _, name := range a.params.names() {
		if s := a.params.text(name); s != "" {
			a.n.In["outcome"] = a.dyn(name)
			break
		}
	}
	return mapped
}

func module(a *action) how {
	a.n.Op = flow.OpSub
	a.n.In["flow"] = a.dyn("FlowModuleId")
	name := a.shown("FlowModuleId", "contactFlowModuleName", "contactFlowModule")
	a.n.In["flowName"] = flow.Lit(name)
	a.ref(flow.RefFlow, a.n.In["flow"], name)
	return mapped
}

func toFlow(a *action) how {
	a.n.Op = flow.OpGoto
	a.n.In["flow"] = a.dyn("ContactFlowId")
	name := a.shown("ContactFlowId", "ContactFlow", "contactFlow")
	if a.n.In["flow"].Src != "" {
		name = ""
	}
	a.n.In["flowName"] = flow.Lit(name)
	a.ref(flow.RefFlow, a.n.In["flow"], name)
	return mapped
}

func attributes(a *action) how {
	if strings.EqualFold(a.params.text("TargetContact"), "Related") {
		a.n.Op = flow.OpPass // the attributes are another contact's
		return approximated
	}
	a.n.Op = flow.OpSet
	o := a.params.obj("Attributes")
	var list []flow.Value
	for _, name := range o.names() {
		list = append(list, set(name, flow.Dynamic(anyText(o[name]), "Parameters."+a.params.key("Attributes")+"."+name)))
	}
	a.n.In["sets"] = flow.Value{List: list}
	return mapped
}

func flowAttributes(a *action) how {
	a.n.Op = flow.OpSet
	o := a.params.obj("FlowAttributes")
	var list []flow.Value
	for _, name := range o.names() {
		field, v := "Parameters.FlowAttributes."+name, o[name]
		if inner := asProps(v); inner != nil {
			field, v = field+"."+inner.key("Value"), inner.get("Value")
		}
		list = append(list, set("$FlowAttributes."+name, flow.Dynamic(anyText(v), field)))
	}
	a.n.In["sets"] = flow.Value{List: list}
	return mapped
}

func lambda(a *action) how {
	a.n.Op = flow.OpFunction
	fn := a.dyn("LambdaFunctionARN")
	a.n.In["function"] = fn
	name := a.shown("LambdaFunctionARN", "lambdaFunction")
	if arn, ok := fn.Lit.(string); ok && name == "" && strings.HasPrefix(arn, "arn:") {
		if _, tail, found := strings.Cut(arn, ":function:"); found {
			name, _, _ = strings.Cut(tail, ":")
		}
	}
	a.n.In["functionName"] = flow.Lit(name)
	a.ref(flow.RefFunction, fn, name)
	a.n.In["params"] = values(a.params.obj("LambdaInvocationAttributes"), "Parameters.LambdaInvocationAttributes")
	if v, ok := millis(a.params, "InvocationTimeLimitSeconds", "Parameters.InvocationTimeLimitSeconds"); ok {
		a.n.In["timeoutMS"] = v
	}
	a.n.In["response"] = flow.Lit(cmp.Or(a.params.obj("ResponseValidation").text("ResponseType"), "STRING_MAP"))
	if strings.HasPrefix(strings.ToUpper(a.params.text("InvocationType")), "ASYNC") {
		a.n.In["async"] = flow.Lit(true)
	}
	return mapped
}

func compare(a *action) how {
	a.n.Op = flow.OpCompare
	a.n.In["value"] = a.dyn("ComparisonValue")
	return mapped
}

func loop(a *action) how {
	a.n.Op = flow.OpLoop
	a.n.In["count"] = a.dyn("LoopCount")
	return mapped
}

func pause(a *action) how {
	a.n.Op = flow.OpWait
	a.n.In["seconds"] = a.dyn("TimeLimitSeconds")
	return mapped
}

func recording(a *action) how {
	a.n.Op = flow.OpRecord
	b := a.params.obj("RecordingBehavior")
	var list []flow.Value
	for i, p := range b.list("RecordedParticipants") {
		list = append(list, flow.Value{Lit: scalar(p), Field: fmt.Sprintf("Parameters.RecordingBehavior.RecordedParticipants[%d]", i)})
	}
	a.n.In["participants"] = flow.Value{List: list}
	if a.params.obj("AnalyticsBehavior").flag("Enabled") || b == nil {
		return approximated
	}
	return mapped
}

func voice(a *action) how {
	a.n.Op = flow.OpSet
	v := a.dyn("TextToSpeechVoice")
	list := []flow.Value{set("Global_VoiceName", v)}
	if name, ok := v.Lit.(string); ok && voiceLanguage(name) != "" {
		list = append(list, set("Global_Language", flow.Lit(voiceLanguage(name))))
	}
	a.n.In["sets"] = flow.Value{List: list}
	return mapped
}

// contactFields are the parts of a contact that a flow may write, with the variables that hold them.
var contactFields = map[string]string{"LanguageCode": "Global_Language", "CustomerId": "$CustomerId", "Name": "$Name", "Description": "$Description"}

func contactData(a *action) how {
	a.n.Op = flow.OpSet
	h := mapped
	var list []flow.Value
	for _, name := range a.params.names() {
		switch to := contactFields[name]; {
		case to != "":
			list = append(list, set(to, a.dyn(name)))
		case name != "TargetContact":
			h = approximated
		}
	}
	if strings.EqualFold(a.params.text("TargetContact"), "Related") {
		a.n.Op = flow.OpPass
		return approximated
	}
	a.n.In["sets"] = flow.Value{List: list}
	return h
}

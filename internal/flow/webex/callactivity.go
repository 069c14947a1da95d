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

// builtinMusic is the file every Webex organisation has; the hub has its own for it.
const builtinMusic = "defaultmusic_on_hold.wav"

// prompts reads what an activity plays: with "toggle" the spoken list, else the list of files.
func prompts(n *flow.Node, p props) {
	keys := []string{"prompts", "promptsTts"}
	if p.flag("toggle") {
		keys = []string{"promptsTts", "prompts"}
	}
	var out []flow.Value
	for _, key := range keys {
		if out = promptList(p.list(key), key); len(out) > 0 {
			break
		}
	}
	n.In["prompts"] = flow.Value{List: out}
	voice := p.text("voiceLanguage")
	if voice != "" && !strings.Contains(voice, "{") {
		n.In["voice"] = flow.Value{Lit: voice, Field: "voiceLanguage"}
		n.In["language"] = flow.Value{Lit: languageOf(voice), Field: "voiceLanguage"}
	} else if voice != "" {
		n.In["language"] = p.value("voiceLanguage")
	}
	for key, field := range map[string]string{"rate": "speakingRate", "gain": "volumeGainDb", "interruptible": "interruptible"} {
		if p.has(field) {
			n.In[key] = flow.Value{Lit: p.text(field), Field: field}
		}
	}
}

func promptList(list []any, key string) []flow.Value {
	var out []flow.Value
	for i, item := range list {
		o := asProps(item)
		field := fmt.Sprintf("%s[%d].value", key, i)
		kind := flow.PromptFile
		txt := input(o.text("value"), field)
		switch typ := strings.ToLower(o.text("type")); {
		case strings.Contains(typ, "tts"):
			kind = flow.PromptTTS
		case strings.Contains(typ, "variable"), strings.Contains(typ, "dynamic"):
			txt = o.variable("value")
			txt.Field = field
		}
		if txt.Lit == "" {
			continue
		}
		out = append(out, flow.Value{Map: map[string]flow.Value{"kind": flow.Lit(string(kind)), "text": txt}})
	}
	return out
}

// languageOf takes the language from the name of a voice: en-US-Wavenet-C speaks en-US.
func languageOf(voice string) string {
	parts := strings.SplitN(voice, "-", 3)
	if len(parts) < 2 || len(parts[0]) > 3 || len(parts[1]) > 4 {
		return ""
	}
	return parts[0] + "-" + parts[1]
}

func say(n *flow.Node, p props) how {
	n.Op = flow.OpSay
	prompts(n, p)
	return mapped
}

// seconds turns a field in seconds into milliseconds; less than nothing means not limited.
func seconds(p props, key string) (flow.Value, bool) {
	if !p.has(key) || p.float(key) < 0 {
		return flow.Value{}, false
	}
	return flow.Value{Lit: strconv.FormatFloat(p.float(key)*1000, 'f', 0, 64), Field: key}, true
}

func music(n *flow.Node, p props) how {
	n.Op = flow.OpMusic
	n.In["file"] = p.value("prompt")
	if mode := p.text("audioRadioGroup"); mode == "dynamicAudio" || !p.has("prompt") && p.has("promptDynamic") {
		n.In["file"] = p.variable("promptDynamic")
	}
	for in, key := range map[string]string{"durationMS": "duration", "offsetMS": "skip"} {
		if v, ok := seconds(p, key); ok {
			n.In[in] = v
		}
	}
	return mapped
}

func menu(n *flow.Node, p props) how {
	n.Op = flow.OpMenu
	prompts(n, p)
	n.In["digits"] = texts(p.texts("menuLinks"), "menuLinks")
	labels := p.texts("menuLinks_input")
	if len(labels) == 0 {
		labels = p.texts("menuLinks:input")
	}
	n.In["labels"] = texts(labels, "menuLinks_input")
	if v, ok := seconds(p, "entryTimeout"); ok {
		n.In["entryTimeoutMS"] = v
	}
	return mapped
}

func collect(n *flow.Node, p props) how {
	n.Op = flow.OpCollect
	prompts(n, p)
	for in, key := range map[string]string{"min": "minDigits", "max": "maxDigits", "terminators": "terminatorSymbol"} {
		if p.has(key) {
			n.In[in] = flow.Value{Lit: p.text(key), Field: key}
		}
	}
	for in, key := range map[string]string{"entryTimeoutMS": "entryTimeout", "interDigitTimeoutMS": "interDigitTimeout"} {
		if v, ok := seconds(p, key); ok {
			n.In[in] = v
		}
	}
	return mapped
}

// bot reads the activities that hand the caller to a dialogue platform.
func bot(n *flow.Node, p props) how {
	n.Op = flow.OpBot
	key := firstKey(p, "virtualAgentId", "connector")
	n.In["bot"] = p.value(key)
	n.In["botName"] = flow.Value{Lit: p.twin(key, "name")}
	if p.has("eventName") {
		n.In["event"] = p.value("eventName")
	}
	params := make(map[string]flow.Value)
	maps.Copy(params, p.values("botParameters").Map)
	if p.has("eventData") {
		params["eventData"] = p.value("eventData")
	}
	n.In["params"] = flow.Value{Map: params, Field: "botParameters"}
	return mapped
}

// pass is for activities whose effect the hub has in another way, or not at all: the flow goes on after them.
func pass(n *flow.Node, _ props) how {
	n.Op = flow.OpPass
	return approximated
}

func recordingControl(n *flow.Node, p props) how {
	n.Op = flow.OpRecord
	n.In["on"] = p.variable("enableRecording")
	return mapped
}

func callerID(n *flow.Node, p props) how {
	n.Op = flow.OpCallerID
	n.In["number"] = byMode(p, "callerId")
	return mapped
}

func sendDigits(n *flow.Node, p props) how {
	n.Op = flow.OpSendDigits
	n.In["digits"] = byMode(p, "transferoutdigits")
	return mapped
}

func recordMessage(n *flow.Node, p props) how {
	n.Op = flow.OpRecordMessage
	params := make(map[string]flow.Value)
	if p.has("playStartTone") {
		params["tone"] = flow.Value{Lit: p.text("playStartTone"), Field: "playStartTone"}
	}
	if p.has("terminationSymbol") {
		params["terminators"] = flow.Value{Lit: p.text("terminationSymbol"), Field: "terminationSymbol"}
	}
	for name, key := range map[string]string{"silenceMS": "silenceTimeout", "maxMS": "maxRecordingTime"} {
		if v, ok := seconds(p, key); ok {
			params[name] = v
		}
	}
	n.In["params"] = flow.Value{Map: params}
	return mapped
}

func queue(n *flow.Node, p props) how {
	n.Op = flow.OpQueue
	key := firstKey(p, "destination", "queueId")
	n.In["queue"] = p.value(key)
	n.In["queueName"] = flow.Value{Lit: p.twin(key, "name"), Field: key + ":name"}
	if p.text("queueRadioGroup") == "variableQueue" || !p.has(key) && p.has("destinationVariable") {
		n.In["queue"], n.In["queueName"] = p.variable("destinationVariable"), flow.Lit("")
		if p.has("fallbackQueue") {
			n.In["fallback"] = p.value("fallbackQueue")
		}
	}
	queuePriority(n, p)
	var skills []flow.Value
	for i, item := range p.obj("skills").list("requirements") {
		skills = append(skills, skill(asProps(item), i))
	}
	for i, item := range p.obj("skills").list("skillRequirements") {
		skills = append(skills, skill(asProps(item), i))
	}
	n.In["skills"] = flow.Value{List: skills, Field: "skills"}
	if len(p.obj("skills").list("relaxations")) > 0 {
		return approximated // the requirements are kept as they were at the start
	}
	return mapped
}

// queuePriority reads the priority, which counts only with its switch on.
func queuePriority(n *flow.Node, p props) {
	switch {
	case !p.flag("toggle") && p["toggle"] != nil:
	case p.has("priorityVariable") && p.text("priorityRadioGroup") != "staticPriority":
		n.In["priority"] = p.variable("priorityVariable")
	case p.has("priority"):
		n.In["priority"] = p.value("priority")
	}
}

func skill(p props, i int) flow.Value {
	field := fmt.Sprintf("skills.requirements[%d].value", i)
	return flow.Value{Map: map[string]flow.Value{
		"id": flow.Lit(p.text("skill")), "name": flow.Lit(cmp.Or(p.text("skillName"), p.text("skill"))),
		"op": flow.Lit(strings.ToLower(p.text("condition"))), "value": input(p.text("value"), field),
	}}
}

func queueAgent(n *flow.Node, p props) how {
	n.Op = flow.OpQueueAgent
	n.In["agent"] = p.variable("destinationVariable")
	by := "email"
	if strings.EqualFold(p.text("destinationLookupType"), "agentId") {
		by = "id"
	}
	n.In["lookup"] = flow.Lit(by)
	n.In["queue"] = p.value("reportingQueue")
	n.In["queueName"] = flow.Value{Lit: p.twin("reportingQueue", "name")}
	n.In["fallback"] = p.value("recoveryQueue")
	n.In["park"] = flow.Value{Lit: p.text("parkContactToggle"), Field: "parkContactToggle"}
	queuePriority(n, p)
	return mapped
}

func queueInfo(n *flow.Node, p props) how {
	n.Op = flow.OpQueueInfo
	key := firstKey(p, "destination", "queueId")
	n.In["queue"] = p.value(key)
	n.In["queueName"] = flow.Value{Lit: p.twin(key, "name")}
	n.In["lookbackMinutes"] = p.value("ewtLookbackMinutes")
	return mapped
}

func callback(n *flow.Node, p props) how {
	n.Op = flow.OpCallback
	n.In["number"] = byMode(p, "callbackDn")
	n.In["queue"] = byMode(p, "callbackQueue")
	n.In["ani"] = byMode(p, "callbackAni")
	return mapped
}

// byMode reads a field whose radio button says whether it names a variable.
func byMode(p props, key string) flow.Value {
	if strings.EqualFold(p.twin(key, "radioName"), "setToVariable") {
		return p.variable(key)
	}
	return p.value(key)
}

func transfer(n *flow.Node, p props) how {
	n.Op = flow.OpTransfer
	n.In["number"] = byMode(p, "transfertodn")
	if n.Type == "bridged-transfer" {
		n.In["bridged"] = flow.Lit(true)
	}
	if v, ok := seconds(p, "timeout"); ok {
		n.In["timeoutMS"] = v
	}
	return mapped
}

func pop(n *flow.Node, p props) how {
	n.Op = flow.OpPop
	n.In["url"] = p.value("screenPopUrl")
	n.In["query"] = p.values("queryParameters")
	n.In["label"] = p.value("screenPopDesktopLabel")
	n.In["target"] = flow.Value{Lit: p.text("target"), Field: "target"}
	return mapped
}

func priority(n *flow.Node, p props) how {
	n.Op = flow.OpPriority
	n.In["priority"] = p.value("priority")
	if p.has("priorityVariable") && p.text("priorityRadioGroup") != "staticPriority" {
		n.In["priority"] = p.variable("priorityVariable")
	}
	return mapped
}

// refs collects what the flow names outside itself.
func (im *importing) refs() {
	for _, id := range slices.Sorted(maps.Keys(im.f.Nodes)) {
		n := im.f.Nodes[id]
		switch n.Op {
		case flow.OpQueue, flow.OpQueueAgent, flow.OpQueueInfo:
			im.ref(n, flow.RefQueue, n.In["queue"], n.In["queueName"])
			im.ref(n, flow.RefQueue, n.In["fallback"], flow.Value{})
		case flow.OpCallback:
			im.ref(n, flow.RefQueue, n.In["queue"], flow.Value{})
		case flow.OpHTTP:
			im.ref(n, flow.RefConnector, n.In["connector"], n.In["connectorName"])
		case flow.OpBot:
			im.ref(n, flow.RefBot, n.In["bot"], n.In["botName"])
		case flow.OpFunction:
			im.ref(n, flow.RefFunction, n.In["function"], n.In["functionName"])
		case flow.OpHours:
			im.ref(n, flow.RefHours, n.In["hours"], n.In["hoursName"])
		case flow.OpSub, flow.OpGoto:
			im.ref(n, flow.RefFlow, n.In["flow"], n.In["flowName"])
		case flow.OpMusic:
			im.ref(n, flow.RefPrompt, n.In["file"], flow.Value{})
		case flow.OpSay, flow.OpMenu, flow.OpCollect:
			for _, pr := range n.In["prompts"].List {
				if pr.Map["kind"].Lit == string(flow.PromptFile) {
					im.ref(n, flow.RefPrompt, pr.Map["text"], flow.Value{})
				}
			}
		default: // names nothing outside
		}
		for _, s := range n.In["skills"].List {
			im.ref(n, flow.RefSkill, s.Map["id"], s.Map["name"])
		}
	}
}

func (im *importing) ref(n *flow.Node, kind flow.RefKind, id, name flow.Value) {
	key, _ := id.Lit.(string)
	label, _ := name.Lit.(string)
	if key == "" && label == "" || kind == flow.RefPrompt && key == builtinMusic {
		return
	}
	im.f.Refs = append(im.f.Refs, flow.Ref{Node: n.ID, Kind: kind, ID: key, Name: label})
}

package connect_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
)

// A result leaves by the first condition that holds, else by NoMatchingCondition, else by NextAction.
func TestFirstConditionElseNoMatchElseNext(t *testing.T) {
	tests := []struct {
		name, value string
		trans       []string
		want        string
	}{
		{"first that holds", "5", []string{"if NumberGreaterThan 3", "a", "if Equals 5", "b", "on NoMatchingCondition", "c", "next", "c"}, "a"},
		{"second", "5", []string{"if Equals 4", "a", "if Equals 5", "b", "on NoMatchingCondition", "c", "next", "c"}, "b"},
		{"none: NoMatchingCondition", "x", []string{"if Equals 4", "a", "on NoMatchingCondition", "b", "next", "c"}, "b"},
		{"none and no NoMatchingCondition: NextAction", "x", []string{"if Equals 4", "a", "next", "c"}, "c"},
		{"no conditions: NoMatchingCondition", "x", []string{"on NoMatchingCondition", "b", "next", "c"}, "b"},
		{"the same value twice", "5", []string{"if Equals 5", "b", "if Equals 5", "a", "next", "c"}, "b"},
	}
	for _, tt := range tests {
		c := begin(t, doc(act("cmp", "Compare", `{"ComparisonValue":"$.Attributes.v"}`, tt.trans...), says("a"), says("b"), says("c")), map[string]any{"v": tt.value})
		if got := c.heard(); got != tt.want {
			t.Errorf("%s: went to %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCompareOperators(t *testing.T) {
	tests := []struct {
		op, operand, value string
		want               bool
	}{
		{"Equals", "a", "a", true},
		{"Equals", "a", "A", false},
		{"Equals", "", "", true},
		{"TextStartsWith", "ab", "abc", true},
		{"TextStartsWith", "bc", "abc", false},
		{"TextEndsWith", "bc", "abc", true},
		{"TextContains", "b", "abc", true},
		{"TextContains", "d", "abc", false},
		{"NumberGreaterThan", "5", "10", true},
		{"NumberGreaterThan", "5", "5", false},
		{"NumberGreaterThan", "5", "x", false},
		{"NumberGreaterOrEqualTo", "5", "5.0", true},
		{"NumberLessThan", "5", "-1", true},
		{"NumberLessThan", "5", "", false},
		{"NumberLessOrEqualTo", "5", "5", true},
		{"Equals", "$.CustomerEndpoint.Address", "+14155550100", true},
		{"SomethingNew", "a", "a", false},
	}
	for _, tt := range tests {
		c := begin(t, doc(act("cmp", "Compare", `{"ComparisonValue":"$.Attributes.v"}`, "if "+tt.op+" "+tt.operand, "a", "on NoMatchingCondition", "b"), says("a"), says("b")),
			map[string]any{"v": tt.value})
		if got := c.heard() == "a"; got != tt.want {
			t.Errorf("%q %s %q is %v, want %v", tt.value, tt.op, tt.operand, got, tt.want)
		}
	}
}

// An error leaves by its own type, else by NoMatchingError; without either the contact is dropped.
func TestSemantics3ErrorTypeElseNoMatchingErrorElseDropped(t *testing.T) {
	transfer := func(trans ...string) *call {
		return begin(t, doc(act("x", "TransferParticipantToThirdParty",
			`{"ThirdPartyPhoneNumber":"+15550001","ThirdPartyConnectionTimeLimitSeconds":"20","ContinueFlowExecution":"True","CallerId":{"Number":"$.SystemEndpoint.Address"},"ThirdPartyDTMFDigits":"12"}`,
			trans...), says("a"), says("b"), says("c")), nil)
	}
	all := []string{"next", "a", "on CallFailed", "b", "on ConnectionTimeLimitExceeded", "c", "on NoMatchingError", "a"}
	want := flow.Transfer{Number: "+15550001", Bridged: true, TimeoutMS: 20_000, CallerID: "+18005550199", Digits: "12"}
	c := transfer(all...)
	if diff := cmp.Diff(want, *c.open().Transfer); diff != "" {
		t.Error(diff)
	}
	c.outcome("failed").hear("b")
	transfer(all...).outcome("timeout").hear("c")
	transfer(all...).outcome("ok").hear("a")
	transfer("next", "a", "on NoMatchingError", "b").outcome("failed").hear("b")
	transfer("next", "a", "on NoMatchingError", "b").outcome("timeout").hear("b")
	transfer("next", "a").outcome("failed").hear(flow.DefaultErrorText).played().hungUp()
}

func TestNamespaces(t *testing.T) {
	tests := []struct{ text, want string }{
		{"$.Attributes.name, hello", "Ada, hello"},
		{"Hello $.Attributes.name.", "Hello Ada."},
		{"$.Attributes['a name']", "two words"},
		{"$.Attributes.['a name']!", "two words!"},
		{"from $.CustomerEndpoint.Address to $.SystemEndpoint.Address", "from +14155550100 to +18005550199"},
		{"$.ContactId $.Channel", "c-1 VOICE"},
		{"costs $5.00 or $ 3", "costs $5.00 or $ 3"},
		{"$.External.a-$.External.list[1]", "1-y"},
		{"$.External.deep.x", "z"},
		{"[$.External.missing]", "[]"},
		{"[$.Nothing.x]", "[]"},
		{"$.StoredCustomerInput", "42"},
		{"$.Queue.Name", "Support"},
	}
	for _, tt := range tests {
		c := begin(t, doc(act("m", "MessageParticipant", `{"Text":`+quoted(tt.text)+`}`, "next", "bye")), map[string]any{
			"name": "Ada", "a name": "two words", "$StoredCustomerInput": "42", "$Queue": map[string]any{"Name": "Support"},
			"$External": map[string]any{"a": "1", "list": []any{"x", "y"}, "deep": map[string]any{"x": "z"}},
		})
		c.hear(tt.want)
	}
}

func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// SSML is spoken as plain text.
func TestSSMLAsText(t *testing.T) {
	tests := []struct{ ssml, want string }{
		{`<speak>Hello <break time="1s"/> world &amp; all</speak>`, "Hello, world & all"},
		{`<speak><p>One</p><p>Two</p></speak>`, "One. Two."},
		{`<speak>Case <say-as interpret-as="digits">$.Attributes.v</say-as>.</speak>`, "Case 1 2 3."},
		{`<speak><sub alias="World Wide Web">WWW</sub></speak>`, "World Wide Web"},
		{`<speak>a<break strength="none"/>b</speak>`, "ab"},
		{`no markup, 1 < 2`, "no markup, 1 < 2"},
		{`$.Attributes.marked`, "bold"},
	}
	for _, tt := range tests {
		begin(t, doc(act("m", "MessageParticipant", `{"SSML":`+quoted(tt.ssml)+`}`, "next", "bye")),
			map[string]any{"v": "123", "marked": "<speak><emphasis>bold</emphasis></speak>"}).hear(tt.want)
	}
}

// GetParticipantInput without StoreInput is a menu of one digit.
func TestGetParticipantInputMenu(t *testing.T) {
	menu := func(trans ...string) *call {
		return begin(t, doc(act("g", "GetParticipantInput", `{"Text":"press","InputTimeLimitSeconds":"7","StoreInput":"False"}`, trans...), says("a"), says("b"), says("c"), says("d")), nil)
	}
	all := []string{"if Equals 1", "a", "if Equals *", "b", "on NoMatchingCondition", "c", "on InputTimeLimitExceeded", "d", "on NoMatchingError", "bye", "next", "bye"}
	if g := menu(all...).hear("press").open().Gather; g.Max != 1 || g.EntryTimeoutMS != 7000 || !g.Interruptible {
		t.Errorf("%+v", g)
	}
	menu(all...).entered("1").hear("a")
	menu(all...).entered("*").hear("b")
	menu(all...).entered("5").hear("c")
	menu(all...).silent().hear("d")
	menu("if Equals 1", "a", "next", "b").entered("5").hear("b")
	menu("if Equals 1", "a", "on NoMatchingError", "c").silent().hear("c")
}

// GetParticipantInput with StoreInput keeps what was entered; nothing entered is kept as Timeout.
func TestGetParticipantInputStores(t *testing.T) {
	in := func(params string, trans ...string) *call {
		return begin(t, doc(act("g", "GetParticipantInput", `{"Text":"enter","StoreInput":"True"`+params+`}`, append([]string{"next", "m", "on NoMatchingError", "bye"}, trans...)...),
			act("m", "MessageParticipant", `{"Text":"got $.StoredCustomerInput"}`, "next", "bye"), says("a")), nil)
	}
	c := in(`,"InputTimeLimitSeconds":"10","InputValidation":{"CustomValidation":{"MaximumLength":"4"}},"DTMFConfiguration":{"InputTerminationSequence":"*","InterdigitTimeLimitSeconds":"2"}`)
	if g := c.open().Gather; g.Max != 4 || g.Terminators != "*" || g.EntryTimeoutMS != 10_000 || g.InterDigitTimeoutMS != 2000 {
		t.Errorf("%+v", g)
	}
	c.entered("123").hear("got 123")
	in("").silent().hear("got Timeout")
	in("", "on InputTimeLimitExceeded", "a").silent().hear("a")
	phone := `,"InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"AU"}}`
	in(phone, "on InvalidPhoneNumber", "a").entered("0412345678").hear("got +61412345678")
	in(phone, "on InvalidPhoneNumber", "a").entered("12").hear("a")
	in(`,"InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}}`).entered("14155550123").hear("got +14155550123")
	f, _ := imported(t, doc(act("g", "GetParticipantInput", `{"Text":"pin","StoreInput":"True","InputEncryption":{"EncryptionKeyId":"k","Key":"x"}}`, "next", "s"),
		act("s", "UpdateContactAttributes", `{"Attributes":{"pin":"$.StoredCustomerInput"}}`, "next", "bye")))
	secret := beginFlow(t, f, nil).entered("9876")
	for _, e := range secret.trace {
		if strings.Contains(e.Detail, "9876") {
			t.Errorf("what was to be encrypted is in the trace: %+v", e)
		}
	}
}

// A function is told what Amazon Connect tells it, and its answer is $.External until the next answer.
func TestInvokeLambdaFunction(t *testing.T) {
	params := `{"LambdaFunctionARN":"arn:aws:lambda:us-west-2:123456789012:function:lookUp:live","InvocationTimeLimitSeconds":"8","LambdaInvocationAttributes":{"phone":"$.CustomerEndpoint.Address","who":"it is $.Attributes.name"}%s}`
	fn := func(more string) *call {
		return begin(t, doc(act("s", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "f"),
			act("f", "InvokeLambdaFunction", strings.Replace(params, "%s", more, 1), "next", "m", "on NoMatchingError", "e"),
			act("m", "MessageParticipant", `{"Text":"$.External.name $.External.n $.External.yes"}`, "next", "bye"), says("e")), map[string]any{"name": "Ada"})
	}
	c := fn("")
	ask := c.open().Ask
	if ask.What != flow.AskFunction || ask.Ref != "arn:aws:lambda:us-west-2:123456789012:function:lookUp:live" || ask.Name != "lookUp" || ask.TimeoutMS != 8000 || ask.Async {
		t.Errorf("%+v", ask)
	}
	var ev struct {
		Name    string
		Details struct {
			Parameters  map[string]string
			ContactData struct {
				Attributes                     map[string]string
				ContactId, Channel             string //nolint:revive // Amazon's name
				CustomerEndpoint, Queue        map[string]string
				InitiationMethod, LanguageCode string
			}
		}
	}
	if err := json.Unmarshal(ask.Payload, &ev); err != nil {
		t.Fatal(err)
	}
	d := ev.Details
	if ev.Name != "ContactFlowEvent" || d.Parameters["phone"] != "+14155550100" || d.Parameters["who"] != "it is Ada" || d.ContactData.Attributes["name"] != "Ada" ||
		d.ContactData.ContactId != "c-1" || d.ContactData.Channel != "VOICE" || d.ContactData.CustomerEndpoint["Type"] != "TELEPHONE_NUMBER" || d.ContactData.Queue["ARN"] != "q-1" {
		t.Errorf("%s", ask.Payload)
	}
	c.answered(map[string]any{"name": "Bo", "n": 5, "yes": true}).hear("Bo 5 true")
	fn("").failed().hear("e")
	fn("").answered(map[string]any{"name": map[string]any{"a": 1}}).hear("e")
	fn(`,"ResponseValidation":{"ResponseType":"JSON"}`).answered(map[string]any{"name": map[string]any{"a": 1}}).hear(`{"a":1}  `)
	fn("").answered(map[string]any{"name": strings.Repeat("x", 40_000)}).hear("e")
	if !fn(`,"InvocationType":"ASYNCHRONOUS"`).open().Ask.Async {
		t.Error("the call is waited for")
	}
}

// Loop counts its rounds and can be entered anew.
func TestLoop(t *testing.T) {
	c := begin(t, doc(act("l", "Loop", `{"LoopCount":"2"}`, "if Equals ContinueLooping", "again", "if Equals DoneLooping", "done", "next", "done"),
		act("again", "MessageParticipant", `{"Text":"again"}`, "next", "l"), act("done", "MessageParticipant", `{"Text":"done"}`, "next", "l")), nil)
	for _, want := range []string{"again", "again", "done", "again", "again", "done"} {
		c.hear(want).played()
	}
	begin(t, doc(act("l", "Loop", `{"LoopCount":"0"}`, "if Equals ContinueLooping", "a", "next", "b"), says("a"), says("b")), nil).hear("b")
	begin(t, doc(act("l", "Loop", `{"LoopCount":"$.Attributes.n"}`, "if Equals ContinueLooping", "a", "next", "b"), says("a"), says("b")), map[string]any{"n": "1"}).hear("a")
}

func TestMessageParticipantIteratively(t *testing.T) {
	c := begin(t, doc(act("p", "MessageParticipantIteratively", `{"Messages":[{"Text":"one"},{"PromptId":"p-1"}],"InterruptFrequencySeconds":"3"}`,
		"if Equals MessagesInterrupted", "a", "on NoMatchingError", "b"), says("a"), says("b")), nil)
	if p := c.hear("onep-1").open().Play; p.LimitMS != 3000 {
		t.Errorf("%+v", p)
	}
	if p := c.played().hear("onep-1").open().Play; p.LimitMS != 2000 {
		t.Errorf("%+v", p)
	}
	c.played().played().hear("a")
	c = begin(t, doc(act("p", "MessageParticipantIteratively", `{"Messages":[{"PromptId":"p-1"}]}`, "on NoMatchingError", "b"), says("b")), nil)
	for range 5 {
		c.hear("music p-1").played()
	}
	c.result(flow.Event{Kind: flow.EvPromptDone, Error: "no file"}).hear("b")
}

func TestCheckHoursOfOperation(t *testing.T) {
	hours := func(params string) *call {
		return begin(t, doc(act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "h"),
			act("h", "CheckHoursOfOperation", params, "if Equals True", "a", "if Equals False", "b", "on NoMatchingError", "c", "next", "b"), says("a"), says("b"), says("c")), nil)
	}
	hours(`{}`).outcome("work").hear("a")
	hours(`{}`).outcome("closed").hear("b")
	hours(`{}`).outcome("holiday").hear("b")
	hours(`{}`).failed().hear("c")
	if a := hours(`{"HoursOfOperationId":"h-1"}`).open().Ask; a.Ref != "h-1" {
		t.Errorf("%+v", a)
	}
	if a := hours(`{}`).open().Ask; a.Params["queue"] != "q-1" {
		t.Errorf("%+v", a)
	}
}

func TestMetrics(t *testing.T) {
	figures := map[string]any{"AvailableAgents": 2, "LoggedOnAgentsCurrent": 3, "LoggedOnAgentsAll": 4, "OldestCallTime": 61_000, "CallsQueuedNow": 7}
	check := func(metric, cond string) *call {
		return begin(t, doc(act("m", "CheckMetricData", `{"MetricType":"`+metric+`","QueueId":"q-1"}`, "if "+cond, "a", "on NoMatchingCondition", "b", "on NoMatchingError", "c"), says("a"), says("b"), says("c")), nil)
	}
	check("NumberOfAgentsAvailable", "NumberGreaterThan 1").answered(figures).hear("a")
	check("NumberOfAgentsStaffed", "NumberGreaterThan 3").answered(figures).hear("b")
	check("NumberOfAgentsOnline", "Equals 4").answered(figures).hear("a")
	check("OldestContactInQueueAgeSeconds", "NumberLessOrEqualTo 61").answered(figures).hear("a")
	check("NumberOfContactsInQueue", "Equals 7").answered(figures).hear("a")
	check("Strange", "Equals 7").answered(figures).hear("c")
	check("NumberOfContactsInQueue", "Equals 7").failed().hear("c")
	begin(t, doc(act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "m"), act("m", "GetMetricData", `{}`, "next", "s"),
		act("s", "MessageParticipant", `{"Text":"$.Metrics.Queue.Size $.Metrics.Queue.OldestContactAge $.Metrics.Agents.Available.Count $.Metrics.Agents.Busy.Count"}`, "next", "bye")), nil).
		answered(figures).hear("7 61 2 1")
	begin(t, doc(act("m", "GetMetricData", `{}`, "next", "bye", "on NoMatchingError", "a"), says("a")), nil).hear("a")
}

// The contact waits in the queue chosen before, ranked as was said; the flow of the hook plays, and without one music.
func TestSemantics1TransferContactToQueue(t *testing.T) {
	queue := func(before ...string) *call {
		return begin(t, doc(append(before, act("t", "TransferContactToQueue", `{}`, "on QueueAtCapacity", "a", "on NoMatchingError", "b", "next", "b"), says("a"), says("b"))...), nil)
	}
	to := act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "t", "on NoMatchingError", "b")
	enqueued := func(c *call) *flow.Enqueue {
		t.Helper()
		for _, o := range c.s.Outstanding() {
			if o.Kind == flow.CmdEnqueue {
				return o.Enqueue
			}
		}
		t.Fatal("not queued")
		return nil
	}
	c := queue(to)
	if e := enqueued(c); e.Queue != "q-1" || e.Priority != 5 {
		t.Errorf("%+v", e)
	}
	c.hear("music defaultmusic_on_hold.wav").played().hear("music defaultmusic_on_hold.wav")
	placement := c.s.Placement
	c.step(flow.Event{Kind: flow.EvQueueFailed, Command: placement, Outcome: "capacity"}).hear("a")
	c = queue(to)
	c.step(flow.Event{Kind: flow.EvQueueFailed, Command: c.s.Placement, Error: "no such queue"}).hear("b")
	queue().hear("b")
	c = queue(act("p", "UpdateContactRoutingBehavior", `{"QueuePriority":"2"}`, "next", "r"), act("r", "UpdateContactRoutingBehavior", `{"QueueTimeAdjustmentSeconds":"-30"}`, "next", "q"), to)
	if e := enqueued(c); e.Priority != 2 || e.AgeAdjustSeconds != -30 {
		t.Errorf("%+v", e)
	}
	c = queue(act("q", "UpdateContactTargetQueue", `{"AgentId":"ada@example.com"}`, "next", "t"))
	if e := enqueued(c); e.Agent != "ada@example.com" || e.AgentBy != "email" {
		t.Errorf("%+v", e)
	}
	c = queue(act("h", "UpdateContactEventHooks", `{"EventHooks":{"CustomerQueue":"flow-2"}}`, "next", "q"), to)
	if a := c.open().Ask; a == nil || a.What != flow.AskTreatment || a.Ref != "flow-2" {
		t.Errorf("%+v", c.open())
	}
	c.failed().hear("music defaultmusic_on_hold.wav")
	c.step(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a"}})
	if len(c.s.Threads) != 0 || !c.s.Talking {
		t.Error("the treatment goes on while an agent talks")
	}
	begin(t, doc(act("q", "UpdateContactTargetQueue", `{"QueueId":"$.Attributes.none"}`, "next", "bye", "on NoMatchingError", "b"), says("b")), nil).hear("b")
}

// Modules and the flow for waiting contacts run within the flow that calls them.
func TestLinkedFlows(t *testing.T) {
	main, _ := imported(t, doc(act("m", "InvokeFlowModule", `{"FlowModuleId":"mod-1"}`, "next", "h", "on NoMatchingError", "e"),
		act("h", "UpdateContactEventHooks", `{"EventHooks":{"CustomerQueue":"queue-1"}}`, "next", "q"),
		act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "t"), act("t", "TransferContactToQueue", `{}`), says("e")))
	module, _ := imported(t, doc(act("a", "MessageParticipant", `{"Text":"module $.Attributes.x"}`, "next", "b"), act("b", "EndFlowModuleExecution", `{}`)))
	wait, _ := imported(t, doc(act("a", "MessageParticipantIteratively", `{"Messages":[{"Text":"please wait"},{"Text":" more"}]}`)))
	if module.Kind != flow.KindSub {
		t.Errorf("the module is %s", module.Kind)
	}
	linked := flow.Link(main, func(r flow.Ref) *flow.Flow { return map[string]*flow.Flow{"mod-1": module, "queue-1": wait}[r.ID] })
	c := beginFlow(t, linked, map[string]any{"x": "1"})
	c.hear("module 1").played().hear("please wait more").played().hear("please wait more")
	if c.s.Placement == 0 {
		t.Error("not queued")
	}
	if len(main.Links) != 0 || len(main.Nodes) != 6 {
		t.Error("linking changed the flow itself")
	}
	beginFlow(t, main, nil).failed().hear("e")
	// modules that call each other do not run for ever
	round, _ := imported(t, doc(act("m", "InvokeFlowModule", `{"FlowModuleId":"mod-2"}`, "next", "bye", "on NoMatchingError", "e"), says("e")))
	beginFlow(t, flow.Link(round, func(flow.Ref) *flow.Flow { return round }), nil).hear("e")
}

// What a flow has learnt goes along to the next flow, but for its own flow attributes.
func TestStateGoesAlong(t *testing.T) {
	c := begin(t, doc(act("a", "UpdateContactAttributes", `{"Attributes":{"x":"1"}}`, "next", "f"), act("f", "UpdateFlowAttributes", `{"FlowAttributes":{"y":{"Value":"flow $.Attributes.x"}}}`, "next", "m"),
		act("m", "MessageParticipant", `{"Text":"$.FlowAttributes.y"}`, "next", "l"), act("l", "InvokeLambdaFunction", `{"LambdaFunctionARN":"f"}`, "next", "v"),
		act("v", "UpdateContactTextToSpeechVoice", `{"TextToSpeechVoice":"Vicki"}`, "next", "q"), act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "t"),
		act("t", "TransferToFlow", `{"ContactFlowId":"$.External.next"}`, "on NoMatchingError", "bye")), nil)
	c.hear("flow 1").played().answered(map[string]any{"next": "flow-2"})
	to := ""
	for _, o := range c.last {
		if o.Goto != nil {
			to = o.Goto.ID
		}
	}
	if to != "flow-2" {
		t.Errorf("handed over to %q: %+v", to, c.last)
	}
	next := begin(t, doc(act("m", "MessageParticipant", `{"Text":"$.Attributes.x $.External.next $.Queue.ARN [$.FlowAttributes.y] $.TextToSpeechVoiceId"}`, "next", "bye")), c.s.Vars)
	next.hear("1 flow-2 q-1 [] Vicki")
	if p := next.open().Play.Prompts[0]; p.Voice != "Vicki" || p.Language != "de-DE" {
		t.Errorf("%+v", p)
	}
}

func TestOtherActions(t *testing.T) {
	begin(t, doc(act("w", "Wait", `{"TimeLimitSeconds":"900","Events":["CustomerReturned"]}`, "if Equals CustomerReturned", "a", "if Equals WaitCompleted", "b", "on NoMatchingError", "c"), says("a"), says("b")), nil).
		result(flow.Event{Kind: flow.EvTimerFired}).hear("b")
	if ms := begin(t, doc(act("w", "Wait", `{"TimeLimitSeconds":"$.Attributes.n"}`, "next", "bye")), map[string]any{"n": "90"}).open().Timer.MS; ms != 90_000 {
		t.Errorf("waits %d ms", ms)
	}
	c := begin(t, doc(act("n", "UpdateContactCallbackNumber", `{"CallbackNumber":"+1 (415) 555-0123"}`, "next", "q", "on InvalidCallbackNumber", "a"),
		act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "b"),
		act("b", "CreateCallbackContact", `{"RetryDelaySeconds":"60","InitialCallDelaySeconds":"5","MaximumConnectionAttempts":"2"}`, "next", "bye", "on NoMatchingError", "a"), says("a")), nil)
	want := flow.Callback{Number: "+1 (415) 555-0123", Queue: "q-1", DelaySeconds: 5, RetrySeconds: 60, Attempts: 2}
	if diff := cmp.Diff(want, *c.open().Callback); diff != "" {
		t.Error(diff)
	}
	c.outcome("failed").hear("a")
	begin(t, doc(act("n", "UpdateContactCallbackNumber", `{"CallbackNumber":"none"}`, "next", "bye", "on InvalidCallbackNumber", "a"), says("a")), nil).hear("a")
	c = begin(t, doc(act("r", "UpdateContactRecordingBehavior", `{"RecordingBehavior":{"RecordedParticipants":["Agent","Customer"]}}`, "next", "l"),
		act("l", "UpdateFlowLoggingBehavior", `{"FlowLoggingBehavior":"Enabled"}`, "next", "a"), says("a")), nil).hear("a")
	if c.last[0].Record == nil || !c.last[0].Record.Agent || !c.last[0].Record.Customer {
		t.Errorf("%+v", c.last[0])
	}
	c = begin(t, doc(act("b", "ConnectParticipantWithLexBot", `{"Text":"how can I help","LexV2Bot":{"AliasArn":"bot-1"}}`, "if Equals Sales", "a", "on NoMatchingCondition", "b", "on NoMatchingError", "c"), says("a"), says("b"), says("c")), nil)
	c.answered(map[string]any{"IntentName": "Sales"}).hear("a")
	share := doc(act("d", "DistributeByPercentage", `{}`, "if NumberLessThan 31", "a", "on NoMatchingCondition", "b", "next", "b"), says("a"), says("b"))
	f, _ := imported(t, share)
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for seed := range uint64(5000) {
		_, out, _ := flow.Start(p, flow.Input{At: epoch, Seed: seed})
		if out.Commands[0].Play.Prompts[0].Text == "a" {
			n++
		}
	}
	if n < 1400 || n > 1600 {
		t.Errorf("30 percent of 5000 are %d", n)
	}
}

// What does not run here leaves by its error branch, visibly: at once, or when the hub was asked and cannot.
func TestUnsupportedTakesErrorBranch(t *testing.T) {
	for typ, asks := range map[string]string{
		"ShowView": flow.AskView, "CreateTask": flow.AskTask, "UpdateContactMediaStreamingBehavior": flow.AskStream, "GetCustomerProfile": "", "SomethingNew": "",
	} {
		c := begin(t, doc(act("u", typ, `{}`, "next", "a", "on NoMatchingError", "b", "on TimeLimitExceeded", "a"), says("a"), says("b")), nil)
		want := "not supported"
		if asks != "" {
			ask := c.open()
			if ask.Ask.What != asks {
				t.Errorf("%s asks for %s", typ, ask.Ask.What)
			}
			want = "cannot answer"
			c.step(flow.Event{Kind: flow.EvAnswer, Command: ask.ID, Outcome: "failed", Error: "this installation cannot answer " + asks})
		}
		c.hear("b")
		found := slices.ContainsFunc(c.trace, func(e flow.TraceEntry) bool {
			return e.Node == "u" && e.Port == flow.PortError && strings.Contains(e.Detail, want)
		})
		if !found {
			t.Errorf("%s: %+v", typ, c.trace)
		}
	}
}

// A page goes on by the action that was chosen on it, with what was entered there.
func TestShowViewGoesOnByItsAction(t *testing.T) {
	c := begin(t, doc(act("v", "ShowView", `{"ViewResource":{"Id":"form"},"ViewData":{"title":"Hello"}}`, "if Equals Back", "a", "if Equals Next", "b", "on NoMatchingCondition", "a"),
		says("a"), act("b", "MessageParticipant", `{"Text":"$.Views.ViewResultData.name"}`)), nil)
	ask := c.open()
	if ask.Ask.Ref != "form" || ask.Ask.Params["title"] != "Hello" {
		t.Errorf("%+v", ask.Ask)
	}
	c.step(flow.Event{Kind: flow.EvAnswer, Command: ask.ID, Outcome: "Next", Fields: map[string]any{"name": "Ada"}}).hear("Ada")
}

// A caller whose agent has left goes on with the flow that was chosen for that.
func TestCustomerRemaining(t *testing.T) {
	c := begin(t, doc(act("h", "UpdateContactEventHooks", `{"EventHooks":{"CustomerRemaining":"survey"}}`, "next", "q"),
		act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "t"), act("t", "TransferContactToQueue", `{}`)), nil)
	c.step(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a1", Name: "Ada Lovelace"}}).step(flow.Event{Kind: flow.EvAgentDisconnected})
	if len(c.last) == 0 || c.last[0].Goto == nil || c.last[0].Goto.ID != "survey" || !c.s.Over {
		t.Errorf("%+v", c.last)
	}
}

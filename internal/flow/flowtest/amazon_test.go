package flowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

const support = `
vars: {topic: none}
nodes:
  Hours: {op: hours, in: {hours: "arn:aws:connect:x:1:instance/i/operating-hours/BasicHours"}, exits: {"hours:work": Menu, ok: Closed}}
  Closed: {op: say, in: {prompts: We are closed}, exits: Bye}
  Menu:
    op: menu
    in: {prompts: "Thank you for calling Example Support. Press one for sales.", digits: ["1", "2"], entryTimeoutMS: 5000}
    exits: {"digit:1": Sales, "digit:2": Number, timeout: Bye}
  Number: {op: collect, in: {prompts: Your number, min: 1, max: 9, terminators: "#"}, exits: {ok: Keep, timeout: Bye, nomatch: Bye}}
  Keep: {op: set, in: {sets: {topic: "{{ Number.DigitsEntered }}"}}, exits: Sales}
  Sales: {op: queue, in: {queue: "arn:aws:connect:x:1:instance/i/queue/q-1", queueName: Sales queue}, exits: {ok: Music, failure: Full}}
  Full: {op: say, in: {prompts: All lines are busy}, exits: Bye}
  Music: {op: music, in: {file: x.wav}, exits: Music}
  Bye: {op: hangup}
`

func observation(id, event, actions, next string) string {
	return fmt.Sprintf(`{"Identifier":%q,"Event":%s,"Usage":{"Type":"EXACTLY"},"Actions":[%s],"Transitions":{"NextObservations":[%s]}}`, id, event, actions, next)
}

func heard(text, how string) string {
	return fmt.Sprintf(`{"Type":"MessageReceived","Actor":"System","Properties":{"Text":%q,"MatchingCriteria":{"Type":%q}}}`, text, how)
}

func press(keys string) string {
	return fmt.Sprintf(`{"Identifier":"p","Type":"SendInstruction","Parameters":{"ActionType":"SendInstruction","Actor":"Customer",`+
		`"Instruction":{"Type":"DtmfInput","Properties":{"Value":%s}}},"Transitions":{"NextAction":""}}`, keys)
}

func assert(path, op, want string) string {
	return fmt.Sprintf(`{"Identifier":"a","Type":"Assert","Parameters":{"Namespace":%q,"Operator":%q,"Operand":%q}}`, path, op, want)
}

func mock(action, params, response string) string {
	return fmt.Sprintf(`{"Identifier":"o","Type":"OverrideSystemBehavior","Parameters":{"ActionType":"OverrideSystemBehavior","Behavior":{"Type":"FlowAction",`+
		`"Properties":{"ActionType":%q,"ActionParameters":%s,"Strategy":{"Type":"MockResponse","Response":%s}}}}}`, action, params, response)
}

const (
	initiated = `{"Identifier":"e","Type":"TestInitiated","Actor":"System","Properties":{}}`
	toQueue   = `{"Type":"FlowActionStarted","Actor":"System","Properties":{"ActionType":"TransferContactToQueue","ActionParameters":{"QueueId":"arn:aws:connect:y:2:instance/j/queue/q-1"}}}`
	toOther   = `{"Type":"FlowActionStarted","Actor":"System","Properties":{"ActionType":"TransferContactToQueue","ActionParameters":{"QueueId":"q-2"}}}`
	endTest   = `{"Identifier":"x","Type":"TestControl","Parameters":{"ActionType":"TestControl","Command":{"Type":"EndTest"}}}`
	hangUp    = `{"Identifier":"h","Type":"SendInstruction","Parameters":{"Instruction":{"Type":"Disconnect"}}}`
)

// TestAmazon plays tests in the testing language: what must pass passes, and what must fail is named.
func TestAmazon(t *testing.T) {
	t.Parallel()
	hello := heard("Thank you for calling", "Inclusion")
	outOfHours := mock("CheckHoursOfOperation", `{"HoursOfOperationId":"BasicHours"}`, `{"Type":"ExecutionResult","ExecutionResult":{"Value":"OutOfHours"}}`)
	full := mock("TransferContactToQueue", `{"QueueId":"q-1"}`, `{"Type":"Error","Error":{"Value":"QueueAtCapacity"}}`)
	for _, c := range []struct{ name, observations, fails string }{
		{
			"to the queue", observation("a", initiated, "", `"b"`) + "," + observation("b", hello, press("1"), `"c"`) + "," +
				observation("c", toQueue, assert("$.CustomerEndpoint.Address", "TextStartsWith", "+1")+","+endTest, ""), "",
		},
		{
			"a queue that is asserted", observation("a", initiated, "", `"b"`) + "," + observation("b", hello, press(`"2"`), `"c"`) + "," +
				observation("c", heard("your number", "Inclusion"), press(`"77#"`), `"d"`) + "," +
				observation("d", `{"Type":"TestCompleted"}`, assert("$.Queue.Name", "Equals", "Sales queue")+","+assert("$.Attributes.topic", "NumberGreaterThan", "76"), ""), "",
		},
		{
			"similar words", observation("a", initiated, "", `"b"`) + "," +
				observation("b", heard("Thanks for calling Example Support, press one for sales", "Similarity"), hangUp, ""), "",
		},
		{
			"other words", observation("a", initiated, "", `"b"`) + "," + observation("b", heard("Bonjour tout le monde", "Similarity"), "", ""),
			`"b" did not come`,
		},
		{
			"another queue", observation("a", initiated, "", `"b"`) + "," + observation("b", hello, press("1"), `"c"`) + "," +
				observation("c", toOther, endTest, ""), `"c" did not come`,
		},
		{"closed", observation("a", initiated, outOfHours, `"b"`) + "," + observation("b", heard("we are closed", "Inclusion"), "", ""), ""},
		{"not closed", observation("a", initiated, "", `"b"`) + "," + observation("b", heard("we are closed", "Inclusion"), "", ""), "did not come"},
		{
			"full", observation("a", initiated, full, `"b"`) + "," + observation("b", hello, press("1"), `"c"`) + "," +
				observation("c", heard("lines are busy", "Inclusion"), "", ""), "",
		},
		{
			"a wrong assertion", observation("a", initiated, "", `"b"`) + "," + observation("b", hello, assert("$.Attributes.topic", "Equals", "x")+","+endTest, ""),
			`$.Attributes.topic is "none", which fails Equals "x"`,
		},
		{
			"what does not exist", observation("a", initiated, "", `"b"`) + "," + observation("b", hello, assert("$.Attributes.nope", "Exists", "")+","+endTest, ""),
			"Exists",
		},
	} {
		s, err := flowtest.ParseSuite([]byte(`{"Version":"2025-06-21","Metadata":{"Name":"` + c.name + `"},"Observations":[` + c.observations + `]}`))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rep := parse(t, support).RunSuite(s)
		got := strings.Join(rep.Tests[0].Failures, "\n")
		if c.fails == "" && got != "" || !strings.Contains(got, c.fails) {
			t.Errorf("%s: failures %q\n%s", c.name, got, rep.Tests[0].Result.Text())
		}
		if rep.Tests[0].Name != c.name {
			t.Errorf("the name is %q", rep.Tests[0].Name)
		}
	}
}

package flow_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/webex"
)

var update = flag.Bool("update", false, "rewrite the table in docs/flows.md")

// notes say what a reader must know of a type beyond how it is read.
var notes = map[string]string{
	"webex subflow-handoff":         "runs within the flow, in the version pinned when the call began; variables are its own but for those passed by the mappings, global ones and those that agents see",
	"webex advanced-queue-info":     "figures of the whole queue, not by skill",
	"webex scheduled-callback":      "called back at once, not at a time",
	"webex start-media-stream":      "passed over",
	"webex RecordingControl":        "both sides or none, by the variable",
	"webex SetCallerID":             "what transfers and calls back show from then on",
	"webex set-whisperannouncement": "passed over", "webex set-announcement": "passed over", "webex Feedback": "passed over", "webex Feedback-V2": "passed over",
	"webex send-digits":        "as RFC 4733 events; a comma is a pause. Where the caller's side takes none, it leaves by failure",
	"webex record":             "kept with the contact's recordings; recordingId and durationMS say which and how long",
	"webex escalate-cdg":       "passed over: any agent of the queue",
	"webex fn-activity":        "the hub calls what stands for the function, with its inputs as a JSON object; the answer is the node's outputs",
	"webex generate-otp":       "kept for this contact, with as many as 10 wrong entries; every field that is read of the node is the password",
	"webex verify-otp":         "one that is no longer valid leaves by resend",
	"webex cryptographic-hash": "hexadecimal, of the salt followed by the input; every field that is read of the node is the hash, or the salt where its name says so",
	"webex bre-request":        "leaves by its error port", "webex upload-audio": "leaves by its error port", "webex call-progress-analysis": "leaves by its error port",

	"connect ShowView":                                   "desks show no pages of flows: leaves by its error branch",
	"connect CreateTask":                                 "there are no tasks: leaves by its error branch",
	"connect UpdateContactMediaStreamingBehavior":        "audio is sent to no other system: leaves by its error branch",
	"connect-legacy StartMediaStreaming":                 "audio is sent to no other system: leaves by its error branch",
	"connect-legacy StopMediaStreaming":                  "audio is sent to no other system: leaves by its error branch",
	"connect InvokeLambdaFunction":                       "the hub calls what stands for the function, with the event that Amazon Connect sends; the answer is $.External",
	"connect GetParticipantInput":                        "approximated with InputEncryption: the entry is kept as a secure variable",
	"connect UpdateContactEventHooks":                    "CustomerQueue and CustomerRemaining run; flows for other hooks are kept and not played",
	"connect TransferContactToQueue":                     "plays the flow of the CustomerQueue hook, else music",
	"connect UpdateContactRoutingBehavior":               "priorities beyond 10 count as 10",
	"connect UpdateContactRoutingCriteria":               "passed over: any agent of the queue",
	"connect UpdateRoutingCriteria":                      "passed over: any agent of the queue",
	"connect ConnectParticipantWithLexBot":               "the hub asks its own dialogue platform; without one it leaves by its error branch",
	"connect UpdateContactAttributes":                    "approximated for TargetContact Related: passed over",
	"connect UpdateContactData":                          "LanguageCode, CustomerId, Name and Description; approximated with other fields",
	"connect UpdateContactRecordingBehavior":             "approximated with analytics: there are none",
	"connect UpdateContactRecordingAndAnalyticsBehavior": "the recording part",
	"connect UpdateContactTextToSpeechVoice":             "the voice's language is taken, and the voice where the synthesizer has it",
	"connect UpdateFlowLoggingBehavior":                  "every call is traced",
	"connect MessageParticipant":                         "SSML is spoken as plain text with its pauses",
	"connect CheckHoursOfOperation":                      "holidays count as closed, and overrides unless they say open",
	"connect CheckMetricData":                            "approximated for an agent: the figures are the queue's",
	"connect InvokeFlowModule":                           "runs within the flow, in the version pinned when the call began",
	"connect Wait":                                       "only the time ends it: CustomerReturned is for chats",
	"connect DistributeByPercentage":                     "drawn by the seed of the event, so that a replay takes the same branch",
	"connect MessageParticipantIteratively":              "interrupted at the end of a prompt at the latest",
}

// unsupportedTypes are types that are kept, and leave by their error branch.
var unsupportedTypes = map[string][]string{
	"webex": {"bre-request", "call-progress-analysis", "upload-audio"},
	"connect": {
		"AssociateContactToCustomerProfile", "CreateCase", "CreateCustomerProfile", "CreateWisdomSession", "GetCalculatedAttributesForCustomerProfile", "GetCase",
		"GetCustomerProfile", "GetCustomerProfileObject", "UpdateCase", "UpdateCustomerProfile",
	},
	"connect-legacy": {"HoldParticipant"},
}

// statusOf imports one node of a type and says how it is read.
func statusOf(t *testing.T, format, typ string) (flow.Op, string) {
	t.Helper()
	var src string
	switch format {
	case "webex":
		group, name := "action", typ
		if typ == "event" {
			group = typ
		}
		src = fmt.Sprintf(`{"process":{"activities":{"s":{"group":"start","name":"S"},"n":{"name":"N","group":%q,"properties":{"activityName":%q,"duration":"00:00:05"}}},"links":[]},"eventFlows":{"eventsMap":{}}}`, group, name)
		if typ == "start" {
			return flow.OpStart, "mapped"
		}
	case "connect":
		params := `{}`
		if strings.Contains(typ, "Recording") {
			params = `{"RecordingBehavior":{}}`
		}
		src = fmt.Sprintf(`{"Version":"2019-10-30","StartAction":"n","Actions":[{"Identifier":"n","Type":%q,"Parameters":%s}]}`, typ, params)
	default:
		src = fmt.Sprintf(`{"start":"n","modules":[{"id":"n","type":%q,"parameters":[],"branches":[]}]}`, typ)
	}
	f, rep, err := allFormats.Import([]byte(src))
	if err != nil {
		t.Fatalf("%s %s: %v", format, typ, err)
	}
	n := f.Nodes["n"]
	switch {
	case n.Op == flow.OpUnsupported:
		return n.Op, "unsupported"
	case rep.Approximated > 0:
		return n.Op, "approximated"
	}
	return n.Op, "mapped"
}

// The table in docs/flows.md says what the importers do.
func TestDocsTellTheTruth(t *testing.T) {
	const path, begin, end = "../../docs/flows.md", "<!-- types: written by go test ./internal/flow -run DocsTellTheTruth -update -->\n", "<!-- end of types -->"
	types := map[string][]string{"webex": webex.Types(), "connect": connect.Types(), "connect-legacy": connect.LegacyTypes()}
	var b strings.Builder
	b.WriteString("\n| type | format | operation | how | note |\n|---|---|---|---|---|\n")
	for _, format := range []string{"webex", "connect", "connect-legacy"} {
		list := slices.Concat(types[format], unsupportedTypes[format])
		slices.Sort(list)
		for _, typ := range slices.Compact(list) {
			op, how := statusOf(t, format, typ)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", typ, format, op, how, notes[format+" "+typ])
		}
	}
	b.WriteString("\n")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/flows.md has no place for the table")
	}
	if table == b.String() {
		return
	}
	if !*update {
		t.Fatal("the table in docs/flows.md is not what the importers do: run this test with -update")
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

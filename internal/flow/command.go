package flow

import "encoding/json"

// CommandID names a command within its session.
type CommandID int64

// CommandKind says which payload a Command carries.
type CommandKind string

// Kinds of commands. The comment says which event answers.
const (
	CmdPlay      CommandKind = "play"      // EvPromptDone
	CmdMusic     CommandKind = "music"     // EvPromptDone
	CmdGather    CommandKind = "gather"    // EvGathered
	CmdHTTP      CommandKind = "http"      // EvHTTPResult
	CmdEnqueue   CommandKind = "enqueue"   // EvQueued (optional), EvQueueFailed, EvAgentAnswered
	CmdTimer     CommandKind = "timer"     // EvTimerFired
	CmdTransfer  CommandKind = "transfer"  // EvAnswer, outcome "ok" or "failed"
	CmdCallback  CommandKind = "callback"  // EvAnswer, outcome "ok" or "failed"
	CmdAsk       CommandKind = "ask"       // EvAnswer, outcome by Ask.What
	CmdScreenPop CommandKind = "screenPop" // none
	CmdSetCAD    CommandKind = "setCAD"    // none
	CmdPriority  CommandKind = "priority"  // none
	CmdHangup    CommandKind = "hangup"    // none; EvHungUp or EvContactEnded follows by itself
	CmdGoto      CommandKind = "goto"      // none; the driver starts the other flow's session
	CmdRecord    CommandKind = "record"    // none
	CmdCancel    CommandKind = "cancel"    // none
	CmdEnded     CommandKind = "ended"     // none
)

// Command is something the driver is to do. Exactly the payload of its Kind is set. Commands are plain data and may be
// stored; nobody changes a command after Step has returned it.
type Command struct {
	ID     CommandID   `json:"id"`
	Kind   CommandKind `json:"kind"`
	Thread int         `json:"thread"`
	Node   NodeID      `json:"node,omitempty"`

	Play      *Play      `json:"play,omitempty"`
	Music     *Music     `json:"music,omitempty"`
	Gather    *Gather    `json:"gather,omitempty"`
	HTTP      *HTTP      `json:"http,omitempty"`
	Enqueue   *Enqueue   `json:"enqueue,omitempty"`
	Timer     *Timer     `json:"timer,omitempty"`
	Transfer  *Transfer  `json:"transfer,omitempty"`
	Callback  *Callback  `json:"callback,omitempty"`
	Ask       *Ask       `json:"ask,omitempty"`
	ScreenPop *ScreenPop `json:"screenPop,omitempty"`
	SetCAD    []CADValue `json:"setCAD,omitempty"`
	// Priority is the contact's new priority, 1 (first) to 10; 0 leaves it. AgeAdjustSeconds is by how much it counts as older
	// than it is from now on; nil leaves it.
	Priority         int          `json:"priority,omitempty"`
	AgeAdjustSeconds *int         `json:"ageAdjustSeconds,omitempty"`
	Goto             *Destination `json:"goto,omitempty"`
	// Cancel is the outstanding command to stop.
	Cancel CommandID `json:"cancel,omitempty"`
	Ended  *Ended    `json:"ended,omitempty"`
	// Record says who is to be recorded from now on.
	Record *Record `json:"record,omitempty"`
}

// PromptKind says what a Prompt is.
type PromptKind string

// Kinds of prompts.
const (
	PromptTTS  PromptKind = "tts"
	PromptFile PromptKind = "file"
)

// KindSSML is a kind of prompt in a flow: marked-up text, which is spoken as plain text.
const KindSSML = "ssml"

// Prompt is one piece of audio: a text to speak or a file to play.
type Prompt struct {
	Kind     PromptKind `json:"kind"`
	Text     string     `json:"text,omitempty"`
	File     string     `json:"file,omitempty"`
	Fixed    bool       `json:"fixed,omitempty"`    // the text is the flow's own: nothing of a caller is in it
	Language string     `json:"language,omitempty"` // BCP 47, e.g. "en-US"
	Voice    string     `json:"voice,omitempty"`
	Rate     float64    `json:"rate,omitempty"` // 1 is normal, 0 not said
	GainDB   float64    `json:"gainDB,omitempty"`
}

// Play plays prompts one after the other.
type Play struct {
	Prompts       []Prompt `json:"prompts"`
	Interruptible bool     `json:"interruptible,omitempty"`
	// LimitMS is when playing stops even if it has not come to its end; 0 is no limit.
	LimitMS int `json:"limitMS,omitempty"`
}

// Record says who is recorded; with both false recording stops.
type Record struct {
	Agent    bool `json:"agent"`
	Customer bool `json:"customer"`
}

// Music plays one file from OffsetMS on, once, and for DurationMS at most. 0 means to the end of the file.
type Music struct {
	File       string `json:"file"`
	DurationMS int    `json:"durationMS,omitempty"`
	OffsetMS   int    `json:"offsetMS,omitempty"`
}

// Gather plays prompts and reads Min to Max digits.
type Gather struct {
	Prompts             []Prompt `json:"prompts,omitempty"`
	Min                 int      `json:"min"`
	Max                 int      `json:"max"`
	Terminators         string   `json:"terminators,omitempty"`
	EntryTimeoutMS      int      `json:"entryTimeoutMS"`
	InterDigitTimeoutMS int      `json:"interDigitTimeoutMS,omitempty"`
	Interruptible       bool     `json:"interruptible,omitempty"`
}

// Pair is a name with its value, where order is kept.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// HTTP is a request. With a connector, URL is usually empty and Path relative to the connector's base; the connector adds the
// credentials, and Path is appended to the base as text: it never names a host, whatever it begins with. Path and URL are already encoded and go out byte for byte; Query is not encoded and is appended to them.
// Retries apply to 5xx answers and transport errors only.
type HTTP struct {
	Connector     string `json:"connector,omitempty"`
	ConnectorName string `json:"connectorName,omitempty"`
	Method        string `json:"method"`
	URL           string `json:"url,omitempty"`
	Path          string `json:"path,omitempty"`
	Headers       []Pair `json:"headers,omitempty"`
	Query         []Pair `json:"query,omitempty"`
	Body          string `json:"body,omitempty"`
	ContentType   string `json:"contentType,omitempty"`
	TimeoutMS     int    `json:"timeoutMS"`
	Retries       int    `json:"retries,omitempty"`
}

// SkillNeed is a condition on an agent's skill. Op is one of gte, lte, is, isnot.
type SkillNeed struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Op    string `json:"op"`
	Value string `json:"value"`
}

// Enqueue places the contact in a queue, or with Agent set offers it to that agent. Queue is our identifier if the reference
// is bound and else the source system's; QueueName helps to find it.
type Enqueue struct {
	Queue     string `json:"queue"`
	QueueName string `json:"queueName,omitempty"`
	Fallback  string `json:"fallback,omitempty"`
	// Priority is 1 (first) to 9; 10 when none is said or what was said is no priority.
	Priority int         `json:"priority"`
	Skills   []SkillNeed `json:"skills,omitempty"`
	Agent    string      `json:"agent,omitempty"`
	// AgentBy says what Agent is: id or email.
	AgentBy string `json:"agentBy,omitempty"`
	// Park keeps the contact waiting for a busy agent.
	Park bool `json:"park,omitempty"`
	// AgeAdjustSeconds is by how much the contact counts as older than it is; negative is younger.
	AgeAdjustSeconds int `json:"ageAdjustSeconds,omitempty"`
}

// Timer asks for a TimerFired event after MS milliseconds.
type Timer struct {
	MS int64 `json:"ms"`
}

// Transfer sends the caller to Number; Bridged transfers come back when the other side hangs up.
type Transfer struct {
	Number    string `json:"number"`
	Bridged   bool   `json:"bridged,omitempty"`
	TimeoutMS int    `json:"timeoutMS,omitempty"`
	// CallerID is the number to show, and Digits what to send once the other side has answered.
	CallerID string `json:"callerId,omitempty"`
	Digits   string `json:"digits,omitempty"`
}

// Callback registers a call back to Number.
type Callback struct {
	Number string `json:"number"`
	Queue  string `json:"queue,omitempty"`
	ANI    string `json:"ani,omitempty"`
	// DelaySeconds is the time before the first attempt and RetrySeconds that between attempts; Attempts 0 is as the
	// installation has it.
	DelaySeconds int `json:"delaySeconds,omitempty"`
	RetrySeconds int `json:"retrySeconds,omitempty"`
	Attempts     int `json:"attempts,omitempty"`
}

// What an Ask command asks for, with the outcomes of its EvAnswer.
const (
	// AskHours asks what hours of operation say of this moment: work, holiday, override, closed, or failed. Without Ref and Name it is that
	// of the queue in Params: queueBound, queue, queueName. The field open says whether it is a time of work.
	AskHours = "hours"
	// AskQueueInfo: ok, insufficient (no estimated wait), failed; Fields: PIQ, EWT (ms, -1 unknown), CallsQueuedNow, OldestCallTime
	// (ms), LoggedOnAgentsAll, LoggedOnAgentsCurrent, AvailableAgents, and of the agents logged on StaffedAgents, BusyAgents,
	// AfterContactWorkAgents, MissedAgents and NonProductiveAgents. Params: lookbackMinutes.
	AskQueueInfo = "queueInfo"
	AskBot       = "bot" // ended, escalate, failed; Fields are the node's outputs
	AskSub       = "sub" // ok, failed; Fields are the outputs
	// AskSendDigits sends Params["digits"] on the caller's line, a comma being a pause: ok when they have been sent, failed.
	AskSendDigits = "sendDigits"
	// AskRecordMessage records what the caller says, by Params tone, silenceMS, maxMS and terminators: ok with the
	// Fields recordingId and durationMS, timeout (nothing was said), failed.
	AskRecordMessage = "recordMessage"
	// AskView shows the page Ref with Params: the outcome is the action that was chosen there, Fields what was entered; failed.
	AskView = "view"
	// AskStream starts or stops sending the audio elsewhere, by Params state (Enabled, Disabled), track and sink: ok, failed.
	AskStream = "stream"
	// AskTask makes a task with Params for the flow Ref: ok with its identifier in Fields, failed.
	AskTask = "task"
	// AskFunction runs the function Ref names with Payload, a JSON document: ok with its answer as Fields, or failed, also
	// when it took longer than TimeoutMS. The answer to an Async one is not waited for.
	AskFunction = "function"
	// AskTreatment plays the flow Ref to a contact that waits in a queue; ok when that has ended, or failed.
	AskTreatment = "treatment"
)

// Ask asks the driver for something outside the flow.
type Ask struct {
	What   string            `json:"what"`
	Ref    string            `json:"ref,omitempty"`
	Name   string            `json:"name,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	// Payload, TimeoutMS and Async are those of AskFunction. For flows of Amazon Connect the payload has the form of its event
	// ("ContactFlowEvent"), so that functions written for it run unchanged; for others it is an object of the parameters.
	Payload   json.RawMessage `json:"payload,omitempty"`
	TimeoutMS int             `json:"timeoutMS,omitempty"`
	Async     bool            `json:"async,omitempty"`
}

// ScreenPop opens URL at the agent's desk.
type ScreenPop struct {
	URL    string `json:"url"`
	Label  string `json:"label,omitempty"`
	Target string `json:"target,omitempty"` // sameBrowserTab, newBrowserTab, insideDesktop
}

// CADValue is one agent-viewable variable that changed.
type CADValue struct {
	Name     string `json:"name"`
	Label    string `json:"label,omitempty"`
	Value    string `json:"value"`
	Editable bool   `json:"editable,omitempty"`
	Secure   bool   `json:"secure,omitempty"`
}

// Destination names another flow.
type Destination struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Ended says that a thread is over, and with Session set that the session is.
type Ended struct {
	Thread  int    `json:"thread"`
	Session bool   `json:"session,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

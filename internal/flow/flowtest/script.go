package flowtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read.
const (
	// MaxBytes is the longest script or suite that is read.
	MaxBytes = 4 << 20
	// MaxItems is how many entries a list of a script or a suite may have.
	MaxItems = 2000
	// MaxEntry is how many keys one entry may have.
	MaxEntry = 200
	// MaxSteps is the highest limit that a script may set.
	MaxSteps = 200_000
)

// Script says what the world around a flow does in one call. The zero value is the default: a caller who presses nothing,
// servers that know nothing (404 and an empty JSON object), an agent who answers after five seconds and a caller who hangs
// up after thirty seconds of talk.
type Script struct {
	// From and To are the caller's and the called number.
	From       string            `yaml:"from"`
	To         string            `yaml:"to"`
	ID         string            `yaml:"id"` // the interaction id
	EntryPoint string            `yaml:"entryPoint"`
	Channel    string            `yaml:"channel"`
	Language   string            `yaml:"language"`
	Headers    map[string]string `yaml:"headers"`
	// At is the moment the call comes in; the clock of a run is virtual. Seed is the chance that splits draw from.
	At   time.Time `yaml:"at"`
	Seed uint64    `yaml:"seed"`
	// Vars are values of the flow's variables at the start.
	Vars map[string]any `yaml:"vars"`

	Digits []Entry    `yaml:"digits"`
	HTTP   []Answer   `yaml:"http"`
	Queue  []Queueing `yaml:"queue"`
	// Answers are replies of bots, sub-flows, hours of operation, queue figures, transfers, callbacks and functions.
	Answers []Reply `yaml:"answers"`
	// PlayErrors are patterns of prompts (their text or file) that cannot be played.
	PlayErrors []string `yaml:"playErrors"`

	Talk   Talk    `yaml:"talk"`
	HangUp *HangUp `yaml:"hangUp"`
	// Patience is how long a caller waits in a queue where nobody answers; 0 means five minutes.
	Patience Duration `yaml:"patience"`
	// Stay is how long a caller stays on the line without talking to an agent; 0 means an hour.
	Stay Duration `yaml:"stay"`
	// Disposition is the wrap-up code that the contact's end brings.
	Disposition string   `yaml:"disposition"`
	Events      []Custom `yaml:"events"`
	Limits      Limits   `yaml:"limits"`
}

// Entry is what the caller presses when asked. Entries with Node or Prompt wait for that question; the others are used one
// after the other. Without an entry the caller presses nothing.
type Entry struct {
	Enter string `yaml:"enter"`
	// Node is the name of the asking node; Prompt is a part of what was said since the last entry, in any case.
	Node   string `yaml:"node"`
	Prompt string `yaml:"prompt"`
	// After is the pause between the end of the prompt and the first key.
	After Duration `yaml:"after"`
	// Early presses the keys while the prompt still plays: they are lost if it may not be interrupted.
	Early bool `yaml:"early"`
	// Repeat keeps the entry for further questions.
	Repeat bool `yaml:"repeat"`
}

// Answer is what a server says to requests that match. Answers are tried in order.
type Answer struct {
	// Method is empty or * for any. URL is a pattern with * for any text, compared with the whole address, the address
	// without its query, and the path.
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Node    string            `yaml:"node"` // the name of the asking node; empty is any
	Status  int               `yaml:"status"`
	Headers map[string]string `yaml:"headers"`
	Body    Body              `yaml:"body"`
	// Error is a failure of transport: no answer comes.
	Error string `yaml:"error"`
	// Delay is how long the answer takes; longer than the request's time-out is a failure of transport.
	Delay Duration `yaml:"delay"`
	// Times is how often the answer is given; 0 is without limit.
	Times int `yaml:"times"`
}

// Queueing is what happens to a contact in a queue. The first unused one that matches is used; the last one that
// matches is used again for further placements.
type Queueing struct {
	// Queue is a pattern for the queue's name or identifier; empty is any.
	Queue string `yaml:"queue"`
	// Answer is when the agent answers, Ring how long the agent is offered the contact before that.
	Answer *Duration `yaml:"answer"`
	Ring   *Duration `yaml:"ring"`
	// Unanswered is the number of offers that come to nothing first.
	Unanswered int `yaml:"unanswered"`
	// NoAnswer means that no agent ever answers, Full that the queue takes nobody, Fail another reason for that.
	NoAnswer bool   `yaml:"noAnswer"`
	Full     bool   `yaml:"full"`
	Fail     string `yaml:"fail"`
	// HangUp is when the caller gives up waiting.
	HangUp *Duration `yaml:"hangUp"`
	Agent  Agent     `yaml:"agent"`
}

// Agent is who answers.
type Agent struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name"`
	DN    string `yaml:"dn"`
	Email string `yaml:"email"`
	Team  string `yaml:"team"`
}

// Reply answers what a flow asks of the installation.
type Reply struct {
	// To is what is answered: hours, queueInfo, bot, sub, transfer, callback, or another kind of question; empty is any.
	To string `yaml:"to"`
	// Ref is a pattern for the name, identifier or number asked about; empty is any.
	Ref string `yaml:"ref"`
	// Outcome is as in the driver's contract, e.g. work, closed, ok, failed, escalate.
	Outcome string         `yaml:"outcome"`
	Fields  map[string]any `yaml:"fields"`
	Error   string         `yaml:"error"`
	After   Duration       `yaml:"after"`
	// Times is how often the reply is given; 0 is without limit.
	Times int `yaml:"times"`
}

// Talk is the conversation with an agent.
type Talk struct {
	// For is how long it lasts; nil means 30 s. By says who ends it: caller (default) or agent, who leaves the caller on the
	// line.
	For   *Duration `yaml:"for"`
	By    string    `yaml:"by"`
	Edits []Edit    `yaml:"edits"`
}

// Edit is a change of variables by the agent.
type Edit struct {
	After Duration       `yaml:"after"` // since the agent answered
	Vars  map[string]any `yaml:"vars"`
}

// HangUp says when the caller hangs up by himself: After the call began, when a node is reached, or when a prompt is heard.
type HangUp struct {
	After  Duration `yaml:"after"`
	Node   string   `yaml:"node"`
	Prompt string   `yaml:"prompt"`
}

// Custom is another event for the flow's handlers.
type Custom struct {
	After  Duration       `yaml:"after"`
	Name   string         `yaml:"name"`
	Fields map[string]any `yaml:"fields"`
}

// Limits end a run that would go on for ever. Zero values mean the defaults.
type Limits struct {
	Steps int      `yaml:"steps"` // nodes run; default 20,000
	Loops int      `yaml:"loops"` // times one node is run; default 1,500
	Time  Duration `yaml:"time"`  // virtual time; default seven days
}

// Duration is a time span: a text such as 1m30s, or a number of seconds.
type Duration time.Duration

// maxDuration keeps sums of spans within what a clock can tell.
const maxDuration = 100 * 24 * time.Hour

// UnmarshalYAML reads a span.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a time span such as 5s is needed", n.Line)
	}
	if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f >= 0 && f <= maxDuration.Seconds() {
		*d = Duration(f * float64(time.Second))
		return nil
	}
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 || v > maxDuration {
		return fmt.Errorf("line %d: %.40q is not a time span: write 500ms, 5s or 1m30s (at most 100 days)", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the span as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Body is the content of an answer: text as it is, anything else as JSON.
type Body string

// UnmarshalYAML reads a body.
func (b *Body) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		*b = Body(n.Value)
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	data, err := json.Marshal(value(v))
	if err != nil {
		return fmt.Errorf("line %d: the body cannot be written as JSON: %w", n.Line, err)
	}
	*b = Body(data)
	return nil
}

// UnmarshalYAML reads an entry, or the mere keys.
func (e *Entry) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		e.Enter = n.Value
		if n.Tag == "!!null" {
			e.Enter = ""
		}
		return e.check(n.Line)
	}
	type plain Entry
	if err := known(n, "enter", "node", "prompt", "after", "early", "repeat"); err != nil {
		return err
	}
	if err := n.Decode((*plain)(e)); err != nil {
		return err
	}
	return e.check(n.Line)
}

func (e *Entry) check(line int) error {
	if len(e.Enter) > MaxEntry || strings.Trim(e.Enter, "0123456789*#ABCD") != "" {
		return fmt.Errorf("line %d: %.40q cannot be entered on a telephone: use 0-9, *, # and A-D", line, e.Enter)
	}
	return nil
}

// known refuses other fields than those named; types that read themselves escape the decoder's own check.
func known(n *yaml.Node, names ...string) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		found := false
		for _, name := range names {
			found = found || n.Content[i].Value == name
		}
		if !found {
			return fmt.Errorf("line %d: field %.40s is not known: use %s", n.Content[i].Line, n.Content[i].Value, strings.Join(names, ", "))
		}
	}
	return nil
}

// ParseScript reads a script from YAML. Its error names the line.
func ParseScript(data []byte) (*Script, error) {
	s := new(Script)
	if err := decode(data, s); err != nil {
		return nil, fmt.Errorf("reading a script: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("reading a script: %w", err)
	}
	return s, nil
}

// check refuses what cannot be meant.
func (s *Script) check() error {
	for _, n := range []int{
		len(s.Digits), len(s.HTTP), len(s.Queue), len(s.Answers), len(s.PlayErrors), len(s.Talk.Edits), len(s.Events), len(s.Vars), len(s.Headers),
	} {
		if n > MaxItems {
			return fmt.Errorf("a list has %d entries, at most %d are read", n, MaxItems)
		}
	}
	switch s.Talk.By {
	case "", byCaller, byAgent:
	default:
		return fmt.Errorf("talk.by is %.40q; it is caller or agent", s.Talk.By)
	}
	for i, a := range s.HTTP {
		if a.Status != 0 && (a.Status < 100 || a.Status > 599) {
			return fmt.Errorf("http[%d].status is %d, which is no HTTP status", i, a.Status)
		}
	}
	s.Vars = values(s.Vars)
	for i := range s.Answers {
		s.Answers[i].Fields = values(s.Answers[i].Fields)
	}
	for i := range s.Talk.Edits {
		s.Talk.Edits[i].Vars = values(s.Talk.Edits[i].Vars)
	}
	for i := range s.Events {
		s.Events[i].Fields = values(s.Events[i].Fields)
	}
	for _, n := range []int{s.Limits.Steps, s.Limits.Loops} {
		if n < 0 || n > MaxSteps {
			return fmt.Errorf("a limit is %d; it is between 1 and %d, or 0 for the default", n, MaxSteps)
		}
	}
	return nil
}

// values makes what YAML holds into values of flows: whole numbers are int64, names are text.
func values(m map[string]any) map[string]any {
	for k, v := range m {
		m[k] = value(v)
	}
	return m
}

func value(v any) any {
	switch t := v.(type) {
	case int:
		return int64(t)
	case uint64:
		return float64(t)
	case time.Time:
		return t.UTC().Format(time.RFC3339)
	case map[string]any:
		return values(t)
	case map[any]any:
		m := make(map[string]any, len(t))
		for k, x := range t {
			m[fmt.Sprint(k)] = value(x)
		}
		return m
	case []any:
		for i := range t {
			t[i] = value(t[i])
		}
	}
	return v
}

// ParseAnswer reads an answer from the short form METHOD PATTERN=STATUS[:BODY], e.g. GET /accounts/*=200:{"id":"1"}; with
// error for the status nothing answers, and what follows is the reason. The method may be left out.
func ParseAnswer(text string) (Answer, error) {
	bad := fmt.Errorf("%.80q is not METHOD PATTERN=STATUS:BODY, e.g. 'GET /accounts/*=200:{\"id\":\"1\"}' or '/x=error:connection refused'", text)
	var a Answer
	rest := strings.TrimSpace(text)
	if m, tail, found := strings.Cut(rest, " "); found && m != "" && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ*") == "" {
		a.Method, rest = m, strings.TrimSpace(tail)
	}
	for at := 0; ; {
		i := strings.IndexByte(rest[at:], '=')
		if i < 0 {
			return Answer{}, bad
		}
		at += i + 1
		status, body, _ := strings.Cut(rest[at:], ":")
		if a.URL = rest[:at-1]; a.URL == "" {
			return Answer{}, bad
		}
		if status == "error" {
			if a.Error = body; body == "" {
				a.Error = "connection refused"
			}
			return a, nil
		}
		if n, err := strconv.Atoi(status); err == nil && len(status) == 3 && n >= 100 && n <= 599 {
			a.Status, a.Body = n, Body(body)
			return a, nil
		}
	}
}

// decode reads one YAML document strictly; JSON is YAML.
func decode(data []byte, into any) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("the file has %d bytes, at most %d are read", len(data), MaxBytes)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		if err.Error() == "EOF" {
			return nil // nothing said: the defaults
		}
		return oneLine(err)
	}
	return nil
}

// oneLine rewrites an error of the YAML library for people.
func oneLine(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	fields := strings.Fields(text)
	out := make([]string, 0, len(fields))
	for i := 0; i < len(fields); i++ {
		if fields[i] == "in" && i+2 < len(fields) && fields[i+1] == "type" && strings.HasPrefix(fields[i+2], "flowtest.") {
			i += 2
			continue
		}
		out = append(out, fields[i])
	}
	return errors.New(strings.Join(out, " "))
}

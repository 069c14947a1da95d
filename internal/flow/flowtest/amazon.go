package flowtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Amazon is a test in Amazon Connect's testing language (Connect developer guide, "Testing language"; Version 2025-06-21,
// and 2019-10-30 as the service writes it). It is a chain of observations, each an event that must happen with actions that
// answer it.
type Amazon struct {
	// Name and Flow are taken from Metadata when it holds them (Name, and Flow as a path seen from the test's file).
	Name string
	Flow string
	// From and To are numbers that Metadata names as SourcePhoneNumber and DestinationPhoneNumber.
	From, To     string
	Observations []Observation
	byID         map[string]*Observation
}

// Observation is an event that must happen, and what follows from it.
type Observation struct {
	Identifier string
	Event      Observed
	Usage      struct {
		Type  string
		Times int
	}
	Actions     []Action
	Transitions struct{ NextObservations []string }
}

// Observed describes an event: TestInitiated, TestCompleted, MessageReceived or FlowActionStarted.
type Observed struct {
	Type       string
	Actor      string
	Properties struct {
		Text, SSML, PromptId string //nolint:revive // Amazon's name
		MatchingCriteria     criteria
		Media                struct{ Uri string } //nolint:revive // Amazon's name
		ActionType           string
		ActionParameters     map[string]any
	}
	// MatchingCriteria stands beside Properties in tests of the preview.
	MatchingCriteria criteria
}

// criteria is Similarity or Inclusion, written as an object with Type or as a mere text.
type criteria struct{ Type string }

// UnmarshalJSON reads both forms.
func (c *criteria) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &c.Type) == nil {
		return nil
	}
	var o struct{ Type string }
	if err := json.Unmarshal(data, &o); err != nil {
		return errors.New("MatchingCriteria is neither a text nor an object with Type")
	}
	c.Type = o.Type
	return nil
}

// Action is what the test does: SendInstruction, OverrideSystemBehavior, Assert, TestControl (or EndTest, LogData).
type Action struct {
	Identifier string
	Type       string
	Parameters struct {
		ActionType  string
		Actor       string
		Instruction struct {
			Type       string
			Properties struct {
				Value      any
				Text, SSML string
			}
		}
		Behavior struct {
			Type       string
			Properties behavior
		}
		Command   command
		Namespace string
		Operator  string
		Operand   any
	}
	Transitions struct{ NextAction string }
}

type behavior struct {
	ActionType       string
	ActionParameters map[string]any
	Strategy         struct {
		Type          string
		SubstituteArn string
		Response      struct {
			Type            string
			ExecutionResult struct {
				DelaySeconds float64
				LoadedData   any
				Value        any
			}
			Error struct {
				DelaySeconds float64
				Value        string
			}
		}
	}
}

// command is an object with Type, or a mere text.
type command struct{ Type string }

// UnmarshalJSON reads both forms.
func (c *command) UnmarshalJSON(data []byte) error {
	return (*criteria)(c).UnmarshalJSON(data)
}

// Event types of the testing language.
const (
	evTestInitiated = "TestInitiated"
	evTestCompleted = "TestCompleted"
	evMessage       = "MessageReceived"
	evFlowAction    = "FlowActionStarted"
)

// IsAmazon reports whether a file looks like a test in Amazon Connect's testing language.
func IsAmazon(data []byte) bool {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) == 0 || data[0] != '{' || len(data) > MaxBytes {
		return false
	}
	var head struct {
		Version      json.RawMessage
		Observations json.RawMessage
	}
	return json.Unmarshal(data, &head) == nil && head.Version != nil && head.Observations != nil
}

// ParseAmazon reads a test. Parts that the runner cannot play are an error here, not a silent pass later.
func ParseAmazon(data []byte) (*Amazon, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the test has %d bytes, at most %d are read", len(data), MaxBytes)
	}
	var raw struct {
		Version      string
		Metadata     map[string]any
		Observations []Observation
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("reading an Amazon Connect test: %w", err)
	}
	a := &Amazon{Observations: raw.Observations, byID: make(map[string]*Observation, len(raw.Observations))}
	meta := func(key string) string {
		s, _ := raw.Metadata[key].(string)
		return s
	}
	a.Name, a.Flow = or(meta("Name"), "test"), meta("Flow")
	a.From, a.To = meta("SourcePhoneNumber"), meta("DestinationPhoneNumber")
	if raw.Version != "2025-06-21" && raw.Version != "2019-10-30" {
		return nil, fmt.Errorf("the test's version is %.40q; 2025-06-21 and 2019-10-30 are read", raw.Version)
	}
	if len(a.Observations) == 0 || len(a.Observations) > MaxItems {
		return nil, fmt.Errorf("the test has %d observations; between 1 and %d are needed", len(a.Observations), MaxItems)
	}
	for i := range a.Observations {
		o := &a.Observations[i]
		if o.Identifier == "" || a.byID[o.Identifier] != nil {
			return nil, fmt.Errorf("observation %d needs an Identifier of its own", i+1)
		}
		a.byID[o.Identifier] = o
		if err := o.check(); err != nil {
			return nil, fmt.Errorf("observation %q: %w", o.Identifier, err)
		}
	}
	for i := range a.Observations {
		for _, next := range a.Observations[i].Transitions.NextObservations {
			if next != "" && a.byID[next] == nil {
				return nil, fmt.Errorf("observation %q leads to %q, which is not in the test", a.Observations[i].Identifier, next)
			}
		}
	}
	return a, nil
}

func (o *Observation) check() error {
	switch o.Event.Type {
	case evTestInitiated, evTestCompleted, evMessage:
	case evFlowAction:
		if strings.TrimSpace(o.Event.Properties.ActionType) == "" {
			return errors.New("FlowActionStarted needs Properties.ActionType")
		}
	default:
		return fmt.Errorf("the event %.40q is not known", o.Event.Type)
	}
	switch strings.ToUpper(o.Usage.Type) {
	case "", "EXACTLY", "ANY":
	default:
		return fmt.Errorf("the usage %.40q is not known; it is EXACTLY or ANY", o.Usage.Type)
	}
	if o.Usage.Times < 0 || o.Usage.Times > MaxItems {
		return fmt.Errorf("it is to be seen %d times, which cannot be", o.Usage.Times)
	}
	for i := range o.Actions {
		if err := o.Actions[i].check(); err != nil {
			return fmt.Errorf("action %d: %w", i+1, err)
		}
	}
	return nil
}

func (a *Action) check() error {
	p := &a.Parameters
	switch a.Type {
	case "SendInstruction":
		if !slices.Contains([]string{"DtmfInput", "TextUtterance", "TextInput", "Disconnect"}, p.Instruction.Type) {
			return fmt.Errorf("the instruction %.40q is not known", p.Instruction.Type)
		}
		if p.Instruction.Type == "DtmfInput" {
			return (&Entry{Enter: plainText(p.Instruction.Properties.Value)}).check(0)
		}
	case "OverrideSystemBehavior":
		s := p.Behavior.Properties.Strategy
		if !slices.Contains([]string{"MockResponse", "SubstituteResource"}, s.Type) {
			return fmt.Errorf("the strategy %.40q is not known", s.Type)
		}
		for _, sec := range []float64{s.Response.ExecutionResult.DelaySeconds, s.Response.Error.DelaySeconds} {
			if sec < 0 || sec > maxDuration.Seconds() {
				return fmt.Errorf("a delay of %v s cannot be", sec)
			}
		}
	case "Assert", "Assertion":
		if !slices.Contains(operators(), p.Operator) {
			return fmt.Errorf("the operator %.40q is not known; use one of %s", p.Operator, strings.Join(operators(), ", "))
		}
	case "TestControl", "EndTest", "LogData":
	default:
		return fmt.Errorf("the type %.40q is not known", a.Type)
	}
	return nil
}

func operators() []string {
	return []string{
		"Equals", "TextStartsWith", "TextEndsWith", "TextContains", "NumberGreaterThan", "NumberGreaterOrEqualTo",
		"NumberLessThan", "NumberLessOrEqualTo", "Exists",
	}
}

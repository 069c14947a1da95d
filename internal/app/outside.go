package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/httpapi"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/voice"
)

// outside answers what flows ask about the installation: hours of operation and functions. It is safe for concurrent use.
type outside struct {
	hours     *registry.Collection[registry.Hours]
	queues    *registry.Collection[registry.Queue]
	functions *registry.Collection[registry.Function]
	authz     authz.Decider
	dips      voice.Dips // makes a function's requests
	commands  *commands
	as        caller.Principal

	mu     sync.Mutex // guards what was read and when
	read   time.Time
	tables []registry.Object[registry.Hours]
	lines  []registry.Object[registry.Queue]
	calls  []registry.Object[registry.Function]
}

// load reads the objects, at most once a second.
func (o *outside) load(ctx context.Context, tenant string) error {
	if time.Since(o.read) < recheck {
		return nil
	}
	var err error
	if o.tables, err = o.hours.List(ctx, tenant); err != nil {
		return err
	}
	if o.lines, err = o.queues.List(ctx, tenant); err != nil {
		return err
	}
	if o.calls, err = o.functions.List(ctx, tenant); err != nil {
		return err
	}
	o.read = time.Now()
	return nil
}

// called reports whether an object is meant by an id, or by its name without regard to case.
func called(id, name string, refs ...string) bool {
	return slices.ContainsFunc(refs, func(r string) bool { return r != "" && (r == id || strings.EqualFold(r, name)) })
}

// Hours implements voice.Outside.
func (o *outside) Hours(ctx context.Context, tenant string, a flow.Ask, at time.Time) (voice.Hours, error) {
	table, err := o.tableOf(caller.As(ctx, o.as), tenant, a)
	if err != nil {
		return voice.Hours{}, err
	}
	outcome, open, name, err := table.Spec.State(at)
	if name != "" {
		name = table.Name + ": " + name
	} else {
		name = table.Name
	}
	return voice.Hours{Outcome: outcome, Open: open, Name: name}, err
}

// tableOf finds the hours a flow asks for.
func (o *outside) tableOf(ctx context.Context, tenant string, a flow.Ask) (t registry.Object[registry.Hours], err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.load(ctx, tenant); err != nil {
		return t, err
	}
	if a.Ref != "" || a.Name != "" {
		return o.table(a.Ref, a.Name)
	}
	p := a.Params
	i := slices.IndexFunc(o.lines, func(q registry.Object[registry.Queue]) bool {
		return called(q.ID, q.Name, p["queueBound"], p["queue"], p["queueName"])
	})
	switch {
	case i < 0 && p["queueBound"] == "" && p["queue"] == "" && p["queueName"] == "":
		return t, errs.New(errs.Invalid, "no hours of operation are named, and no queue was chosen before whose hours could count")
	case i < 0:
		return t, errs.New(errs.Invalid, "the queue whose hours count is not one of this installation; bind it on the flow's page")
	case o.lines[i].Spec.HoursID == "":
		return t, errs.New(errs.Invalid, "the queue %s has no hours of operation; choose some on its page", o.lines[i].Name)
	}
	return o.table(o.lines[i].Spec.HoursID)
}

func (o *outside) table(refs ...string) (t registry.Object[registry.Hours], err error) {
	i := slices.IndexFunc(o.tables, func(h registry.Object[registry.Hours]) bool { return called(h.ID, h.Name, refs...) })
	if i < 0 {
		return t, errs.New(errs.Invalid, "there are no hours of operation %.100q here; make them, or bind the reference on the flow's page", firstText(refs...))
	}
	return o.tables[i], nil
}

func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// bestFunction returns the function that a reference means: by id, else the one whose ARNs or names fit best.
func bestFunction(list []registry.Object[registry.Function], refs ...string) (registry.Object[registry.Function], bool) {
	best, score := -1, 0
	for _, ref := range refs {
		parsed := registry.ParseFunctionRef(ref)
		for i := range list {
			if ref != "" && (list[i].ID == ref || strings.EqualFold(list[i].Name, ref)) {
				return list[i], true
			}
			if n := list[i].Spec.Match(list[i].Name, parsed); n > score {
				best, score = i, n
			}
		}
	}
	if best < 0 {
		return registry.Object[registry.Function]{}, false
	}
	return list[best], true
}

// Call implements voice.Outside.
func (o *outside) Call(ctx context.Context, tenant string, a flow.Ask) (map[string]any, error) {
	ctx = caller.As(ctx, o.as)
	o.mu.Lock()
	err := o.load(ctx, tenant)
	f, ok := bestFunction(o.calls, a.Ref, a.Name)
	o.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errs.New(errs.Invalid, "no function is set up for %.200s; make one, or bind the reference on the flow's page", firstText(a.Ref, a.Name))
	}
	return o.invoke(ctx, tenant, f, a)
}

// invoke runs a function within the shorter of both time limits.
func (o *outside) invoke(ctx context.Context, tenant string, f registry.Object[registry.Function], a flow.Ask) (map[string]any, error) {
	if err := o.authz.Check(ctx, "function:Invoke", o.functions.ARN(tenant, f.ID)); err != nil {
		return nil, err
	}
	limit := time.Duration(f.Spec.TimeoutMS) * time.Millisecond
	if own := time.Duration(a.TimeoutMS) * time.Millisecond; own > 0 {
		limit = min(limit, own)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errs.New(errs.Unavailable, "the function %s did not answer within %s", f.Name, limit))
	defer cancel()
	var answer []byte
	var err error
	if f.Spec.Type == "command" {
		answer, err = o.commands.run(ctx, f.Spec.Command, a.Payload)
	} else {
		answer, err = o.request(ctx, tenant, f.Spec, a, limit)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	if a.Async {
		return nil, nil //nolint:nilnil // nobody reads it
	}
	return answerOf(f.Name, answer)
}

// request posts the event to a function's endpoint, with the headers of AWS Lambda's Invoke.
func (o *outside) request(ctx context.Context, tenant string, f registry.Function, a flow.Ask, limit time.Duration) ([]byte, error) {
	kind := "RequestResponse"
	if a.Async {
		kind = "Event"
	}
	req := flow.HTTP{
		Connector: f.Connector, Method: http.MethodPost, URL: f.URL, Body: string(a.Payload), ContentType: "application/json",
		Headers:   []flow.Pair{{Name: "Accept", Value: "application/json"}, {Name: "X-Amz-Invocation-Type", Value: kind}},
		TimeoutMS: int(limit.Milliseconds()),
	}
	if f.Connector != "" {
		req.URL, req.Path = "", f.URL
	}
	res, err := o.dips.Do(ctx, tenant, req)
	switch {
	case err != nil:
		return nil, err
	case res.Headers["X-Amz-Function-Error"] != "": // of AWS Lambda and its emulators: the function itself failed
		return nil, errs.New(errs.Unavailable, "the function failed: %.200s", failure(res.Body))
	case res.Status < 200 || res.Status > 299:
		return nil, errs.New(errs.Unavailable, "the function's endpoint answered %d", res.Status)
	}
	return res.Body, nil
}

// failure is what AWS Lambda says of a function that failed.
func failure(body []byte) string {
	var f struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	if json.Unmarshal(body, &f) != nil {
		return "no reason given"
	}
	return firstText(f.Message, f.Type, "no reason given")
}

// maxFunctionAnswer bounds a function's answer; flows take less.
const maxFunctionAnswer = 256 << 10

func answerOf(name string, raw []byte) (map[string]any, error) {
	if len(raw) > maxFunctionAnswer {
		return nil, errs.New(errs.Invalid, "the answer of the function %s has more than %d bytes", name, maxFunctionAnswer)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil || fields == nil || d.More() {
		return nil, errs.New(errs.Invalid, "the function %s did not answer with a JSON object", name)
	}
	return fields, nil
}

// functionRunner is what the API tries functions with.
type functionRunner struct{ *outside }

// Commands implements httpapi.Functions.
func (r functionRunner) Commands() []string { return r.commands.names() }

// Test implements httpapi.Functions. Whether the user may is asked before, as the user.
func (r functionRunner) Test(ctx context.Context, tenant, id string, parameters map[string]string) (httpapi.FunctionTest, error) {
	ctx = caller.As(ctx, r.as)
	f, err := r.functions.Get(ctx, tenant, id)
	if err != nil {
		return httpapi.FunctionTest{}, err
	}
	begin := time.Now()
	fields, err := r.invoke(ctx, tenant, f, flow.Ask{What: flow.AskFunction, Ref: id, Payload: sampleEvent(parameters), TimeoutMS: f.Spec.TimeoutMS})
	res := httpapi.FunctionTest{OK: err == nil, DurationMS: time.Since(begin).Milliseconds()}
	if err != nil {
		res.Message = errs.Message(err)
		return res, nil
	}
	answer, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return httpapi.FunctionTest{}, err
	}
	res.Message, res.Answer = "Values in the function's answer: "+strconv.Itoa(len(fields)), string(answer)
	return res, nil
}

// sampleEvent is what Amazon Connect sends, of a caller whom nobody has.
func sampleEvent(parameters map[string]string) json.RawMessage {
	if parameters == nil {
		parameters = map[string]string{}
	}
	raw, err := json.Marshal(map[string]any{"Name": "ContactFlowEvent", "Details": map[string]any{
		"Parameters": parameters,
		"ContactData": map[string]any{
			"Attributes": map[string]string{}, "Channel": "VOICE", "ContactId": "00000000-0000-0000-0000-000000000000",
			"InitialContactId": "00000000-0000-0000-0000-000000000000", "PreviousContactId": "00000000-0000-0000-0000-000000000000",
			"CustomerEndpoint": map[string]string{"Address": "+15005550100", "Type": "TELEPHONE_NUMBER"},
			"SystemEndpoint":   map[string]string{"Address": "+15005550199", "Type": "TELEPHONE_NUMBER"},
			"InitiationMethod": "INBOUND", "LanguageCode": "en-US", "Queue": nil,
		},
	}})
	if err != nil {
		return nil // plain data always encodes
	}
	return raw
}

package flow_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// script is one call through the data dip, with the answers of the other systems at hand; it returns the nodes that ran.
func script(b *testing.B, p *flow.Program, found []*flow.HTTPResult) int {
	s, out, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "int-1", ANI: "+14155550100"}, At: epoch})
	if err != nil {
		b.Fatal(err)
	}
	nodes := ran(out)
	at := epoch
	do := func(ev flow.Event) {
		at = at.Add(time.Second)
		ev.At = at
		if len(s.Waiting) > 0 {
			ev.Command = s.Waiting[len(s.Waiting)-1].ID
		}
		out, err := flow.Step(p, s, ev)
		if err != nil {
			b.Fatal(err)
		}
		nodes += ran(out)
	}
	do(flow.Event{Kind: flow.EvPromptDone})
	for _, r := range found {
		do(flow.Event{Kind: flow.EvHTTPResult, HTTP: r})
	}
	for range 3 {
		do(flow.Event{Kind: flow.EvPromptDone})
	}
	do(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a", Name: "Ada"}})
	do(flow.Event{Kind: flow.EvContactEnded})
	do(flow.Event{Kind: flow.EvHTTPResult, HTTP: &flow.HTTPResult{Status: 204}})
	if !s.Over {
		b.Fatal("the call did not end")
	}
	return nodes
}

// ran counts the nodes that were executed: a node that waits is traced twice and counts once.
func ran(out flow.Output) int {
	n := 0
	for _, e := range out.Trace {
		if e.Port != "" || e.Detail == "end" {
			n++
		}
	}
	return n
}

var found = []*flow.HTTPResult{
	{Status: 200, Body: []byte(records(`{"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/001A"},"Id":"001A","Name":"Acme"}`))},
	{Status: 200, Body: []byte(records(`{"attributes":{"type":"Contact","url":"/services/data/v60.0/sobjects/Contact/003B"},"Id":"003B","Name":"Ada Byron"}`))},
	{Status: 200, Body: []byte(records(`{"attributes":{"type":"Case","url":"/services/data/v60.0/sobjects/Case/500C"},"Id":"500C","CaseNumber":"00001"}`))},
}

// BenchmarkDataDip runs whole calls through our data dip, from the first ring to the write-back.
func BenchmarkDataDip(b *testing.B) {
	f, _ := example(b, "data-dip.json")
	p, err := flow.Compile(f)
	if err != nil {
		b.Fatal(err)
	}
	nodes := 0
	b.ReportAllocs()
	for b.Loop() {
		nodes += script(b, p, found)
	}
	b.ReportMetric(float64(nodes)/b.Elapsed().Seconds(), "nodes/s")
}

// BenchmarkWaitingSession measures what a call that waits in the queue takes when it is stored.
func BenchmarkWaitingSession(b *testing.B) {
	f, _ := example(b, "data-dip.json")
	p, err := flow.Compile(f)
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "int-1", ANI: "+14155550100"}, At: epoch})
	if err != nil {
		b.Fatal(err)
	}
	step := func(ev flow.Event) {
		ev.Command = s.Waiting[len(s.Waiting)-1].ID
		if _, err := flow.Step(p, s, ev); err != nil {
			b.Fatal(err)
		}
	}
	step(flow.Event{Kind: flow.EvPromptDone})
	for _, r := range found {
		step(flow.Event{Kind: flow.EvHTTPResult, HTTP: r})
	}
	step(flow.Event{Kind: flow.EvPromptDone})
	size := 0
	for b.Loop() {
		data, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		size = len(data)
	}
	b.ReportMetric(float64(size), "bytes")
}

// BenchmarkImport reads an export.
func BenchmarkImport(b *testing.B) {
	f, _ := example(b, "data-dip.json")
	data := []byte(f.Origin.Raw)
	for b.Loop() {
		imported(b, data)
	}
}

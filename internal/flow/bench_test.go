package flow_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// dialer plays calls through one program, with the answers of the other systems at hand.
type dialer struct {
	b *testing.B
	p *flow.Program
	// stored, if set, is what becomes of a session at each wait.
	stored func(*flow.Session) *flow.Session
	s      *flow.Session
	at     time.Time
	// steps counts the nodes that were entered and left, or ended at.
	steps int
}

// call is one contact from the first ring to the write-back. What the flow waits for in its turn decides what happens.
func (d *dialer) call() {
	s, out, err := flow.Start(d.p, flow.Input{Contact: flow.Contact{ID: "int-1", ANI: "+14155550100"}, At: epoch})
	if err != nil {
		d.b.Fatal(err)
	}
	d.s, d.at = s, epoch
	d.count(out)
	found, music := found, 3
	for d.s.Placement == 0 || music > 0 {
		c := d.s.Waiting[len(d.s.Waiting)-1]
		switch c.Kind {
		case flow.CmdHTTP:
			d.do(flow.Event{Kind: flow.EvHTTPResult, Command: c.ID, HTTP: found[0]})
			found = found[1:]
		case flow.CmdPlay, flow.CmdMusic:
			if d.s.Placement != 0 {
				music--
			}
			d.do(flow.Event{Kind: flow.EvPromptDone, Command: c.ID})
		default:
			d.b.Fatalf("the flow waits for %s", c.Kind)
		}
	}
	d.do(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a", Name: "Ada"}})
	d.do(flow.Event{Kind: flow.EvContactEnded})
	d.do(flow.Event{Kind: flow.EvHTTPResult, Command: d.s.Waiting[0].ID, HTTP: written})
	if !d.s.Over {
		d.b.Fatal("the call did not end")
	}
}

func (d *dialer) do(ev flow.Event) {
	if d.stored != nil {
		d.s = d.stored(d.s)
	}
	d.at = d.at.Add(time.Second)
	ev.At = d.at
	out, err := flow.Step(d.p, d.s, ev)
	if err != nil {
		d.b.Fatal(err)
	}
	d.count(out)
}

// count counts the nodes that were gone through: one that waits is traced twice and counts once.
func (d *dialer) count(out flow.Output) {
	for i := range out.Trace {
		if e := &out.Trace[i]; e.Port != "" || e.Detail == "end" {
			d.steps++
		}
	}
}

var (
	found = []*flow.HTTPResult{
		{Status: 200, Body: []byte(records(`{"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/001A"},"Id":"001A","Name":"Acme"}`))},
		{Status: 200, Body: []byte(records(`{"attributes":{"type":"Contact","url":"/services/data/v60.0/sobjects/Contact/003B"},"Id":"003B","Name":"Ada Byron"}`))},
		{Status: 200, Body: []byte(records(`{"attributes":{"type":"Case","url":"/services/data/v60.0/sobjects/Case/500C"},"Id":"500C","CaseNumber":"00001"}`))},
	}
	written = &flow.HTTPResult{Status: 204}
)

// benchFlows are the flows whose steps are measured: our data dip, and the real template of the vendor, mended.
func benchFlows(b *testing.B) map[string]*flow.Flow {
	own, _ := example(b, "data-dip.json")
	shipped, rep := imported(b, fixtures.Read(b, "flows", "webex", "Salesforce_HTTP_Connector_Flow.json"))
	mended, _ := flow.Mend(shipped, rep)
	return map[string]*flow.Flow{"data-dip": own, "Salesforce_HTTP_Connector_Flow": mended}
}

// BenchmarkSteps runs whole calls without I/O, from the first ring to the write-back: in memory; with the session written at
// each wait, as a hub does; and written and read again at each wait, as a hub does that is killed each time. steps/s is by
// the clock, steps/cpu-s by the processor time of the whole process, garbage collection included.
func BenchmarkSteps(b *testing.B) {
	ways := []struct {
		name   string
		stored func(*flow.Session) *flow.Session
	}{
		{"memory", nil},
		{"written", func(s *flow.Session) *flow.Session { write(b, s); return s }},
		{"restored", func(s *flow.Session) *flow.Session {
			r, err := flow.Restore(write(b, s))
			if err != nil {
				b.Fatal(err)
			}
			return r
		}},
	}
	for name, f := range benchFlows(b) {
		p, err := flow.Compile(f)
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range ways {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				d := &dialer{b: b, p: p, stored: way.stored}
				b.ReportAllocs()
				cpu := processorTime(b)
				for b.Loop() {
					d.call()
				}
				cpu = processorTime(b) - cpu
				b.ReportMetric(float64(d.steps)/b.Elapsed().Seconds(), "steps/s")
				b.ReportMetric(float64(d.steps)/cpu.Seconds(), "steps/cpu-s")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(d.steps), "ns/step")
			})
		}
	}
}

func write(b *testing.B, s *flow.Session) []byte {
	data, err := s.JSON()
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// processorTime is what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
		data, err := s.JSON()
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

package ring

import (
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/soql"
	"github.com/tandemcc/tandem/internal/testkit/hub"
	"github.com/tandemcc/tandem/internal/voice"
)

// TestMain lets more tests run at once than there are processors: calls wait for sound far more than they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "6") // the flag exists
	}
	dir, err := os.MkdirTemp("", "tandem-ring")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	status := m.Run()
	_ = os.RemoveAll(dir) // a left-over file is no failure
	os.Exit(status)
}

var buildDir string //nolint:gochecknoglobals // where the tests' binary lies; set before they run

const (
	agentTone  = 700 // Hz
	callerTone = 440
)

// ear keeps what a softphone hears.
type ear struct {
	mu     sync.Mutex // guards events
	events []softphone.Event
}

// options are those of a session that says a tone; 0 is silence.
func (e *ear) options(tone int) softphone.Options {
	o := softphone.Options{Window: 50 * time.Millisecond, OnEvent: e.on}
	if tone > 0 {
		o.Clip = softphone.Tone(tone)
	}
	return o
}

func (e *ear) on(ev softphone.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
}

// audio returns the newest n windows of sound.
func (e *ear) audio(n int) []softphone.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []softphone.Event
	for i := len(e.events) - 1; i >= 0 && len(out) < n; i-- {
		if e.events[i].Type == softphone.Audio {
			out = append(out, e.events[i])
		}
	}
	slices.Reverse(out)
	return out
}

func is(ev softphone.Event, hz int) bool { return math.Abs(ev.Frequency-float64(hz)) < 15 }

// hears reports whether the newest windows are a tone and nothing else.
func (e *ear) hears(hz int) bool {
	list := e.audio(4)
	return len(list) == 4 && !slices.ContainsFunc(list, func(ev softphone.Event) bool { return !is(ev, hz) })
}

// silent reports whether the newest windows hold nothing audible.
func (e *ear) silent() bool {
	list := e.audio(4)
	return len(list) == 4 && !slices.ContainsFunc(list, func(ev softphone.Event) bool { return ev.Level > -55 })
}

// mark returns a place in what is heard.
func (e *ear) mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.events)
}

// since returns what was heard from a place on.
func (e *ear) since(mark int) []softphone.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.events[mark:])
}

// keys returns the keys heard.
func (e *ear) keys() string {
	var b strings.Builder
	for _, ev := range e.since(0) {
		if ev.Type == softphone.Digit {
			b.WriteRune(ev.Key)
		}
	}
	return b.String()
}

// ended returns how the session ended; ok is false while it lasts.
func (e *ear) ended() (softphone.Event, bool) {
	list := e.since(0)
	if n := len(list); n > 0 && list[n-1].Type == softphone.Ended {
		return list[n-1], true
	}
	return softphone.Event{}, false
}

// gap returns the longest time without a window of a tone.
func gap(list []softphone.Event, hz int) time.Duration {
	var last time.Time
	var longest time.Duration
	for _, ev := range list {
		if last.IsZero() {
			last = ev.At
		}
		longest = max(longest, ev.At.Sub(last))
		if ev.Type == softphone.Audio && is(ev, hz) {
			last = ev.At
		}
	}
	return longest
}

// desk is a signed-in agent with connected audio.
type desk struct {
	*hub.Client
	h     *hub.Hub
	t     *testing.T
	ear   *ear
	audio *softphone.Session
}

// sit signs an agent in, connects their audio and makes them available.
func sit(t *testing.T, h *hub.Hub, login string, tone int) *desk {
	t.Helper()
	d := &desk{Client: h.SignIn(login), h: h, t: t, ear: &ear{}}
	d.audio = d.Connect(d.ear.options(tone))
	d.Available()
	return d
}

// rings waits until a contact rings at the desk and returns its id.
func (d *desk) rings() (id string) {
	d.t.Helper()
	d.h.Eventually("a call rings at the desk", func() bool {
		now := d.Desk()
		if now.State == "ringing" && now.Contact != nil && now.Contact.State == "ringing" {
			id = now.Contact.ID
		}
		return id != ""
	})
	return id
}

// do posts a control of a contact.
func (d *desk) do(id, what string) {
	d.t.Helper()
	d.Must("POST", "/desk/contacts/"+id+"/"+what, nil, nil)
}

// accepts takes the next call and waits until it stands.
func (d *desk) accepts() (id string) {
	d.t.Helper()
	id = d.rings()
	d.do(id, "accept")
	d.is("connected")
	return id
}

// is waits until the agent is in a state.
func (d *desk) is(state string) {
	d.t.Helper()
	d.h.Eventually("the agent is "+state, func() bool { return d.Desk().State == state })
}

// finishes ends the wrap-up.
func (d *desk) finishes(id, code, notes string) {
	d.t.Helper()
	d.Must("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": code, "notes": notes}, nil)
}

// line is a caller's telephone in a call.
type line struct {
	*softphone.Session
	ear *ear
}

// dial calls a number of the hub.
func dial(h *hub.Hub, from, to string, tone int) *line {
	l := &line{ear: &ear{}}
	l.Session = h.Call(from, to, l.ear.options(tone))
	return l
}

// closed waits until a contact's record is closed and returns it.
func closed(t *testing.T, h *hub.Hub, id string) hub.Record {
	t.Helper()
	h.Eventually("the record is closed", func() bool { return h.Record(id).State == "ended" })
	return h.Record(id)
}

// writtenBack waits until a contact's write-backs are over and returns its record.
func writtenBack(t *testing.T, h *hub.Hub, id string) hub.Record {
	t.Helper()
	h.Eventually("the write-back is done", func() bool { return h.Record(id).WriteBack == "done" })
	return h.Record(id)
}

// query returns the text of a query.
func query(b *soql.Builder) string {
	q, err := b.Text()
	if err != nil {
		panic(err) // the test is wrong
	}
	return q
}

// comments returns the comments on a case that name a contact.
func comments(h *hub.Hub, caseID, contactID string) (out []string) {
	var res struct {
		Records []struct{ CommentBody string }
	}
	h.SOQL(query(soql.Build("CaseComment").Select("CommentBody").Where("ParentId", "=", caseID)), &res)
	for _, r := range res.Records {
		if strings.Contains(r.CommentBody, contactID) {
			out = append(out, r.CommentBody)
		}
	}
	return out
}

// person is a contact of the sample org.
type person struct{ id, name, number, caseID, caseNumber string }

func digits(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, s)
}

// people returns the contacts of the sample org whose number nobody else has; those with exactly one open case have it.
func people(t *testing.T, h *hub.Hub) (out []person) {
	t.Helper()
	var cs struct {
		Records []struct{ ID, Name, Phone string }
	}
	h.SOQL("SELECT Id, Name, Phone FROM Contact WHERE Phone != null ORDER BY Name LIMIT 500", &cs)
	numbers := map[string]int{}
	for _, c := range cs.Records {
		numbers[digits(c.Phone)]++
	}
	var cases struct {
		Records []struct{ ID, CaseNumber, ContactID string }
	}
	h.SOQL("SELECT Id, CaseNumber, ContactId FROM Case WHERE IsClosed = false ORDER BY CaseNumber LIMIT 500", &cases)
	open := map[string]int{}
	for _, c := range cases.Records {
		open[c.ContactID]++
	}
	for _, c := range cs.Records {
		d := digits(c.Phone)
		// The sample flow compares digits: it finds those whose number is stored as plain ones.
		if len(d) != 10 || d != c.Phone || numbers[d] > 1 || open[c.ID] > 1 {
			continue
		}
		p := person{id: c.ID, name: c.Name, number: "+1" + d}
		for _, k := range cases.Records {
			if k.ContactID == c.ID {
				p.caseID, p.caseNumber = k.ID, k.CaseNumber
			}
		}
		out = append(out, p)
	}
	return out
}

// withCase returns a person with an open case.
func withCase(t *testing.T, h *hub.Hub) person { return cases(t, h, 1)[0] }

// cases returns n persons with an open case each.
func cases(t *testing.T, h *hub.Hub, n int) []person {
	t.Helper()
	list := slices.DeleteFunc(people(t, h), func(p person) bool { return p.caseID == "" })
	if len(list) < n {
		t.Fatalf("the sample org has %d persons with an open case, want %d", len(list), n)
	}
	return list[:n]
}

// withoutCase returns a person without an open case.
func withoutCase(t *testing.T, h *hub.Hub) person {
	t.Helper()
	for _, p := range people(t, h) {
		if p.caseID == "" {
			return p
		}
	}
	t.Fatal("everybody in the sample org has an open case")
	return person{}
}

// listen starts an agent's telephone, which answers by itself and says the agent's tone.
func listen(t *testing.T) *answering {
	t.Helper()
	a := &answering{ear: &ear{}, sessions: make(chan *softphone.Session, 8)}
	p, err := softphone.Listen(t.Context(), "127.0.0.1:0",
		func(voice.LegInfo) softphone.Options { return a.ear.options(agentTone) }, func(s *softphone.Session) { a.sessions <- s })
	if err != nil {
		t.Fatal(err)
	}
	a.address = p.Addr().String()
	t.Cleanup(func() {
		if err := p.Stop(t.Context()); err != nil { // the context has ended: calls are hung up, not waited for
			t.Error(err)
		}
	})
	return a
}

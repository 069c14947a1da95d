package hub

import (
	"fmt"
	"time"
)

// Moment is one line of a contact's timeline.
type Moment struct {
	At                 time.Time
	Type, Text, Detail string
}

// Record is a contact as the API tells it.
type Record struct {
	ID, ANI, DNIS, State, EndReason, WriteBack, Notes string
	Agent, Queue, Disposition                         *struct{ ID, Name string }
	CreatedAt                                         time.Time
	AnsweredAt, EndedAt                               *time.Time
	Variables                                         []struct{ Name, Value string }
	ScreenPop                                         *struct{ URL, Label string }
	Timeline                                          []Moment
	Legs                                              []struct {
		Kind            string
		PacketsReceived int
		PacketsLost     int
	}
	WriteBacks []struct {
		Method, Target, Status, LastError string
		Attempts                          int
	}
}

// Had reports whether the timeline has a line of a type.
func (r Record) Had(typ string) bool {
	for _, m := range r.Timeline {
		if m.Type == typ {
			return true
		}
	}
	return false
}

// Record returns one contact's record.
func (h *Hub) Record(id string) (r Record) {
	h.t.Helper()
	h.API().Must("GET", "/contacts/"+id, nil, &r)
	return r
}

// Step is one entry of a contact's trace.
type Step struct{ Name, Op, Port, Detail string }

// Trace returns the path a contact took through its flow.
func (h *Hub) Trace(id string) []Step {
	h.t.Helper()
	var tr struct{ Steps []Step }
	h.API().Must("GET", "/contacts/"+id+"/trace", nil, &tr)
	return tr.Steps
}

// Records returns all contacts, newest first, without their timelines.
func (h *Hub) Records() (all []Record) {
	h.t.Helper()
	api, cursor := h.API(), ""
	for {
		var page struct {
			Items []Record
			Next  string
		}
		api.Must("GET", "/contacts?limit=200&cursor="+cursor, nil, &page)
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// dump shows what became of the contacts when a test has failed.
func (h *Hub) dump() {
	const most = 10
	var page struct{ Items []Record }
	api := h.API()
	if _, _, err := api.Do("GET", fmt.Sprintf("/contacts?limit=%d", most), nil, &page); err != nil {
		h.t.Logf("the hub does not answer: %v", err)
		return
	}
	for _, c := range page.Items {
		var r Record
		if _, _, err := api.Do("GET", "/contacts/"+c.ID, nil, &r); err != nil {
			continue
		}
		h.t.Logf("contact %s from %q: %s, end %q, write-back %s", r.ID, r.ANI, r.State, r.EndReason, r.WriteBack)
		for _, m := range r.Timeline {
			h.t.Logf("    %s %s: %s (%s)", m.At.Format("05.000"), m.Type, m.Text, m.Detail)
		}
		for _, w := range r.WriteBacks {
			h.t.Logf("    %s %s: %s, %d attempts, %s", w.Method, w.Target, w.Status, w.Attempts, w.LastError)
		}
		var tr struct{ Steps []Step }
		if _, _, err := api.Do("GET", "/contacts/"+c.ID+"/trace", nil, &tr); err == nil {
			for _, s := range tr.Steps {
				h.t.Logf("    step %s (%s) -> %s %s", s.Name, s.Op, s.Port, s.Detail)
			}
		}
	}
}

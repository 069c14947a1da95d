package ring

import (
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// take calls as a person and connects ada.
func take(t *testing.T, h *hub.Hub, number string) (*desk, *line, string) {
	t.Helper()
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, number, "1000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	return ada, call, id
}

// hangUp ends the call as the caller and the wrap-up as the agent.
func hangUp(ada *desk, call *line, id string) {
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "all done")
}

// popped waits for the desk's screen pop and returns its address.
func popped(h *hub.Hub, ada *desk) (url string) {
	h.Eventually("the screen pop", func() bool {
		if c := ada.Desk().Contact; c != nil && c.ScreenPop != nil {
			url = c.ScreenPop.URL
		}
		return url != ""
	})
	return url
}

// customer waits until the desk knows who calls, or that it cannot.
func customer(h *hub.Hub, ada *desk, status string) *hub.DeskContact {
	var c *hub.DeskContact
	h.Eventually("the customer is "+status, func() bool {
		c = ada.Desk().Contact
		return c != nil && c.Customer.Status == status
	})
	return c
}

func TestUnknownCaller(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, id := take(t, h, "+15005550199")
	c := customer(h, ada, "none")
	if c.Customer.Message == "" || c.ScreenPop != nil {
		t.Errorf("the desk shows %+v, pop %+v", c.Customer, c.ScreenPop)
	}
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.WriteBack != "none" || len(r.WriteBacks) != 0 || r.EndReason != "customer" {
		t.Errorf("the record: %+v", r)
	}
}

func TestContactWithoutCase(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withoutCase(t, h)
	ada, call, id := take(t, h, who.number)
	if got, want := popped(h, ada), "http://"+h.Sandbox+"/lightning/r/Contact/"+who.id+"/view"; got != want {
		t.Errorf("screen pop %s, want %s", got, want)
	}
	if c := customer(h, ada, "found"); len(c.Customer.Cases) != 0 || c.Customer.Contacts[0].Title != who.name {
		t.Errorf("the desk shows %+v", c.Customer)
	}
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.WriteBack != "none" {
		t.Errorf("the write-back is %s though there is no case", r.WriteBack)
	}
}

func TestTwoContactsWithOneNumber(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	twin := map[string]string{"FirstName": "Other", "LastName": "Person", "Phone": who.number}
	h.CRM("POST", "/sobjects/Contact", twin, nil)
	ada, call, id := take(t, h, who.number)
	c := customer(h, ada, "ambiguous")
	if len(c.Customer.Contacts) != 2 || c.Customer.Message == "" {
		t.Errorf("the desk shows %+v", c.Customer)
	}
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("the record: %+v", r)
	}
}

// TestAccountAlone: nobody's number but a company's: the company and its open cases are shown, and of two companies that it cannot be told
// which.
func TestAccountAlone(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	const number = "+15005550177"
	company := map[string]string{"Name": "Switchboard Ltd", "Phone": "(500) 555-0177 ext. 12"}
	var made struct{ ID string }
	h.CRM("POST", "/sobjects/Account", company, &made)
	h.CRM("POST", "/sobjects/Case", map[string]string{"AccountId": made.ID, "Subject": "Of the company", "Status": "New", "Origin": "Phone"}, nil)
	ada, call, id := take(t, h, number)
	if c := customer(h, ada, "found"); len(c.Customer.Contacts) != 0 || len(c.Customer.Accounts) != 1 || c.Customer.Accounts[0].Title != "Switchboard Ltd" || len(c.Customer.Cases) != 1 {
		t.Errorf("the desk shows %+v", c.Customer)
	}
	hangUp(ada, call, id)
	closed(t, h, id)
	h.CRM("POST", "/sobjects/Account", map[string]string{"Name": "Neighbour Ltd", "Fax": "500.555.0177"}, nil)
	call = dial(h, number, "1000", callerTone)
	id = ada.accepts()
	if c := customer(h, ada, "ambiguous"); len(c.Customer.Accounts) != 2 || c.Customer.Message == "" {
		t.Errorf("the desk shows %+v", c.Customer)
	}
	hangUp(ada, call, id)
}

// TestDeskFollowsTheCRM: what changes in the CRM during a call shows on the desk, a new case and one that is closed.
func TestDeskFollowsTheCRM(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	ada, call, id := take(t, h, who.number)
	before := len(customer(h, ada, "found").Customer.Cases)
	var made struct{ ID string }
	h.CRM("POST", "/sobjects/Case", map[string]string{"ContactId": who.id, "Subject": "While we talk", "Status": "New", "Origin": "Phone"}, &made)
	h.Eventually("the new case is on the desk", func() bool { return len(ada.Desk().Contact.Customer.Cases) == before+1 })
	h.CRM("PATCH", "/sobjects/Case/"+made.ID, map[string]string{"Status": "Closed"}, nil)
	h.Eventually("the closed case is gone", func() bool { return len(ada.Desk().Contact.Customer.Cases) == before })
	hangUp(ada, call, id)
	closed(t, h, id)
}

// TestWriteBackCutOff: the connection is cut at the write-back; the record says how exact the delivery was, the comment carries the
// mark it is found by, and there is one.
func TestWriteBackCutOff(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	ada, call, id := take(t, h, who.number)
	popped(h, ada)
	h.Fault(map[string]any{"kind": "cut", "method": "PATCH", "match": "/sobjects/Case", "count": 1})
	hangUp(ada, call, id)
	h.Eventually("an attempt has failed", func() bool {
		r := h.Record(id)
		return len(r.WriteBacks) == 1 && r.WriteBacks[0].Attempts == 1
	})
	h.Advance(time.Hour)
	noted(t, h, who, id)
	var rec struct {
		WriteBacks []struct{ Delivery, How, Marker, Stage string }
	}
	h.API().Must("GET", "/contacts/"+id, nil, &rec)
	w := rec.WriteBacks[0]
	if w.Delivery != "exactly_once" || w.How == "" || w.Stage != "done" || !strings.Contains(comments(h, who.caseID, id)[0], w.Marker) || w.Marker == "" {
		t.Errorf("the record says %+v", w)
	}
}

// noted checks that exactly one comment of the contact is on the case.
func noted(t *testing.T, h *hub.Hub, who person, id string) hub.Record {
	t.Helper()
	r := writtenBack(t, h, id)
	got := comments(h, who.caseID, id)
	if len(got) != 1 || !strings.Contains(got[0], who.number) || !strings.Contains(got[0], "Resolved") {
		t.Errorf("comments on the case: %q, want one", got)
	}
	return r
}

// TestSessionExpired: the CRM ends the session between the calls; the next request signs in anew.
func TestSessionExpired(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	list := cases(t, h, 2)
	ada, call, id := take(t, h, list[0].number)
	popped(h, ada)
	h.ExpireSessions() // under the write-back
	hangUp(ada, call, id)
	noted(t, h, list[0], id)
	h.ExpireSessions() // under the dips
	call = dial(h, list[1].number, "1000", callerTone)
	id = ada.accepts()
	if got := popped(h, ada); !strings.Contains(got, list[1].caseID) {
		t.Errorf("screen pop %s, want the case %s", got, list[1].caseID)
	}
	customer(h, ada, "found")
	hangUp(ada, call, id)
	noted(t, h, list[1], id)
}

// TestNoRequestsLeft: the org has used up its API requests. The caller reaches the agent all the same, the connector's page says why
// nothing is written, and the write-back goes out once some requests are free.
func TestNoRequestsLeft(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	list := cases(t, h, 2)
	ada, call, id := take(t, h, list[0].number)
	popped(h, ada)
	h.Fault(map[string]any{"kind": "status", "status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "match": "/services/data"})
	hangUp(ada, call, id)
	var connectors struct{ Items []struct{ ID, Kind string } }
	h.API().Must("GET", "/connectors", nil, &connectors)
	h.Eventually("the page says that requests are kept back", func() bool {
		for _, c := range connectors.Items {
			var st struct{ PausedUntil *time.Time }
			h.API().Must("GET", "/connectors/"+c.ID+"/status", nil, &st)
			if st.PausedUntil != nil {
				return true
			}
		}
		return false
	})
	call = dial(h, list[1].number, "1000", callerTone) // live calls go on
	second := ada.accepts()
	customer(h, ada, "error")
	hangUp(ada, call, second)
	closed(t, h, second)
	h.NoFaults()
	if r := h.Record(id); r.WriteBack != "pending" {
		t.Errorf("the write-back of the first call is %s", r.WriteBack)
	}
	h.Advance(2 * time.Minute)
	noted(t, h, list[0], id)
}

// TestErrorsThenWell: three answers 500 under the dips; the caller reaches the agent, and what comes after is well.
func TestErrorsThenWell(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	list := cases(t, h, 2)
	h.Fault(map[string]any{"kind": "status", "status": 500, "match": "/query", "count": 3})
	ada, call, id := take(t, h, list[0].number)
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("the record: %+v", r)
	}
	call = dial(h, list[1].number, "1000", callerTone)
	id = ada.accepts()
	popped(h, ada)
	hangUp(ada, call, id)
	noted(t, h, list[1], id)
}

// TestWriteBackErrors: three answers 500 at the write-back, then well.
func TestWriteBackErrors(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	ada, call, id := take(t, h, who.number)
	popped(h, ada)
	h.Fault(map[string]any{"kind": "status", "status": 500, "method": "PATCH", "match": "/sobjects/Case", "count": 3})
	hangUp(ada, call, id)
	for attempt := range 3 {
		h.Eventually("an attempt has failed", func() bool {
			r := h.Record(id)
			return len(r.WriteBacks) == 1 && r.WriteBacks[0].Attempts == attempt+1
		})
		if r := h.Record(id); r.WriteBack != "pending" || r.WriteBacks[0].Status != "500" || r.WriteBacks[0].LastError == "" {
			t.Errorf("after attempt %d: %s %+v", attempt+1, r.WriteBack, r.WriteBacks)
		}
		h.Advance(time.Hour)
	}
	if r := noted(t, h, who, id); r.WriteBacks[0].Attempts != 4 || r.WriteBacks[0].LastError != "" {
		t.Errorf("the record: %+v", r.WriteBacks)
	}
}

// TestNoAnswer: the CRM takes five seconds to answer nothing; the call goes on and the desk says so.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	h.Fault(map[string]any{"kind": "hang", "delay_ms": 30_000, "match": "/(query|search)"})
	ada, call, id := take(t, h, who.number)
	c := customer(h, ada, "error")
	if !strings.Contains(c.Customer.Message, "did not answer in time") {
		t.Errorf("the desk says %q", c.Customer.Message)
	}
	h.NoFaults()
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.EndReason != "customer" || !r.Had("connected") {
		t.Errorf("the record: %+v", r)
	}
}

// TestSlowAnswer: an answer that takes five seconds is waited for, and used.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	h.Fault(map[string]any{"kind": "latency", "delay_ms": 5000, "match": "/query", "count": 1})
	ada, call, id := take(t, h, who.number)
	if got := popped(h, ada); !strings.Contains(got, who.caseID) {
		t.Errorf("screen pop %s, want the case %s", got, who.caseID)
	}
	hangUp(ada, call, id)
	noted(t, h, who, id)
}

// TestDownAtHangup: the CRM is away when the call ends, for half an hour; the write-back arrives, once.
func TestDownAtHangup(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	ada, call, id := take(t, h, who.number)
	popped(h, ada)
	h.Down(true)
	hangUp(ada, call, id)
	ada.is("available") // the agent does not wait for the CRM
	for range 3 {
		before := attempts(h, id)
		h.Eventually("another attempt", func() bool {
			h.Advance(time.Minute)
			return attempts(h, id) > before
		})
	}
	if r := h.Record(id); r.WriteBack != "pending" || r.State != "ended" {
		t.Errorf("while the CRM is away the record is %s, write-back %s", r.State, r.WriteBack)
	}
	h.Down(false)
	h.Eventually("the write-back is done", func() bool {
		h.Advance(10 * time.Minute)
		return h.Record(id).WriteBack == "done"
	})
	noted(t, h, who, id)
}

func attempts(h *hub.Hub, id string) (n int) {
	for _, w := range h.Record(id).WriteBacks {
		n += w.Attempts
	}
	return n
}

// TestDownUnderDips: the CRM is away all along; the caller reaches an agent all the same.
func TestDownUnderDips(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	h.Down(true)
	ada, call, id := take(t, h, who.number)
	customer(h, ada, "error")
	hangUp(ada, call, id)
	if r := closed(t, h, id); r.EndReason != "customer" || r.Disposition == nil {
		t.Errorf("the record: %+v", r)
	}
}

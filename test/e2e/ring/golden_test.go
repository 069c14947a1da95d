// Package ring tests the main job end to end: a SIP call, dips into the CRM, an agent, a screen pop, a comment on the case.
package ring

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// TestGoldenCall is the whole ring as its users see it.
func TestGoldenCall(t *testing.T) {
	h := hub.Start(t, hub.Options{})
	goldenCall(t, h)
}

func goldenCall(t *testing.T, h *hub.Hub) {
	t.Helper()
	who := withCase(t, h)
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, who.number, "1000", callerTone)
	id := ada.accepts()
	h.Eventually("the desk shows the screen pop and the customer", func() bool {
		c := ada.Desk().Contact
		return c != nil && c.ScreenPop != nil && c.Customer.Status == "found"
	})
	c := ada.Desk().Contact
	if want := "http://" + h.Sandbox + "/lightning/r/Case/" + who.caseID + "/view"; c.ScreenPop.URL != want || !strings.Contains(c.ScreenPop.Label, who.caseNumber) {
		t.Errorf("screen pop %+v, want %s with the case's number %s", *c.ScreenPop, want, who.caseNumber)
	}
	if c.ANI != who.number || c.Customer.Contacts[0].ID != who.id || len(c.Customer.Cases) == 0 || c.Customer.Cases[0].ID != who.caseID {
		t.Errorf("the desk shows %s and %+v, want %+v", c.ANI, c.Customer, who)
	}
	for name, want := range map[string]string{"contactName": who.name, "caseNumber": who.caseNumber, "notes": ""} {
		if v := c.Variable(name); v.Label == "" || v.Value != want || v.Editable != (name == "notes") {
			t.Errorf("variable %+v, want %q", v, want)
		}
	}
	edit := map[string]any{"values": map[string]string{"notes": `wants a refund of "30 %"`}}
	ada.Must("PUT", "/desk/contacts/"+id+"/variables", edit, nil)
	if v := ada.Desk().Contact.Variable("notes"); v.Value != `wants a refund of "30 %"` {
		t.Errorf("after the edit the desk shows %+v", v)
	}
	status, _, err := ada.Do("PUT", "/desk/contacts/"+id+"/variables", map[string]any{"values": map[string]string{"contactName": "x"}}, nil)
	if err != nil || status != 400 && status != 422 {
		t.Errorf("changing a variable that is not editable: %d %v", status, err)
	}
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "called back")
	r := writtenBack(t, h, id)
	ada.is("available")
	got := comments(h, who.caseID, id)
	if len(got) != 1 {
		t.Fatalf("%d comments on the case, want one: %q", len(got), got)
	}
	for _, part := range []string{who.number, "Ada Bell", "Resolved", `wants a refund of "30 %"`} {
		if !strings.Contains(got[0], part) {
			t.Errorf("the comment %q lacks %q", got[0], part)
		}
	}
	if r.EndReason != "customer" || r.Agent == nil || r.Agent.Name != "Ada Bell" || r.Disposition == nil || r.Disposition.Name != "Resolved" || r.Notes != "called back" {
		t.Errorf("the record: %+v", r)
	}
	if len(r.Legs) != 2 || r.Legs[0].PacketsReceived == 0 || r.Legs[1].PacketsReceived == 0 {
		t.Errorf("the legs' quality: %+v", r.Legs)
	}
	var trace []string
	for _, s := range h.Trace(id) {
		trace = append(trace, s.Name)
	}
	if got := strings.Join(trace, " "); !strings.Contains(got, "OpenCaseByContact") || !strings.Contains(got, "PostComment") {
		t.Errorf("the trace: %s", got)
	}
}

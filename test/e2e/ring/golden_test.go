// Package ring tests the main job end to end: a SIP call, dips into the CRM, an agent, a screen pop, a comment on the case.
package ring

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// caller is a contact of the sample org with exactly one open case.
type caller struct {
	number, contactID, name, caseID, caseNumber string
}

func openCaseCaller(t *testing.T, h *hub.Hub) caller {
	t.Helper()
	var res struct {
		Records []struct {
			ID, CaseNumber, ContactID string
			Contact                   struct{ Name, Phone string }
		}
	}
	h.SOQL("SELECT Id, CaseNumber, ContactId, Contact.Name, Contact.Phone FROM Case WHERE IsClosed = false AND Contact.Phone != null ORDER BY CaseNumber LIMIT 50", &res)
	for _, r := range res.Records {
		d := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, r.Contact.Phone)
		if len(d) == 10 {
			return caller{number: "+1" + d, contactID: r.ContactID, name: r.Contact.Name, caseID: r.ID, caseNumber: r.CaseNumber}
		}
	}
	t.Fatal("the sample org has no caller with an open case")
	return caller{}
}

func TestGoldenCall(t *testing.T) {
	h := hub.Start(t, hub.Options{})
	who := openCaseCaller(t, h)
	agent := h.SignIn("ada")
	agent.Connect(softphone.Options{Clip: softphone.Tone(700)})
	agent.Available()
	call := h.Call(who.number, "1000", softphone.Options{Clip: softphone.Tone(440)})
	h.Eventually("the call rings at the desk", func() bool {
		d := agent.Desk()
		return d.State == "ringing" && d.Contact != nil
	})
	id := agent.Desk().Contact.ID
	agent.Must("POST", "/desk/contacts/"+id+"/accept", nil, nil)
	h.Eventually("the desk shows the connected call with its screen pop", func() bool {
		d := agent.Desk()
		return d.State == "connected" && d.Contact != nil && d.Contact.ScreenPop != nil
	})
	d := agent.Desk()
	t.Logf("desk: %+v", d.Contact)
	agent.Must("PUT", "/desk/contacts/"+id+"/variables", map[string]any{"values": map[string]string{"notes": "wants a refund"}}, nil)
	call.Hangup()
	h.Eventually("wrap-up", func() bool { return agent.Desk().State == "wrapup" })
	agent.Must("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": "resolved", "notes": "done"}, nil)
	h.Eventually("the comment is on the case", func() bool {
		var res struct {
			Records []struct{ CommentBody string }
		}
		h.SOQL("SELECT CommentBody FROM CaseComment WHERE ParentId = '"+who.caseID+"'", &res)
		for _, r := range res.Records {
			if strings.Contains(r.CommentBody, id) {
				t.Log(r.CommentBody)
				return true
			}
		}
		return false
	})
	api := h.API()
	var rec map[string]any
	api.Must("GET", "/contacts/"+id, nil, &rec)
	t.Logf("record: %v", rec)
	var tr map[string]any
	api.Must("GET", "/contacts/"+id+"/trace", nil, &tr)
}

package ring

import (
	"cmp"
	"net/url"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/soql"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// flowDetail is a flow as the API tells it.
type flowDetail struct {
	ID       string
	Version  int
	Bindings []struct{ Kind, Ref, Name, Target string }
	Report   struct {
		Problems []struct {
			Code, Message, Severity string
			Node                    string
		}
	}
}

// named returns the id of an object of the installation.
func named(h *hub.Hub, path, name string) (id string) {
	var res struct{ Items []struct{ ID, Name string } }
	h.API().Must("GET", path, nil, &res)
	for _, o := range res.Items {
		if o.Name == name {
			id = o.ID
		}
	}
	return id
}

// TestFixtureFlow imports a real export, binds and mends it, publishes it, and takes a call through it to the comment on
// the case.
func TestFixtureFlow(t *testing.T) {
	t.Parallel()
	file := fixtures.Read(t, "flows", "webex", "Salesforce_HTTP_Connector_Flow.json")
	h := hub.Start(t, hub.Options{})
	api := h.API()
	var in struct{ Flow flowDetail }
	api.Must("POST", "/flows/import?name="+url.QueryEscape("Real export"), file, &in)
	f := in.Flow
	queue, crm := named(h, "/queues", "Support"), named(h, "/connectors", "salesforce")
	var bindings []map[string]string
	for _, b := range f.Bindings {
		target := map[string]string{"queue": queue, "connector": crm}[b.Kind]
		if b.Target == "" && target != "" {
			bindings = append(bindings, map[string]string{"kind": b.Kind, "ref": b.Ref, "target": target})
		}
	}
	if len(bindings) == 0 {
		t.Fatalf("the flow names neither queue nor connector: %+v", f.Bindings)
	}
	api.Must("PUT", "/flows/"+f.ID+"/bindings", map[string]any{"version": f.Version, "bindings": bindings}, &f)
	status, raw, err := api.Do("POST", "/flows/"+f.ID+"/mend", map[string]any{"all": true, "version": f.Version}, &f)
	if err != nil || status != 201 {
		t.Fatalf("mending: %d %s %v", status, raw, err)
	}
	for _, p := range f.Report.Problems {
		if strings.EqualFold(p.Severity, "error") {
			t.Errorf("after binding and mending there is still an error: %+v", p)
		}
	}
	api.Must("POST", "/flows/"+f.ID+"/publish", map[string]any{"version": f.Version}, nil)
	api.Must("POST", "/entry-points", map[string]string{"number": "2000", "name": "Real", "flowId": f.ID}, nil)

	who := withCase(t, h)
	before := allComments(h, who.caseID)
	ada := sit(t, h, "ada", agentTone)
	var call *line
	h.Eventually("the new number answers", func() bool { // entry points are read once a second
		call = dial(h, who.number, "2000", callerTone)
		select {
		case <-call.Answered():
			return true
		case <-call.Done():
			return false
		}
	})
	id := ada.accepts()
	hearsBoth(h, ada, call)
	vars := map[string]string{}
	for _, v := range ada.Desk().Contact.Variables {
		vars[v.Name] = v.Value
	}
	if vars["caseId"] != who.caseID || vars["contactId"] != who.id {
		t.Errorf("the flow found %v, want %+v", vars, who)
	}
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	writtenBack(t, h, id)
	if after := allComments(h, who.caseID); len(after) != len(before)+1 {
		t.Errorf("%d comments after the call, %d before it", len(after), len(before))
	} else if c := after[len(after)-1]; strings.Contains(cmp.Or(c, "{{"), "{{") {
		t.Errorf("the comment is %q", c)
	}
}

func allComments(h *hub.Hub, caseID string) (out []string) {
	var res struct {
		Records []struct{ CommentBody string }
	}
	h.SOQL(query(soql.Build("CaseComment").Select("CommentBody").Where("ParentId", "=", caseID).OrderBy("CreatedDate", false)), &res)
	for _, r := range res.Records {
		out = append(out, r.CommentBody)
	}
	return out
}

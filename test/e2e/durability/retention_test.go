package durability

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // looks behind the hub's back

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

func count(t *testing.T, db *sql.DB, q string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), q).Scan(&n); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return n
}

// TestRetention moves the clock past each retention: old contacts go with their traces and indexes, their keys are shredded, events
// and finished jobs go, and the audit log, which holds nothing personal, still verifies.
func TestRetention(t *testing.T) {
	h := hub.Start(t, hub.Options{Flags: map[string]any{"retention.contacts": "48h", "retention.events": "24h", "retention.jobs": "12h"}})
	api, ada := h.API(), h.SignIn("ada")
	var who struct {
		Records []struct{ Contact struct{ Phone string } }
	}
	h.SOQL("SELECT Contact.Phone FROM Case WHERE IsClosed = false AND Contact.Phone != null ORDER BY CaseNumber LIMIT 1", &who)
	ada.Connect(softphone.Options{Clip: softphone.Tone(700)})
	ada.Available()
	call := h.Call("+1"+digits(who.Records[0].Contact.Phone), "1000", softphone.Options{Clip: softphone.Tone(440)})
	h.Eventually("the call rings at the desk", func() bool { d := ada.Desk(); return d.State == "ringing" && d.Contact != nil })
	id := ada.Desk().Contact.ID
	ada.Must("POST", "/desk/contacts/"+id+"/accept", nil, nil)
	call.Hangup()
	h.Eventually("wrap-up", func() bool { return ada.Desk().State == "wrapup" })
	ada.Must("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": "resolved", "notes": "n"}, nil)
	h.Eventually("the record is closed", func() bool {
		var rec struct{ State, WriteBack string }
		api.Must("GET", "/contacts/"+id, nil, &rec)
		return rec.State == "ended" && rec.WriteBack == "done"
	})
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.Dir, "tandem.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, q := range []string{"SELECT count(*) FROM contacts", "SELECT count(*) FROM contact_tokens", "SELECT count(*) FROM contact_traces", "SELECT count(*) FROM jobs"} {
		if count(t, db, q) == 0 {
			t.Fatalf("%s: the test shows nothing", q)
		}
	}
	first := count(t, db, "SELECT min(seq) FROM events")

	h.Advance(13 * time.Hour)
	h.Eventually("finished jobs are gone", func() bool { return count(t, db, "SELECT count(*) FROM jobs") == 0 })
	if count(t, db, "SELECT count(*) FROM contacts") != 1 {
		t.Error("the contact went before its time")
	}
	h.Advance(12 * time.Hour)
	h.Eventually("old events are gone", func() bool { return count(t, db, "SELECT coalesce(min(seq), 0) FROM events") != first })
	h.Advance(25 * time.Hour)
	h.Eventually("the contact is gone", func() bool { return count(t, db, "SELECT count(*) FROM contacts") == 0 })
	for _, q := range []string{"SELECT count(*) FROM contact_tokens", "SELECT count(*) FROM contact_traces"} {
		if n := count(t, db, q); n != 0 {
			t.Errorf("%s: %d are left", q, n)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM data_keys WHERE purpose = 'contact' AND (shredded_at = 0 OR length(wrapped) > 0)"); n != 0 {
		t.Errorf("%d contacts' keys live on", n)
	}
	if n := count(t, db, "SELECT count(*) FROM data_keys WHERE purpose = 'contact' AND subject = '"+id+"' AND shredded_at > 0"); n != 1 {
		t.Errorf("the key has %d tombstones", n)
	}
	if status, raw, err := api.Do("GET", "/contacts/"+id, nil, nil); err != nil || status != 404 {
		t.Errorf("the contact: %d %s %v", status, raw, err)
	}
	var shredding struct {
		Items []struct{ Resource, Outcome string }
	}
	api.Must("GET", "/audit?action=keyring:Shred", nil, &shredding)
	if len(shredding.Items) != 1 || !strings.HasSuffix(shredding.Items[0].Resource, id) {
		t.Errorf("the shredding is not in the log: %+v", shredding)
	}
	var verdict struct {
		OK      bool
		Message string
	}
	api.Must("POST", "/audit/verify", nil, &verdict)
	if !verdict.OK {
		t.Errorf("the audit log: %s", verdict.Message)
	}
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

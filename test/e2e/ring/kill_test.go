package ring

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// TestGoldenCallPostgres is the golden call on the other engine.
func TestGoldenCallPostgres(t *testing.T) {
	t.Parallel()
	goldenCall(t, hub.Start(t, hub.Options{Flags: map[string]any{"db": storetest.DSN(t, sqlstore.Postgres)}}))
}

// TestKillSQLite and TestKillPostgres kill a hub under calls in every phase, time and again, and look at what it makes of them
// after the restart.
func TestKillSQLite(t *testing.T) {
	t.Parallel()
	killed(t, "sqlite", 10)
}

func TestKillPostgres(t *testing.T) {
	t.Parallel()
	killed(t, storetest.DSN(t, sqlstore.Postgres), 5)
}

// builtHub builds the binary once for all tests.
func builtHub(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // built once for all tests
	return hub.Build(buildDir)
})

// round is what one life of the hub leaves behind: what each caller's record must say.
type round struct {
	reasons map[string]string // caller's number -> end reason
	cases   map[string]string // caller's number -> case that gets a comment
}

func killed(t *testing.T, dsn string, kills int) {
	t.Helper()
	binary, dir := builtHub(t), t.TempDir()
	h := hub.Exec(t, binary, dir, dsn)
	total := 0
	for i := range kills {
		rd := everyPhase(t, h, i)
		if err := h.Stop(); err != nil {
			t.Fatalf("killing the hub: %v", err)
		}
		h = hub.Exec(t, binary, dir, dsn)
		truthful(t, h, rd)
		total += len(rd.reasons)
		if n := len(h.Records()); n != total {
			t.Fatalf("after kill %d there are %d records of %d calls", i+1, n, total)
		}
	}
	var audit struct {
		OK      bool
		Message string
	}
	h.API().Must("POST", "/audit/verify", nil, &audit)
	if !audit.OK {
		t.Errorf("the audit log does not verify: %s", audit.Message)
	}
}

// newCaller adds a person with an open case to the org and returns their number and the case.
func newCaller(h *hub.Hub, round, n int) (number, caseID string) {
	number = fmt.Sprintf("+1212555%02d%02d", round, n)
	var who, what struct{ ID string }
	h.CRM("POST", "/sobjects/Contact", map[string]string{"LastName": fmt.Sprintf("Kill %d-%d", round, n), "Phone": strings.TrimPrefix(number, "+1")}, &who)
	h.CRM("POST", "/sobjects/Case", map[string]string{"ContactId": who.ID, "Subject": "Kill", "Status": "New", "Origin": "Phone"}, &what)
	return number, what.ID
}

// everyPhase puts calls into every phase: in the menu, waiting, ringing, connected or held, in wrap-up, and just finished with the
// write-back under way.
func everyPhase(t *testing.T, h *hub.Hub, i int) round {
	t.Helper()
	rd := round{reasons: map[string]string{}, cases: map[string]string{}}
	call := func(n int, to, reason string) *line {
		number, caseID := newCaller(h, i, n)
		rd.reasons[number] = reason
		if to == "1000" {
			rd.cases[number] = caseID
		}
		return dial(h, number, to, 0)
	}
	var desks []*desk
	for _, login := range []string{"ada", "ben", "cleo"} {
		d := &desk{Client: h.SignIn(login), h: h, t: t, ear: &ear{}}
		d.audio = d.Connect(d.ear.options(0))
		desks = append(desks, d)
	}
	t.Cleanup(func() {
		for _, d := range desks {
			d.audio.Hangup()
		}
	})
	ada, ben, cleo := desks[0], desks[1], desks[2]

	ada.Available()
	call(1, "1000", "hub_restart")
	id := ada.accepts()
	if i%2 == 1 {
		ada.do(id, "hold")
	}
	cleo.Available()
	done := call(2, "1000", "customer")
	cleo.accepts()
	done.Hangup()
	cleo.is("wrapup")
	ben.Available()
	written := call(3, "1000", "customer")
	id = ben.accepts()
	written.Hangup()
	ben.is("wrapup")
	menu := call(4, "1001", "hub_restart")
	<-menu.Answered()
	ben.finishes(id, "resolved", "")
	last := call(5, "1000", "hub_restart")
	<-last.Answered() // from here on there is a record
	if i%3 != 0 {
		ben.rings()
		waits := call(6, "1000", "hub_restart")
		<-waits.Answered()
		h.Eventually("a call waits", func() bool {
			for _, r := range h.Records() {
				if r.State == "queued" {
					return true
				}
			}
			return false
		})
	}
	<-hub.After(time.Duration(i*7%20) * time.Millisecond)
	return rd
}

// truthful ends the wrap-ups that the kill has interrupted and checks every record of the round.
func truthful(t *testing.T, h *hub.Hub, rd round) {
	t.Helper()
	for _, login := range []string{"ada", "cleo"} {
		d := &desk{Client: h.SignIn(login), h: h, t: t}
		d.is("wrapup")
		d.finishes(d.Desk().Contact.ID, "follow-up-needed", "after the restart")
		d.Must("POST", "/desk/state", map[string]string{"state": "offline"}, nil)
	}
	h.SignIn("ben").Must("POST", "/desk/state", map[string]string{"state": "offline"}, nil)
	h.Eventually("every contact is closed", func() bool {
		for _, r := range h.Records() {
			if r.State != "ended" {
				return false
			}
		}
		return true
	})
	h.Eventually("every write-back is done", func() bool {
		for _, r := range h.Records() {
			if r.WriteBack != "none" && r.WriteBack != "done" {
				h.Advance(time.Minute)
				return false
			}
		}
		return true
	})
	seen := map[string]int{}
	for _, r := range h.Records() {
		want, ok := rd.reasons[r.ANI]
		if !ok {
			continue
		}
		seen[r.ANI]++
		if r.EndReason != want || r.EndedAt == nil {
			t.Errorf("the call from %s ended by %q at %v, want %q", r.ANI, r.EndReason, r.EndedAt, want)
		}
		if caseID := rd.cases[r.ANI]; caseID != "" && r.WriteBack == "done" {
			if n := len(comments(h, caseID, r.ID)); n == 0 {
				t.Errorf("the comment of %s is not on its case", r.ANI)
			} else if n > 1 {
				t.Logf("the comment of %s is there %d times: the kill came between the request and its answer", r.ANI, n)
			}
		} else if r.AnsweredAt != nil {
			t.Errorf("the call from %s was answered and has no write-back: %s", r.ANI, r.WriteBack)
		}
	}
	for number := range rd.reasons {
		if seen[number] != 1 {
			t.Errorf("%d records of the call from %s, want one", seen[number], number)
		}
	}
}

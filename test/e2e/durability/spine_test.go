package durability

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

const (
	kills   = 50
	lifeMax = 350 * time.Millisecond // of a child after its first acknowledgement
)

// TestSpineSurvivesKills kills a writing process fifty times at random moments, its start included, and looks at what is left:
// every acknowledged unit of work is there, whole, once and readable.
func TestSpineSurvivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills processes for half a minute on each engine")
	}
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			dsn, dir := storetest.DSN(t, engine), t.TempDir()
			begin := time.Now()
			acked := map[string]bool{}
			for round := range kills {
				for _, id := range killOne(t, dsn, dir, round) {
					if acked[id] {
						t.Errorf("%s was acknowledged twice", id)
					}
					acked[id] = true
				}
			}
			killing := time.Since(begin)
			begin = time.Now()
			drain := run(t, dsn, dir, "drain")
			if out, err := drain.CombinedOutput(); err != nil {
				t.Fatalf("finishing what was left: %v\n%s", err, out)
			}
			t.Logf("%d units of work acknowledged over %d kills in %v; the rest took %v", len(acked), kills, killing.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
			if len(acked) < kills {
				t.Errorf("only %d units of work were acknowledged: the test shows nothing", len(acked))
			}
			inspect(t, dsn, dir, acked)
		})
	}
}

func run(t *testing.T, dsn, dir, mode string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+mode, envDSN+"="+dsn, envDir+"="+dir, "GOCOVERDIR=")
	return cmd
}

// killOne runs a writer, kills it and returns what it has acknowledged. Every fifth dies while it starts.
func killOne(t *testing.T, dsn, dir string, round int) (acked []string) {
	t.Helper()
	cmd := run(t, dsn, dir, "write")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() } // it may have died by itself, which the caller sees
	early := round%5 == 4
	if early {
		defer time.AfterFunc(rand.N(150*time.Millisecond), kill).Stop()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		id, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok || id == "" {
			continue
		}
		if len(acked) == 0 && !early {
			defer time.AfterFunc(rand.N(lifeMax), kill).Stop()
		}
		acked = append(acked, id)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the writer ended by itself in round %d: %v\n%s", round, err, stderr.Bytes())
	}
	return acked
}

// left is what the database holds at the end.
type left struct {
	entities map[string]entity
	effects  map[string]bool
	created  map[string]int // entity.created events per id
	marked   map[string]int
	order    map[string][]string // per order key, ids in the order in which their jobs had their effect
	audited  map[string]int
}

func inspect(t *testing.T, dsn, dir string, acked map[string]bool) {
	t.Helper()
	ctx := asTest(t.Context())
	p, err := open(ctx, dsn, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := collect(ctx, t, p)
	for id := range acked {
		if _, ok := l.entities[id]; !ok {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	for id := range l.entities {
		if l.created[id] != 1 || l.audited[id] != 1 || l.marked[id] != 1 || !l.effects[id] {
			t.Errorf("%s: %d events, %d audit entries, %d marks, effect %v; want one of each", id, l.created[id], l.audited[id], l.marked[id], l.effects[id])
		}
		if j, err := p.db.Jobs().Get(ctx, tenant, "job-"+id); err != nil || j.State != job.Completed || j.Attempt < 1 {
			t.Errorf("the job of %s: %+v, %v", id, j, err)
		}
	}
	for what, n := range map[string]int{"created events": len(l.created), "marks": len(l.marked), "effects": len(l.effects), "audit entries": len(l.audited)} {
		if n != len(l.entities) {
			t.Errorf("%d entities have %s, %d entities are there", n, what, len(l.entities))
		}
	}
	res, err := audit.Verify(ctx, sqlstore.As[audit.Tx](p.db), p.sealer.Origin(), p.verifier)
	if err != nil || !res.OK || res.Size != int64(len(l.entities)) {
		t.Errorf("the audit log: %+v, %v; want %d entries sealed", res, err, len(l.entities))
	}
	ordered(t, l)
}

func collect(ctx context.Context, t *testing.T, p *program) left {
	t.Helper()
	l := left{entities: map[string]entity{}, effects: map[string]bool{}, created: map[string]int{}, marked: map[string]int{}, order: map[string][]string{}, audited: map[string]int{}}
	var rows, effects []registry.Row
	if err := p.store.View(ctx, func(tx entityTx) (err error) {
		if rows, err = tx.Objects(ctx, tenant, "entity"); err == nil {
			effects, err = tx.Objects(ctx, tenant, "effect")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		plain, err := p.ring.Open(ctx, tenant, r.Body, aad(r.ID))
		if err != nil {
			t.Errorf("%s cannot be read: %v", r.ID, err)
			continue
		}
		var e entity
		if err := json.Unmarshal(plain, &e); err != nil || e.ID != r.ID || e.Text != body(r.ID) {
			t.Errorf("%s holds %q (%v)", r.ID, plain, err)
		}
		l.entities[r.ID] = e
	}
	for _, r := range effects {
		l.effects[r.ID] = true
	}
	next := int64(1)
	for e := range events(ctx, t, p.db.Events()) {
		if e.Seq != next {
			t.Fatalf("event %d follows %d", e.Seq, next-1)
		}
		next++
		switch e.Type {
		case "entity.created":
			l.created[e.Subject]++
		case "entity.marked":
			l.marked[e.Subject]++
			line := l.entities[e.Subject].line()
			l.order[line] = append(l.order[line], e.Subject)
		}
	}
	if err := sqlstore.As[audit.Tx](p.db).View(ctx, func(tx audit.Tx) error {
		for before := int64(0); ; {
			list, err := tx.ListAudit(ctx, audit.Filter{Tenant: tenant, Action: "entity:Create", Before: before, Limit: 1000})
			if err != nil || len(list) == 0 {
				return err
			}
			for _, a := range list {
				l.audited[a.Resource]++
			}
			before = list[len(list)-1].ID
		}
	}); err != nil {
		t.Fatal(err)
	}
	return l
}

func events(ctx context.Context, t *testing.T, log event.Log) func(yield func(event.Event) bool) {
	return func(yield func(event.Event) bool) {
		after := int64(0)
		for {
			list, err := log.Read(ctx, "", after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				return
			}
			for _, e := range list {
				after = e.Seq
				if !yield(e) {
					return
				}
			}
		}
	}
}

// ordered checks that the jobs of one order key had their effects in the order of their insertion, over every kill. Ids are
// made in time order, and a writer makes the next one after the last was acknowledged.
func ordered(t *testing.T, l left) {
	t.Helper()
	for line, list := range l.order {
		for i := 1; i < len(list); i++ {
			if list[i-1] >= list[i] {
				t.Errorf("order key %s: the job of %s had its effect before that of %s", line, list[i-1], list[i])
			}
		}
	}
}

package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/work"
)

var start = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

func emit(ctx context.Context, tx work.Tx, subject string) error {
	return tx.Emit(ctx, event.Event{Tenant: "t", Type: "thing.made", Subject: subject, At: start})
}

func waitEvents(t *testing.T, log event.Log, want int) []event.Event {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		list, err := log.Read(t.Context(), "t", 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) >= want || time.Now().After(deadline) {
			return list
		}
	}
}

func TestUpdateCommitsAllOrNothing(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx := t.Context()
		store := sqlstore.As[work.Tx](db)
		boom := errors.New("boom")
		if err := store.Update(ctx, func(tx work.Tx) error {
			if err := emit(ctx, tx, "lost"); err != nil {
				return err
			}
			return boom
		}); !errors.Is(err, boom) {
			t.Fatalf("the closure's error must come back as it is, got %v", err)
		}
		err := store.Update(ctx, func(work.Tx) error {
			panic("in the closure")
		})
		if !errs.Is(err, errs.Internal) {
			t.Fatalf("a panic must become an internal error, got %v", err)
		}
		if err := store.Update(ctx, func(tx work.Tx) error { return emit(ctx, tx, "kept") }); err != nil {
			t.Fatal(err)
		}
		list := waitEvents(t, db.Events(), 1)
		if len(list) != 1 || list[0].Subject != "kept" || list[0].Seq != 1 {
			t.Fatalf("got %+v", list)
		}
	})
}

func TestEventsAreDenseUnderConcurrency(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		const writers, each = 8, 40
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if err := sqlstore.As[work.Tx](db).Update(t.Context(), func(tx work.Tx) error {
						return emit(t.Context(), tx, fmt.Sprint(w, "-", i))
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		list := waitEvents(t, db.Events(), writers*each)
		if len(list) != writers*each {
			t.Fatalf("got %d events, want %d", len(list), writers*each)
		}
		seen := map[string]int{}
		for i, e := range list {
			if e.Seq != int64(i+1) {
				t.Fatalf("event %d has seq %d", i+1, e.Seq)
			}
			seen[e.Subject]++
		}
		if len(seen) != writers*each {
			t.Fatalf("%d distinct events, want %d", len(seen), writers*each)
		}
	})
}

func TestViewCannotWrite(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		if err := sqlstore.As[work.Tx](db).View(t.Context(), func(tx work.Tx) error { return emit(t.Context(), tx, "x") }); err == nil {
			t.Fatal("a write in a view must fail")
		}
	})
}

func TestJobsOrderRetryAndTakeover(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, store := t.Context(), db.Jobs()
		enqueue := func(key, payload string) string {
			id := ids.New()
			if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
				return tx.Enqueue(ctx, job.Job{ID: id, Tenant: "t", Kind: "k", OrderKey: key, Connection: "crm", Payload: []byte(payload), CreatedAt: start})
			}); err != nil {
				t.Fatal(err)
			}
			return id
		}
		first, second, other := enqueue("a", "one"), enqueue("a", "two"), enqueue("b", "three")
		claim := func(node string, now time.Time, inUse ...string) []string {
			c := job.Claim{Node: node, Now: now, Lease: time.Minute, Limit: 10, PerConn: 3, InUse: map[string]int{}}
			for _, conn := range inUse {
				c.InUse[conn]++
			}
			list, err := store.Claim(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range list {
				got = append(got, j.ID)
				if len(j.Payload) == 0 || j.Payload[0] < 'a' {
					t.Errorf("payload %q is not opened", j.Payload)
				}
			}
			return got
		}
		if got := claim("n1", start, "crm", "crm", "crm"); len(got) != 0 {
			t.Fatalf("a busy connection was claimed: %v", got)
		}
		if got, want := claim("n1", start), []string{first, other}; !slices.Equal(got, want) {
			t.Fatalf("claimed %v, want %v: the second of a key must wait", got, want)
		}
		if got := claim("n2", start); len(got) != 0 {
			t.Fatalf("claimed twice: %v", got)
		}
		// The node dies; its jobs are free at once for itself, and for others once the lease is over.
		if n, err := store.Release(ctx, "", start.Add(30*time.Second)); err != nil || n != 0 {
			t.Fatalf("released %d before the lease ended (%v)", n, err)
		}
		if n, err := store.Release(ctx, "", start.Add(61*time.Second)); err != nil || n != 2 {
			t.Fatalf("released %d lost jobs, want 2 (%v)", n, err)
		}
		now := start.Add(62 * time.Second)
		if got := claim("n2", now); len(got) != 2 {
			t.Fatalf("took up %v", got)
		}
		// An outcome of the node that lost the lease changes nothing.
		if err := store.Finish(ctx, "n1", now, []job.Outcome{{ID: first, State: job.Completed}}); err != nil {
			t.Fatal(err)
		}
		if j, err := store.Get(ctx, "t", first); err != nil || j.State != job.Running || j.Attempt != 2 {
			t.Fatalf("got %+v, %v", j, err)
		}
		if err := store.Finish(ctx, "n2", now, []job.Outcome{
			{ID: first, State: job.Retryable, RunAt: now.Add(time.Hour), LastError: "no"}, {ID: other, State: job.Completed},
		}); err != nil {
			t.Fatal(err)
		}
		if got := claim("n1", now); len(got) != 0 {
			t.Fatalf("the second of a key overtook a waiting first: %v", got)
		}
		if at, ok, err := store.NextDue(ctx, now); err != nil || !ok || !at.Equal(now.Add(time.Hour)) {
			t.Fatalf("next due %v %v %v", at, ok, err)
		}
		if err := store.Retry(ctx, "t", first, now); err != nil {
			t.Fatal(err)
		}
		if got := claim("n1", now); !slices.Equal(got, []string{first}) {
			t.Fatalf("claimed %v", got)
		}
		if err := store.Finish(ctx, "n1", now, []job.Outcome{{ID: first, State: job.Completed}}); err != nil {
			t.Fatal(err)
		}
		if got := claim("n1", now); !slices.Equal(got, []string{second}) {
			t.Fatalf("claimed %v, want the second", got)
		}
		if err := store.Cancel(ctx, "t", second, now); !errors.Is(err, job.ErrNotWaiting) {
			t.Fatalf("cancelling a running job: %v", err)
		}
	})
}

func TestRunnerRunsOncePerKeyInOrder(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx := t.Context()
		var mu sync.Mutex
		got := map[string][]string{}
		fails := map[string]int{}
		done := make(chan struct{}, 100)
		clk := clock.New()
		r := job.NewRunner(db.Jobs(), clk, map[string]job.Handler{"k": func(_ context.Context, j job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			if string(j.Payload) == "3" && fails[j.OrderKey] == 0 {
				fails[j.OrderKey]++
				go clk.Advance(time.Minute)
				return errors.New("once")
			}
			got[j.OrderKey] = append(got[j.OrderKey], string(j.Payload))
			done <- struct{}{}
			return nil
		}}, job.Options{Node: "n"})
		db.OnCommit(func(c sqlstore.Changes) {
			if c.Jobs {
				r.Wake()
			}
		})
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		const keys, each = 5, 8
		for i := range each {
			for k := range keys {
				if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
					return tx.Enqueue(ctx, job.Job{ID: ids.New(), Tenant: "t", Kind: "k", OrderKey: fmt.Sprint("key", k), Payload: []byte(strconv.Itoa(i)), CreatedAt: clk.Now()})
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range keys * each {
			select {
			case <-done:
			case <-time.After(30 * time.Second):
				t.Fatalf("jobs stopped: %v", got)
			}
		}
		if err := r.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		for k, list := range got {
			if !slices.Equal(list, []string{"0", "1", "2", "3", "4", "5", "6", "7"}) {
				t.Errorf("%s ran in order %v", k, list)
			}
		}
	})
}

// TestEveryStatementPrepares finds every constant that is a statement (its name starts with q) and prepares it.
func TestEveryStatementPrepares(t *testing.T) {
	statements := statementConstants(t)
	storetest.Engines(t, func(t *testing.T, _ *sqlstore.DB) {
		engine := sqlstore.Engine(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:])
		dsn := storetest.DSN(t, engine)
		storetest.Open(t, dsn)
		driver, source := "pgx", dsn
		if engine == sqlstore.SQLite {
			driver, source = "sqlite", strings.TrimPrefix(dsn, "sqlite:")
		}
		conn, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for name, q := range statements {
			s, err := conn.PrepareContext(t.Context(), q)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, q)
				continue
			}
			_ = s.Close()
		}
	})
}

func statementConstants(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	exprs := map[string]ast.Expr{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						exprs[name.Name] = spec.Values[i]
					}
				}
			}
			return true
		})
	}
	out := map[string]string{}
	for name, e := range exprs {
		if len(name) > 1 && name[0] == 'q' && name[1] >= 'A' && name[1] <= 'Z' {
			if s, ok := constant(exprs, e); ok {
				out[name] = s
			}
		}
	}
	return out
}

func constant(exprs map[string]ast.Expr, e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.Ident:
		if v, ok := exprs[e.Name]; ok {
			return constant(exprs, v)
		}
	case *ast.BinaryExpr:
		l, ok1 := constant(exprs, e.X)
		r, ok2 := constant(exprs, e.Y)
		return l + r, ok1 && ok2
	}
	return "", false
}

// TestJobsOfOneRecordRunInOrder: two lines of work that write the same record take turns in the order of insertion, whatever
// order key each has; what was kept of a run is there at the next one, and only the node that holds the job may keep it.
func TestJobsOfOneRecordRunInOrder(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, store := t.Context(), db.Jobs()
		add := func(id, order, record string) {
			if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
				return tx.Enqueue(ctx, job.Job{ID: id, Tenant: "t", Kind: "k", OrderKey: order, RecordKey: record, CreatedAt: start})
			}); err != nil {
				t.Fatal(err)
			}
		}
		add("a1", "a", "case/1")
		add("b1", "b", "case/1")
		add("b2", "b", "case/2")
		add("c1", "c", "")
		claim := func() (got []job.Job) {
			got, err := store.Claim(ctx, job.Claim{Node: "n", Now: start, Lease: time.Minute, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		names := func(list []job.Job) (out []string) {
			for _, j := range list {
				out = append(out, j.ID)
			}
			return out
		}
		if got := names(claim()); !slices.Equal(got, []string{"a1", "c1"}) {
			t.Fatalf("claimed %v, want a1 and c1", got)
		}
		kept := job.Progress{Stage: job.StageSending, Delivery: job.ExactlyOnce, Marker: "[ref:X]", SentAt: start}
		if err := store.Progress(ctx, "other", "a1", kept); !errs.Is(err, errs.Conflict) {
			t.Errorf("a node kept the progress of another's job: %v", err)
		}
		if err := store.Progress(ctx, "n", "a1", kept); err != nil {
			t.Fatal(err)
		}
		if n, err := store.Release(ctx, "n", start); err != nil || n != 2 {
			t.Fatalf("%d released, %v", n, err)
		}
		again := claim()
		if got := names(again); !slices.Equal(got, []string{"a1", "c1"}) || again[0].Progress != kept || again[0].RecordKey != "case/1" {
			t.Fatalf("claimed %+v", again)
		}
		if err := store.Finish(ctx, "n", start, []job.Outcome{{ID: "a1", State: job.Completed}}); err != nil {
			t.Fatal(err)
		}
		if got := names(claim()); !slices.Equal(got, []string{"b1"}) {
			t.Errorf("then claimed %v, want b1", got)
		}
	})
}

// TestJobsOfOneConnectionLeaveRoomForOthers has many jobs due for a slow connection before one for another.
func TestJobsOfOneConnectionLeaveRoomForOthers(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, store := t.Context(), db.Jobs()
		for i := range 40 {
			conn := "slow"
			if i == 30 || i == 39 {
				conn = []string{"", "fast"}[i%2]
			}
			if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
				return tx.Enqueue(ctx, job.Job{ID: fmt.Sprint(conn, i), Tenant: "t", Kind: "k", Connection: conn, CreatedAt: start})
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			limit, inUse int
			want         []string
		}{
			{limit: 10, inUse: 2, want: []string{"slow0", "slow1", "30", "fast39"}},
			{limit: 2, inUse: 0, want: []string{"slow2", "slow3"}},
			{limit: 10, inUse: 4, want: nil},
			{limit: 50, inUse: 0, want: []string{"slow4", "slow5", "slow6", "slow7"}},
		} {
			list, err := store.Claim(ctx, job.Claim{
				Node: "n", Now: start, Lease: time.Minute, Limit: c.limit, PerConn: 4, InUse: map[string]int{"slow": c.inUse},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range list {
				got = append(got, j.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("with %d in use: claimed %v, want %v", c.inUse, got, c.want)
			}
		}
	})
}

// TestFirstUseOfAStatementNeedsNoSecondConnection has every connection inside a transaction before any statement was used: whoever
// prepared one on another connection would wait for ever.
func TestFirstUseOfAStatementNeedsNoSecondConnection(t *testing.T) {
	const pool = 24
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			db, err := sqlstore.Open(t.Context(), storetest.DSN(t, engine), sqlstore.Options{Cipher: storetest.Cipher{}, Readers: pool})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var inside, wg sync.WaitGroup
			views := pool
			if engine == sqlstore.Postgres {
				views-- // the sequencer holds one
			}
			inside.Add(views)
			for range views {
				wg.Go(func() {
					err := sqlstore.As[registry.Tx](db).View(ctx, func(tx registry.Tx) error {
						inside.Done()
						inside.Wait()
						_, err := tx.Objects(ctx, "t", "queue")
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("the views wait for each other")
			}
		})
	}
}

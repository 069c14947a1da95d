package sqlstore_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/work"
)

// TestUpgradeOfWaitingJobs: jobs that an older version stored, in every state, are there after the upgrade, with nothing known of how
// far they came; they run in their old order beside new ones, and keep progress from then on. The way back leaves them as they were.
func TestUpgradeOfWaitingJobs(t *testing.T) {
	for engine := range dialects {
		t.Run(string(engine), func(t *testing.T) { upgradeJobs(t, engine) })
	}
}

// insertOldJob is a row as versions before record keys and progress wrote it.
const insertOldJob = `INSERT INTO jobs (id, tenant, kind, order_key, connection, payload, state, attempt, max_attempts, run_at, created_at, lease_until, node, last_error, finished_at)
	VALUES ($1, 't', 'k', $2, 'c', $3, $4, $5, 60, $6, $6, $7, $8, '', $9)`

func upgradeJobs(t *testing.T, engine sqlstore.Engine) {
	t.Helper()
	d := dialects[engine]
	dsn := storetest.DSN(t, engine)
	conn, err := sql.Open(d.driver, strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	provider, err := goose.NewProvider(d.dialect, conn, migrationsOf(engine))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 11); err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
	payload, err := storetest.Cipher{}.SealJob("t", "", []byte(`{"old":true}`))
	if err != nil {
		t.Fatal(err)
	}
	states := []job.State{job.Running, job.Retryable, job.Scheduled, job.Available, job.Completed, job.Cancelled, job.Discarded}
	for i, state := range states {
		node, lease, finished := "", int64(0), int64(0)
		if state == job.Running {
			node, lease = "n", now.Add(time.Hour).UnixMilli()
		}
		if i > 3 {
			finished = now.UnixMilli()
		}
		at := now.Add(time.Duration(i-10) * time.Second).UnixMilli()
		if _, err := conn.ExecContext(ctx, insertOldJob, "old-"+string(state), "line", payload, string(state), 3, at, lease, node, finished); err != nil {
			t.Fatal(err)
		}
	}

	db, err := sqlstore.Open(ctx, dsn, sqlstore.Options{Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatal(err)
	}
	jobs := db.Jobs()
	if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
		return tx.Enqueue(ctx, job.Job{ID: "new", Tenant: "t", Kind: "k", OrderKey: "line", RecordKey: "r", Payload: []byte("new"), CreatedAt: now})
	}); err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		j, err := jobs.Get(ctx, "t", "old-"+string(state))
		if err != nil || j.State != state || j.RecordKey != "" || j.Progress != (job.Progress{}) || j.Attempt != 3 {
			t.Errorf("%s became %+v, %v", state, j, err)
		}
	}
	if n, err := jobs.Release(ctx, "n", now); err != nil || n != 1 {
		t.Errorf("%d jobs of the restarted node were taken up, %v", n, err)
	}
	for _, want := range []string{"old-running", "old-retryable", "old-scheduled", "old-available", "new"} {
		list, err := jobs.Claim(ctx, job.Claim{Node: "n", Now: now.Add(time.Minute), Lease: time.Minute, Limit: 10})
		if err != nil || len(list) != 1 || list[0].ID != want || string(list[0].Payload) != map[bool]string{true: "new", false: `{"old":true}`}[want == "new"] {
			t.Fatalf("claimed %+v, %v; want %s", list, err, want)
		}
		p := job.Progress{Stage: job.StageDoubtful, Delivery: job.ExactlyOnce, How: "marker", SentAt: now}
		if err := jobs.Progress(ctx, "n", want, p); err != nil {
			t.Fatal(err)
		}
		if j, err := jobs.Get(ctx, "t", want); err != nil || !j.Progress.SentAt.Equal(now) || j.Progress.Stage != p.Stage {
			t.Errorf("%s keeps %+v, %v", want, j.Progress, err)
		}
		if err := jobs.Finish(ctx, "n", now, []job.Outcome{{ID: want, State: job.Completed}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(ctx, 11); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := errors.Join(conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM jobs WHERE attempt = 3 OR id = 'new'").Scan(&left)); err != nil || left < len(states)-4 {
		t.Errorf("%d jobs are left after the way back, %v", left, err)
	}
}

package writes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/job"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

// The child is this test's binary run again: it delivers jobs until none is left or it is killed.
const (
	envDSN   = "TANDEM_TEST_WRITES_DSN"
	envURL   = "TANDEM_TEST_WRITES_URL"
	envCreds = "TANDEM_TEST_WRITES_LOGIN"
)

const (
	tenant  = "000000000001"
	jobKind = "crm.write"
)

func TestMain(m *testing.M) {
	if os.Getenv(envDSN) != "" {
		if err := child(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child delivers until nothing is left.
func child(ctx context.Context) error {
	d, err := deliver(ctx, os.Getenv(envDSN), os.Getenv(envURL), os.Getenv(envCreds))
	if err != nil {
		return err
	}
	for {
		left, err := d.left(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			return d.end(ctx)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// payload is what a job carries: a request to the org.
type payload struct {
	Method, Path, Body string
}

func (p payload) request() salesforce.Request {
	return salesforce.Request{Method: p.Method, Path: p.Path, Body: []byte(p.Body)}
}

// connect makes a client as the hub does; its HTTP client is to be closed after it.
func connect(address, login string) (*salesforce.Client, *httpx.Client, error) {
	var cr sandbox.Credentials
	if err := json.Unmarshal([]byte(login), &cr); err != nil {
		return nil, nil, fmt.Errorf("reading the credentials: %w", err)
	}
	h, err := httpx.New(httpx.Options{
		Allow: []string{strings.TrimPrefix(address, "http://")}, PerHost: 64, BreakerFailures: -1, MaxRequestBytes: 100 << 20, MaxResponseBytes: 100 << 20,
	})
	if err != nil {
		return nil, nil, err
	}
	c, err := salesforce.New(salesforce.Options{
		BaseURL: address, Grant: salesforce.Password, HTTP: h, ClientID: cr.ClientID, ClientSecret: cr.ClientSecret,
		Username: cr.Username, Password: cr.Password, SecurityToken: cr.SecurityToken, Settle: time.Second, LimitPause: 40 * time.Millisecond,
	})
	return c, h, err
}

// calmClient is a client of the test's own.
func calmClient(t *testing.T, address, login string) *salesforce.Client {
	t.Helper()
	c, h, err := connect(address, login)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); h.Close() })
	return c
}

// mortal is a store that a killed process no longer reaches: nothing is claimed or stored after the kill.
type mortal struct {
	job.Store

	dead *atomic.Bool
}

var errDead = errors.New("the process is dead")

// Claim implements job.Store.
func (m mortal) Claim(ctx context.Context, c job.Claim) ([]job.Job, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Store.Claim(ctx, c)
}

// Finish implements job.Store.
func (m mortal) Finish(ctx context.Context, node string, now time.Time, done []job.Outcome) error {
	if m.dead.Load() {
		return nil // the runner would try again
	}
	return m.Store.Finish(ctx, node, now, done)
}

// Progress implements job.Store.
func (m mortal) Progress(ctx context.Context, node, id string, p job.Progress) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.Progress(ctx, node, id, p)
}

// delivery is what the hub delivers writes with: the database, the runner and the client.
type delivery struct {
	db     *sqlstore.DB
	client *salesforce.Client
	http   *httpx.Client
	runner *job.Runner
	dead   atomic.Bool
}

// deliver begins to deliver the jobs of a database.
func deliver(ctx context.Context, dsn, address, login string) (*delivery, error) {
	d := &delivery{}
	var err error
	if d.db, err = sqlstore.Open(ctx, dsn, sqlstore.Options{Cipher: storetest.Cipher{}}); err != nil {
		return nil, err
	}
	if d.client, d.http, err = connect(address, login); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	jobs := mortal{Store: d.db.Jobs(), dead: &d.dead}
	handler := func(ctx context.Context, j job.Job) error { return d.write(ctx, jobs, j) }
	d.runner = job.NewRunner(jobs, clock.New(), map[string]job.Handler{jobKind: handler}, job.Options{Node: "n", Workers: 64, PerConn: 64})
	d.db.OnCommit(func(c sqlstore.Changes) {
		if c.Jobs {
			d.runner.Wake()
		}
	})
	return d, d.runner.Start(ctx)
}

// write runs one job.
func (d *delivery) write(ctx context.Context, jobs job.Store, j job.Job) error {
	var p payload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Discard(err)
	}
	resp, _, err := d.client.Deliver(ctx, salesforce.Write{
		Request: p.request(), Key: j.ID, Progress: j.Progress,
		Keep: func(ctx context.Context, st job.Progress) error { return jobs.Progress(ctx, j.Node, j.ID, st) },
	})
	// The hub waits a second and longer before it tries again; this is as if it had.
	_, snoozed := job.Snoozed(err)
	switch {
	case snoozed:
		return err
	case err != nil && !errs.Is(err, errs.Invalid), err == nil && (resp.Status == 401 || resp.Status >= 500):
		return job.SnoozeFor(50 * time.Millisecond)
	case err != nil:
		return job.Discard(err)
	case resp.Status >= 400:
		return job.Discard(resp.Err())
	}
	return nil
}

// left counts the jobs that are not done.
func (d *delivery) left(ctx context.Context) (int64, error) {
	counts, err := d.db.Counts(ctx, tenant)
	return counts.JobsWaiting, err
}

// end stops in good order.
func (d *delivery) end(ctx context.Context) error {
	err := d.runner.Stop(ctx)
	d.client.Close()
	d.http.Close()
	return errors.Join(err, d.db.Close())
}

// kill stops at once, wherever everything is: requests under way are dropped, and nothing is stored any more.
func (d *delivery) kill(ctx context.Context) error {
	d.dead.Store(true)
	now, cancel := context.WithCancel(ctx)
	cancel()
	return d.end(now)
}

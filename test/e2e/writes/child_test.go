package writes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
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

// payload is what a job carries: a request to the org.
type payload struct {
	Method, Path, Body string
}

func (p payload) request() salesforce.Request {
	return salesforce.Request{Method: p.Method, Path: p.Path, Body: []byte(p.Body)}
}

// connect makes a client as the hub does.
func connect(address, login string) (*salesforce.Client, error) {
	var cr sandbox.Credentials
	if err := json.Unmarshal([]byte(login), &cr); err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(address, "http://")}, PerHost: 64, BreakerFailures: -1})
	if err != nil {
		return nil, err
	}
	return salesforce.New(salesforce.Options{
		BaseURL: address, Grant: salesforce.Password, HTTP: h, ClientID: cr.ClientID, ClientSecret: cr.ClientSecret,
		Username: cr.Username, Password: cr.Password, SecurityToken: cr.SecurityToken, Settle: time.Second, LimitPause: 40 * time.Millisecond,
	})
}

func child(ctx context.Context) error {
	db, err := sqlstore.Open(ctx, os.Getenv(envDSN), sqlstore.Options{Cipher: storetest.Cipher{}})
	if err != nil {
		return err
	}
	client, err := connect(os.Getenv(envURL), os.Getenv(envCreds))
	if err != nil {
		return err
	}
	jobs := db.Jobs()
	handler := func(ctx context.Context, j job.Job) error {
		var p payload
		if err := json.Unmarshal(j.Payload, &p); err != nil {
			return job.Discard(err)
		}
		resp, _, err := client.Deliver(ctx, salesforce.Write{
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
	runner := job.NewRunner(jobs, clock.New(), map[string]job.Handler{jobKind: handler}, job.Options{Node: "n", Workers: 64, PerConn: 64})
	db.OnCommit(func(c sqlstore.Changes) {
		if c.Jobs {
			runner.Wake()
		}
	})
	if err := runner.Start(ctx); err != nil {
		return err
	}
	for {
		counts, err := db.Counts(ctx, tenant)
		if err != nil {
			return err
		}
		if counts.JobsWaiting == 0 {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	err = runner.Stop(ctx)
	client.Close()
	return errors.Join(err, db.Close())
}

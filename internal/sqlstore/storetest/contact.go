package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
)

var contactAt = time.UnixMilli(1_790_000_000_123).UTC()

// contactRow is a contact with every stored field set.
func contactRow(tenant string, minutes int) contact.Row {
	at := func(s int) time.Time {
		return contactAt.Add(time.Duration(minutes)*time.Minute + time.Duration(s)*time.Second)
	}
	return contact.Row{
		Contact: contact.Contact{
			Tenant: tenant, ID: ids.New(), Node: "n1", State: contact.Ended, StateAt: at(50), DNIS: "1000", EntryPointID: "ep", FlowID: "f",
			FlowVersion: 3, QueueID: "q", AgentID: "g", Priority: 7, CreatedAt: at(0), QueuedAt: at(10), OfferedAt: at(20), AnsweredAt: at(25),
			EndedAt: at(40), WrapUpUntil: at(45), ClosedAt: at(50), EndReason: contact.ByCustomer, DispositionID: "d",
			WriteBack: contact.WriteBackDone, Version: 1,
		},
		Body: []byte("sealed"), Session: []byte("session"),
	}
}

// Contact is the contract of contact.Store.
func Contact(t *testing.T, store contact.Store) {
	t.Helper()
	c := contactSuite{t: t, store: store}
	c.keeps()
	c.lists()
	c.searches()
	c.tallies()
	c.purges()
	c.onlyOneWins()
}

type contactSuite struct {
	t     *testing.T
	store contact.Store
}

func (c contactSuite) update(f func(ctx context.Context, tx contact.Tx) error) error {
	ctx := c.t.Context()
	return c.store.Update(ctx, func(tx contact.Tx) error { return f(ctx, tx) })
}

func (c contactSuite) must(f func(ctx context.Context, tx contact.Tx) error) {
	c.t.Helper()
	if err := c.update(f); err != nil {
		c.t.Fatal(err)
	}
}

func (c contactSuite) insert(rows ...contact.Row) {
	c.t.Helper()
	c.must(func(ctx context.Context, tx contact.Tx) error {
		for _, r := range rows {
			if err := tx.InsertContact(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c contactSuite) get(tenant, id string) (r contact.Row, err error) {
	ctx := c.t.Context()
	err = c.store.View(ctx, func(tx contact.Tx) error {
		r, err = tx.Contact(ctx, tenant, id)
		return err
	})
	return r, err
}

func (c contactSuite) list(tenant string, f contact.Filter) (got []string) {
	c.t.Helper()
	ctx := c.t.Context()
	if f.Limit == 0 {
		f.Limit = 100
	}
	if err := c.store.View(ctx, func(tx contact.Tx) error {
		rows, err := tx.Contacts(ctx, tenant, f)
		got = nil
		for _, r := range rows {
			got = append(got, r.ID)
			if len(r.Session) != 0 {
				c.t.Error("a list brings sessions")
			}
		}
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c contactSuite) keeps() {
	t := c.t
	t.Helper()
	r := contactRow("keep", 0)
	c.insert(r)
	got, err := c.get("keep", r.ID)
	if diff := cmp.Diff(r, got); err != nil || diff != "" {
		t.Errorf("stored and read (%v):\n%s", err, diff)
	}
	if err := c.update(func(ctx context.Context, tx contact.Tx) error { return tx.InsertContact(ctx, r) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("inserted twice: %v", err)
	}
	for _, none := range [][2]string{{"keep", "none"}, {"other", r.ID}} {
		if _, err := c.get(none[0], none[1]); !errs.Is(err, errs.NotFound) {
			t.Errorf("%v: %v, want not found", none, err)
		}
	}
	next := r
	next.Version, next.State, next.Session, next.AgentID, next.WrapUpUntil = 2, contact.WrapUp, nil, "", time.Time{}
	c.must(func(ctx context.Context, tx contact.Tx) error { return tx.UpdateContact(ctx, next) })
	want := next
	want.Session = r.Session // left as it was
	if got, err = c.get("keep", r.ID); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("changed without a session (%v):\n%s", err, cmp.Diff(want, got))
	}
	next.Version, next.Session = 3, []byte("new")
	c.must(func(ctx context.Context, tx contact.Tx) error { return tx.UpdateContact(ctx, next) })
	if got, err = c.get("keep", r.ID); err != nil || string(got.Session) != "new" {
		t.Errorf("changed with a session: %q, %v", got.Session, err)
	}
	if err := c.update(func(ctx context.Context, tx contact.Tx) error { return tx.UpdateContact(ctx, next) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("a version was written twice: %v", err)
	}
	for _, piece := range []string{"a", "b", "c"} {
		c.must(func(ctx context.Context, tx contact.Tx) error {
			return tx.AppendTrace(ctx, "keep", r.ID, []byte(piece))
		})
	}
	var trace []string
	c.must(func(ctx context.Context, tx contact.Tx) error {
		pieces, err := tx.Trace(ctx, "keep", r.ID)
		trace = nil
		for _, p := range pieces {
			trace = append(trace, string(p))
		}
		return err
	})
	if !slices.Equal(trace, []string{"a", "b", "c"}) {
		t.Errorf("the trace is %v", trace)
	}
	boom := errors.New("boom")
	if err := c.update(func(ctx context.Context, tx contact.Tx) error {
		return errors.Join(tx.InsertContact(ctx, contactRow("keep", 1)), boom)
	}); !errors.Is(err, boom) || len(c.list("keep", contact.Filter{})) != 1 {
		t.Errorf("what failed is there: %v", err)
	}
}

func (c contactSuite) lists() {
	t := c.t
	t.Helper()
	var rows []contact.Row
	for i := range 6 {
		r := contactRow("list", i)
		if i%2 == 1 {
			r.State, r.QueueID, r.ClosedAt, r.Node = contact.Queued, "q2", time.Time{}, "n2"
		}
		if i == 4 {
			r.AgentID = "other"
		}
		rows = append(rows, r)
	}
	c.insert(rows...)
	id := func(list ...int) (out []string) {
		for _, i := range list {
			out = append(out, rows[i].ID)
		}
		return out
	}
	for _, tc := range []struct {
		name string
		f    contact.Filter
		want []string
	}{
		{"all, newest first", contact.Filter{}, id(5, 4, 3, 2, 1, 0)},
		{"state", contact.Filter{State: contact.Queued}, id(5, 3, 1)},
		{"queue", contact.Filter{QueueID: "q"}, id(4, 2, 0)},
		{"agent", contact.Filter{AgentID: "other"}, id(4)},
		{"both", contact.Filter{QueueID: "q2", AgentID: "other"}, nil},
		{"from is inclusive, to is not", contact.Filter{From: rows[2].CreatedAt, To: rows[4].CreatedAt}, id(3, 2)},
		{"first page", contact.Filter{Limit: 4}, id(5, 4, 3, 2)},
		{"second page", contact.Filter{Limit: 4, Before: rows[2].ID}, id(1, 0)},
	} {
		if got := c.list("list", tc.f); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	c.must(func(ctx context.Context, tx contact.Tx) error {
		mine, err := tx.OpenContacts(ctx, "n2")
		if err != nil || len(mine) != 3 || mine[0].ID != rows[1].ID {
			t.Errorf("open on a node: %d, %v", len(mine), err)
		}
		all, err := tx.OpenContacts(ctx, "")
		if err != nil || len(all) != 3 {
			t.Errorf("open on all nodes: %d, %v", len(all), err)
		}
		none, err := tx.OpenContacts(ctx, "n1")
		if err != nil || len(none) != 0 {
			t.Errorf("open on a node that has closed all: %d, %v", len(none), err)
		}
		return nil
	})
}

func (c contactSuite) searches() {
	t := c.t
	t.Helper()
	one, two, foreign := contactRow("find", 0), contactRow("find", 1), contactRow("find2", 2)
	c.insert(one, two, foreign)
	c.must(func(ctx context.Context, tx contact.Tx) error {
		return errors.Join(
			tx.IndexContact(ctx, "find", "tok-a", one.ID), tx.IndexContact(ctx, "find", "tok-a", one.ID),
			tx.IndexContact(ctx, "find", "tok-b", one.ID), tx.IndexContact(ctx, "find", "tok-b", two.ID),
			tx.IndexContact(ctx, "find2", "tok-a", foreign.ID),
		)
	})
	for _, tc := range []struct {
		tokens []string
		want   []string
	}{
		{[]string{"tok-a"}, []string{one.ID}},
		{[]string{"tok-b"}, []string{two.ID, one.ID}},
		{[]string{"tok-a", "tok-b"}, []string{two.ID, one.ID}},
		{[]string{"nothing"}, nil},
		{[]string{}, nil}, // a search for a number that has no index finds nothing, not everything
	} {
		if got := c.list("find", contact.Filter{Tokens: tc.tokens}); !slices.Equal(got, tc.want) {
			t.Errorf("%v: found %v, want %v", tc.tokens, got, tc.want)
		}
	}
}

func (c contactSuite) tallies() {
	t := c.t
	t.Helper()
	answered, late, lost, waiting, old := contactRow("tally", 0), contactRow("tally", 0), contactRow("tally", 0), contactRow("tally", 0), contactRow("tally", -60)
	late.AnsweredAt = late.QueuedAt.Add(time.Minute)
	lost.AnsweredAt, lost.EndReason = time.Time{}, contact.Abandoned
	waiting.AnsweredAt, waiting.EndReason = time.Time{}, ""
	c.insert(answered, late, lost, waiting, old)
	c.must(func(ctx context.Context, tx contact.Tx) error {
		got, err := tx.QueueTallies(ctx, "tally", contactAt, 20*time.Second)
		if want := (map[string]contact.Tally{"q": {Answered: 2, Abandoned: 1, Within: 1}}); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("tallies %v, %v; want %v", got, err, want)
		}
		return nil
	})
}

func (c contactSuite) purges() {
	t := c.t
	t.Helper()
	var rows []contact.Row
	for i := range 4 {
		r := contactRow("purge", i)
		if i == 1 {
			r.ClosedAt = time.Time{} // still open, however old
		}
		rows = append(rows, r)
		c.insert(r)
		c.must(func(ctx context.Context, tx contact.Tx) error {
			return errors.Join(tx.IndexContact(ctx, "purge", "tok", r.ID), tx.AppendTrace(ctx, "purge", r.ID, []byte("x")))
		})
	}
	purge := func(limit int) (gone []string) {
		c.must(func(ctx context.Context, tx contact.Tx) (err error) {
			gone, err = tx.PurgeContacts(ctx, "purge", rows[3].ClosedAt, limit)
			return err
		})
		return gone
	}
	if got := purge(1); !slices.Equal(got, []string{rows[0].ID}) {
		t.Errorf("purged %v", got)
	}
	if got := purge(10); !slices.Equal(got, []string{rows[2].ID}) {
		t.Errorf("purged %v", got)
	}
	if got := purge(10); len(got) != 0 {
		t.Errorf("purged %v again", got)
	}
	if got := c.list("purge", contact.Filter{Tokens: []string{"tok"}}); !slices.Equal(got, []string{rows[3].ID, rows[1].ID}) {
		t.Errorf("left are %v", got)
	}
	c.must(func(ctx context.Context, tx contact.Tx) error {
		if left, err := tx.Trace(ctx, "purge", rows[0].ID); err != nil || len(left) != 0 {
			t.Errorf("a trace outlives its contact: %d, %v", len(left), err)
		}
		return nil
	})
}

// onlyOneWins has many writers change what they all have read.
func (c contactSuite) onlyOneWins() {
	t := c.t
	t.Helper()
	r := contactRow("race", 0)
	c.insert(r)
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			next := r
			next.Version = 2
			switch err := c.update(func(ctx context.Context, tx contact.Tx) error { return tx.UpdateContact(ctx, next) }); {
			case err == nil:
				won.Add(1)
			case errs.Is(err, errs.Conflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("%d of 8 writers won, %d lost", won.Load(), lost.Load())
	}
}

package salesforce

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/soql"
)

const (
	// overlap is how far a comparison reaches back before the newest change it has seen: SystemModstamp is set when a change
	// begins, and long transactions commit out of order.
	overlap = 2 * time.Minute
	// binLife is how long a deleted record can be found: 15 days in the bin (Salesforce Help, "Recycle Bin").
	binLife = 15 * 24 * time.Hour
	// granularity is how finely SystemModstamp tells times apart, with room for the answer's way: two changes in one second
	// look like one.
	granularity = 2 * time.Second
	// repairBatch is how many changes are handed on at once.
	repairBatch = 200
)

// sighting is a change that a comparison has seen. It is handed on again until it is sure that no second one hides in its second.
type sighting struct {
	at      time.Time
	deleted bool
	first   time.Time // when it was seen first, in the hub's time
	sure    bool
}

// repair finds what changed since the cursor by SystemModstamp, deletions too, hands it on and moves the cursor. It goes by the
// org's time alone, so that a wrong clock on either side loses nothing. Formula fields do not move SystemModstamp: what they
// show is not seen.
func (u *subscriber) repair(ctx context.Context) error {
	now := time.Now().UTC()
	if !u.cur.At.IsZero() && now.Sub(u.cur.At) > binLife {
		var list []crm.Change
		for _, object := range u.s.Objects {
			list = append(list, crm.Change{Object: object, Kind: crm.Resync, At: now, Repaired: true})
		}
		if err := u.s.Handle(ctx, list); err != nil {
			return err
		}
		clear(u.cur.Covered)
	}
	for _, object := range u.s.Objects {
		from, known := u.cur.Seen[object]
		var err error
		if !known || now.Sub(u.cur.At) > binLife {
			from, err = u.newest(ctx, object)
		} else {
			from, err = u.compare(ctx, object, from)
		}
		if err != nil {
			return err
		}
		u.cur.Seen[object] = from
		if err := u.deletions(ctx, object, now); err != nil {
			return err
		}
	}
	u.cur.At = now
	return u.s.Cursors.Save(ctx, u.s.Name, u.cur)
}

// newest returns when the object was last changed: where comparing begins.
func (u *subscriber) newest(ctx context.Context, object string) (at time.Time, err error) {
	q, err := soql.Build(object).Select("SystemModstamp").OrderBy("SystemModstamp", true).Limit(1).Text()
	if err != nil {
		return at, errs.Wrap(errs.Internal, err, "building a query")
	}
	for rec, err := range u.c.Query(ctx, Query{Text: q, All: true, Urgency: Background}) {
		if err != nil {
			return at, err
		}
		at, _ = orgTime(rec.Text("SystemModstamp"))
	}
	return at, nil
}

// compare hands on what changed since from and returns the newest change. What it has handed on it does not hand on again, as
// far as it remembers.
func (u *subscriber) compare(ctx context.Context, object string, from time.Time) (time.Time, error) {
	since := from.Add(-overlap)
	q, err := soql.Build(object).Select("Id", "CreatedDate", "SystemModstamp", "IsDeleted").
		Where("SystemModstamp", ">", since).OrderBy("SystemModstamp", false).OrderBy("Id", false).Text()
	if err != nil {
		return from, errs.Wrap(errs.Internal, err, "building a query")
	}
	window := map[string]sighting{}
	var list []crm.Change
	flush := func() error {
		if len(list) == 0 {
			return nil
		}
		if err := u.s.Handle(ctx, list); err != nil {
			return err
		}
		u.remember(list)
		list = nil
		return nil
	}
	for rec, err := range u.c.Query(ctx, Query{Text: q, All: true, Urgency: Background}) {
		if err != nil {
			return from, err
		}
		at, ok := orgTime(rec.Text("SystemModstamp"))
		if !ok {
			return from, errs.New(errs.Unavailable, "the org's answer has a time that cannot be read")
		}
		if at.After(from) {
			from = at
		}
		seen, known := u.window[object][rec.ID()]
		if !known || !seen.at.Equal(at) || seen.deleted != rec.Bool("IsDeleted") {
			seen = sighting{at: at, deleted: rec.Bool("IsDeleted"), first: time.Now()}
		} else if seen.sure {
			window[rec.ID()] = seen
			continue
		}
		seen.sure = time.Since(seen.first) > granularity
		window[rec.ID()] = seen
		if list = append(list, changeOf(object, rec, at, since)); len(list) == repairBatch {
			if err := flush(); err != nil {
				return from, err
			}
		}
	}
	if err := flush(); err != nil {
		return from, err
	}
	u.window[object] = window
	return from, nil
}

func changeOf(object string, rec Record, at, since time.Time) crm.Change {
	ch := crm.Change{Object: object, IDs: []string{rec.ID()}, Kind: crm.Updated, At: at, Repaired: true}
	created, _ := orgTime(rec.Text("CreatedDate"))
	switch {
	case rec.Bool("IsDeleted"):
		ch.Kind = crm.Deleted
	case created.After(since):
		ch.Kind = crm.Created
	}
	return ch
}

// orgTime reads a time as the platform writes it: 2026-11-22T03:13:26.000+0000.
func orgTime(text string) (time.Time, bool) {
	t, err := time.Parse("2006-01-02T15:04:05.000-0700", text)
	return t.UTC(), err == nil
}

package salesforce

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// A deleted record lies in the bin, where a query finds it, until somebody empties the bin or deletes it for good. What is gone from
// there stands in the org's log of deletions alone (REST API Developer Guide, "sObject Get Deleted"), which is asked besides.

const (
	// deletedEvery is how often the log is asked: the bin tells nearly all, and each question is an API request.
	deletedEvery = 10 * time.Minute
	// deletedSpan is the least time between the ends of a question; the platform leaves seconds out of account.
	deletedSpan = 2 * time.Minute
	// maxTold bounds what is remembered of deletions that were told, so that they are not told again.
	maxTold = 20_000
)

// deletedAnswer is what the log tells.
type deletedAnswer struct {
	Records []struct {
		ID string `json:"id"`
		At string `json:"deletedDate"`
	} `json:"deletedRecords"`
	Earliest string `json:"earliestDateAvailable"`
	Covered  string `json:"latestDateCovered"`
}

// parseDeleted reads the log's answer.
func parseDeleted(body []byte) (list []crm.Change, earliest, covered time.Time, err error) {
	var a deletedAnswer
	unreadable := errs.New(errs.Unavailable, "the org's list of deletions cannot be read")
	if json.Unmarshal(body, &a) != nil {
		return nil, earliest, covered, unreadable
	}
	var ok bool
	if covered, ok = orgTime(a.Covered); !ok {
		return nil, earliest, covered, unreadable
	}
	earliest, _ = orgTime(a.Earliest)
	for _, r := range a.Records {
		at, ok := orgTime(r.At)
		if !ok || !recordID.MatchString(r.ID) {
			return nil, earliest, covered, unreadable
		}
		list = append(list, crm.Change{IDs: []string{r.ID}, Kind: crm.Deleted, At: at, Repaired: true})
	}
	return list, earliest, covered, nil
}

// deletions hands on what the log of deletions holds and the comparison has not told, and notes how far the log was read, in the
// org's time. The first time it only finds out how far it reaches.
func (u *subscriber) deletions(ctx context.Context, object string, now time.Time) error {
	if u.noLog[object] || now.Sub(u.asked[object]) < deletedEvery {
		return nil
	}
	start, known := u.cur.Covered[object]
	if !known {
		start = now.Add(-deletedSpan)
	}
	end := now
	if end.Before(start.Add(deletedSpan)) {
		end = start.Add(deletedSpan)
	}
	resp, err := u.c.Do(ctx, Request{
		Path:  "/services/data/" + APIVersion + "/sobjects/" + object + "/deleted",
		Query: url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}, Retry: httpx.RetryIdempotent, Urgency: Background,
	})
	if err != nil {
		return err
	}
	u.asked[object] = now
	if resp.Status >= http.StatusBadRequest {
		return u.noDeletions(ctx, object, resp, now)
	}
	list, earliest, covered, err := parseDeleted(resp.Body)
	if err != nil {
		return err
	}
	if known && earliest.After(start) {
		return u.resync(ctx, object, now, covered)
	}
	if known {
		if err := u.tell(ctx, object, list); err != nil {
			return err
		}
	}
	if covered.After(start) || !known {
		u.cur.Covered[object] = covered
	}
	return nil
}

// noDeletions says what it means that the log does not answer: some objects have none, and a place too old has been dropped.
func (u *subscriber) noDeletions(ctx context.Context, object string, resp *Response, now time.Time) error {
	err := resp.Err()
	switch code := errs.CodeOf(err); {
	case parseError(resp).Code == "INVALID_REPLICATION_DATE":
		return u.resync(ctx, object, now, time.Time{})
	case code == errs.Invalid || code == errs.NotFound || code == errs.Denied:
		u.noLog[object] = true
		u.c.log.WarnContext(ctx, "the org keeps no log of deletions that the hub may read: records that are deleted for good are not heard of", slog.String("scope", u.c.o.Scope), slog.String("object", object), slog.Any("err", err))
		return nil
	}
	return err
}

// resync says that deletions were lost for good, and begins anew at covered; zero: when the log is next asked.
func (u *subscriber) resync(ctx context.Context, object string, now, covered time.Time) error {
	if err := u.s.Handle(ctx, []crm.Change{{Object: object, Kind: crm.Resync, At: now, Repaired: true}}); err != nil {
		return err
	}
	delete(u.cur.Covered, object)
	if !covered.IsZero() {
		u.cur.Covered[object] = covered
	}
	return nil
}

// tell hands deletions on that were not told before.
func (u *subscriber) tell(ctx context.Context, object string, list []crm.Change) error {
	var fresh []crm.Change
	for _, ch := range list {
		if ch.Object = object; !u.told[shortID(ch.IDs[0])] {
			fresh = append(fresh, ch)
		}
	}
	for len(fresh) > 0 {
		n := min(len(fresh), repairBatch)
		if err := u.s.Handle(ctx, fresh[:n]); err != nil {
			return err
		}
		u.remember(fresh[:n])
		fresh = fresh[n:]
	}
	return nil
}

// remember keeps which deletions were told.
func (u *subscriber) remember(list []crm.Change) {
	if len(u.told) > maxTold {
		clear(u.told)
	}
	for _, ch := range list {
		for _, id := range ch.IDs {
			switch ch.Kind {
			case crm.Deleted:
				u.told[shortID(id)] = true
			case crm.Created, crm.Updated, crm.Undeleted:
				delete(u.told, shortID(id))
			case crm.Resync:
			}
		}
	}
}

// shortID is an id without its check characters, which not every source writes.
func shortID(id string) string { return id[:min(15, len(id))] }

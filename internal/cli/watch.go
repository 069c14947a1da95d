package cli

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

const (
	pollEvery  = 200 * time.Millisecond
	knownCalls = 100 // of the same number, from before the call
)

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (n *named) name() string {
	if n == nil {
		return ""
	}
	return n.Name
}

// contactView is what the watcher reads of a contact.
type contactView struct {
	ID        string `json:"id"`
	DNIS      string `json:"dnis"`
	State     string `json:"state"`
	Queue     *named `json:"queue"`
	Agent     *named `json:"agent"`
	WriteBack string `json:"writeBack"`
	Timeline  []struct {
		At     time.Time `json:"at"`
		Type   string    `json:"type"`
		Text   string    `json:"text"`
		Detail string    `json:"detail"`
	} `json:"timeline"`
	WriteBacks []struct {
		JobID     string    `json:"jobId"`
		Method    string    `json:"method"`
		Target    string    `json:"target"`
		Status    string    `json:"status"`
		Attempts  int       `json:"attempts"`
		LastError string    `json:"lastError"`
		At        time.Time `json:"at"`
	} `json:"writeBacks"`
}

// settled reports whether nothing more will happen to the contact.
func (v *contactView) settled() bool {
	return v.WriteBack == "done" || v.WriteBack == "failed" || (v.State == "ended" && v.WriteBack != "pending")
}

// watcher follows the hub's record of a call and reports what the telephone cannot know. It is nil without --api, and then
// does nothing.
type watcher struct {
	hub      *hubClient
	rep      *reporter
	from, to string
	before   map[string]bool // contacts that were there before the call

	cancel  context.CancelFunc
	done    sync.WaitGroup
	settled chan struct{} // closed when nothing more will happen

	id       string // of the contact once found; only the goroutine uses it and what follows
	moments  int
	lastAt   time.Time
	attempts map[string]int
	outcome  string
}

func (c *callCmd) watcher(ctx context.Context, e *env, rep *reporter) (*watcher, error) {
	if c.API == "" {
		return nil, nil //nolint:nilnil // nothing to watch is what nil means here
	}
	hub, err := newHubClient(c.API, cmp.Or(c.Token, e.vars["TANDEM_TOKEN"]))
	if err != nil {
		return nil, err
	}
	if hub.token == "" {
		return nil, errs.New(errs.Invalid, "--api needs an API token: give --token or set TANDEM_TOKEN; ready.json has one for the sample data")
	}
	w := &watcher{
		hub: hub, rep: rep, from: c.From, to: c.To, before: map[string]bool{}, settled: make(chan struct{}), attempts: map[string]int{},
	}
	list, err := w.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		w.before[v.ID] = true
	}
	return w, nil
}

// list returns the newest contacts of the calling number. Those from before the call are told by their ids, since the hub's
// clock need not be ours.
func (w *watcher) list(ctx context.Context) ([]contactView, error) {
	q := url.Values{"limit": {strconv.Itoa(knownCalls)}}
	if strings.ContainsAny(w.from, "0123456789") {
		q.Set("number", w.from)
	}
	var out struct {
		Items []contactView `json:"items"`
	}
	err := w.hub.do(ctx, http.MethodGet, "/contacts?"+q.Encode(), nil, &out)
	return out.Items, err
}

func (w *watcher) start(ctx context.Context) {
	if w == nil {
		return
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.done.Go(func() {
		for wait(ctx, pollEvery) {
			if w.poll(ctx) {
				close(w.settled)
				return
			}
		}
	})
}

// finish waits until the record is complete, at most for d, and reports write-backs that are still to come.
func (w *watcher) finish(ctx context.Context, d time.Duration) {
	if w == nil {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.settled:
	case <-timer.C:
	case <-ctx.Done():
	}
	w.cancel()
	w.done.Wait()
	if w.outcome == "pending" {
		w.rep.say(report{Event: "writeback", Contact: w.id, Status: "pending"})
	}
	w.hub.close()
}

// poll looks once and returns whether nothing more will happen. What cannot be read now is read the next time.
func (w *watcher) poll(ctx context.Context) bool {
	if w.id == "" && !w.find(ctx) {
		return false
	}
	var v contactView
	if err := w.hub.do(ctx, http.MethodGet, "/contacts/"+url.PathEscape(w.id), nil, &v); err != nil {
		return false
	}
	w.timeline(&v)
	w.writeBacks(&v)
	return v.settled()
}

func (w *watcher) find(ctx context.Context) bool {
	list, err := w.list(ctx)
	if err != nil {
		return false
	}
	for i := len(list) - 1; i >= 0; i-- { // the oldest that is new
		v := &list[i]
		if !w.before[v.ID] && sameNumber(v.DNIS, w.to) {
			w.id = v.ID
			w.rep.say(report{Event: "contact", Contact: v.ID, From: w.from, To: w.to})
			return true
		}
	}
	return false
}

// sameNumber compares two ways of writing a number.
func sameNumber(a, b string) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("()-. ", r) {
				return -1
			}
			return r
		}, strings.TrimPrefix(s, "+"))
	}
	return a == b || digits(a) == digits(b)
}

// timeline reports the entries that are new. The hub keeps the last 200: what came later than the last one seen is new.
func (w *watcher) timeline(v *contactView) {
	for i, m := range v.Timeline {
		if m.At.Before(w.lastAt) || (m.At.Equal(w.lastAt) && w.seenAt(v, i)) {
			continue
		}
		if m.At.After(w.lastAt) {
			w.lastAt, w.moments = m.At, 0
		}
		w.moments++
		r := report{Event: m.Type, At: m.At, Contact: v.ID, Text: m.Text, Detail: m.Detail}
		switch m.Type {
		case "started", "ended": // the telephone has said it
			continue
		case "prompt":
			r.Text, r.Detail = cmp.Or(m.Detail, m.Text), ""
		case "queued":
			r.Queue, r.Text = v.Queue.name(), ""
		case "connected":
			r.Event, r.Agent, r.Text = "bridged", v.Agent.name(), ""
		}
		w.rep.say(r)
	}
}

// seenAt reports whether entry i, which is as old as the last one seen, is one of those seen.
func (w *watcher) seenAt(v *contactView, i int) bool {
	first := i
	for first > 0 && v.Timeline[first-1].At.Equal(w.lastAt) {
		first--
	}
	return i-first < w.moments
}

func (w *watcher) writeBacks(v *contactView) {
	for _, b := range v.WriteBacks {
		if b.Attempts == 0 || b.Attempts == w.attempts[b.JobID] {
			continue
		}
		w.attempts[b.JobID] = b.Attempts
		w.rep.say(report{
			Event: "writebackAttempt", At: b.At, Contact: v.ID, Method: b.Method, Target: b.Target, Status: b.Status, Attempts: b.Attempts, Detail: b.LastError,
		})
	}
	if v.WriteBack == w.outcome {
		return
	}
	w.outcome = v.WriteBack
	if w.outcome == "done" || w.outcome == "failed" {
		w.rep.say(report{Event: "writeback", Contact: v.ID, Status: w.outcome})
	}
}

package salesforce

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/soql"
)

// skew is how much the hub's clock and the org's may differ.
const skew = time.Hour

// maxTogether is how many parents one look-up reads the texts of.
const maxTogether = 50

// finder looks for the marks of doubtful writes. Those that come while a look-up runs share the next one: when a composite
// request was cut off, all its writes ask at once. It is safe for concurrent use.
type finder struct {
	c *Client

	mu      sync.Mutex // guards what follows
	flying  bool
	waiting []*lookup
}

// lookup is the search for one mark.
type lookup struct {
	find    markedField
	version string
	parent  map[string]string
	mark    string
	since   time.Time
	found   chan finding // takes one without blocking
}

type finding struct {
	id  string
	err error
}

// find returns the id of the record that carries the write's mark, empty when there is none.
func (f *finder) find(ctx context.Context, p *plan, st job.Progress) (string, error) {
	l := &lookup{find: p.find, version: p.version, parent: p.parent, mark: st.Marker, since: st.SentAt, found: make(chan finding, 1)}
	f.mu.Lock()
	f.waiting = append(f.waiting, l)
	f.start() //nolint:contextcheck // several callers' look-ups: none of their contexts ends it
	f.mu.Unlock()
	select {
	case r := <-l.found:
		return r.id, r.err
	case <-ctx.Done():
		return "", errs.Wrap(errs.Unavailable, context.Cause(ctx), "the look-up of an earlier attempt was given up")
	}
}

// start looks for what waits unless a look-up runs. The caller holds mu.
func (f *finder) start() {
	if f.flying || len(f.waiting) == 0 {
		return
	}
	group := f.next()
	f.flying = true
	f.c.background(func() {
		ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
		f.look(ctx, group)
		cancel()
		f.mu.Lock()
		f.flying = false
		f.start()
		f.mu.Unlock()
	}, func(err error) {
		f.flying = false
		for _, l := range group {
			l.found <- finding{err: err}
		}
	})
}

// next takes the look-ups that one query can serve: those of one object with one and the same parent field, else one. The
// caller holds mu.
func (f *finder) next() (group []*lookup) {
	rest := f.waiting[:0:0]
	for _, l := range f.waiting {
		if len(group) == 0 || len(group) < maxTogether && together(group[0], l) {
			group = append(group, l)
			continue
		}
		rest = append(rest, l)
	}
	f.waiting = rest
	return group
}

func together(a, b *lookup) bool {
	return a.find.object == b.find.object && a.version == b.version && len(a.parent) == 1 && len(b.parent) == 1 && parentField(a) == parentField(b)
}

func parentField(l *lookup) string { return sortedKeys(l.parent)[0] }

// look reads the texts that may carry the marks, newest first: those of their parents, and where there is none, those made
// since the write was sent.
func (f *finder) look(ctx context.Context, group []*lookup) {
	open := slices.Clone(group)
	answer := func(l *lookup, r finding) {
		open = slices.DeleteFunc(open, func(o *lookup) bool { return o == l })
		l.found <- r
	}
	fail := func(err error) {
		for _, l := range slices.Clone(open) {
			answer(l, finding{err: err})
		}
	}
	first := group[0]
	q, err := markQuery(group)
	if err != nil {
		fail(errs.Wrap(errs.Internal, err, "the query for an earlier attempt cannot be built"))
		return
	}
	for rec, err := range f.c.Query(ctx, Query{Text: q, Version: first.version, Batch: 200}) {
		if err != nil {
			fail(err)
			return
		}
		body := rec.Text(first.find.text)
		for _, l := range slices.Clone(open) {
			if strings.Contains(body, l.mark) {
				answer(l, finding{id: rec.ID()})
			}
		}
		if len(open) == 0 {
			return
		}
	}
	fail(nil) // none of the rest is there
}

func markQuery(group []*lookup) (string, error) {
	first := group[0]
	b := soql.Build(first.find.object).Select("Id", first.find.text)
	switch {
	case len(first.parent) == 1:
		var values []string
		for _, l := range group {
			values = append(values, l.parent[parentField(l)])
		}
		slices.Sort(values)
		b.In(parentField(first), slices.Compact(values)...)
	case len(first.parent) > 1:
		for _, name := range sortedKeys(first.parent) {
			b.Where(name, "=", first.parent[name])
		}
	default:
		since := first.since
		if now := time.Now(); now.Before(since) { // a process clock that was moved ahead
			since = now
		}
		b.Where("CreatedDate", ">=", since.Add(-skew))
	}
	return b.OrderBy("CreatedDate", true).Text()
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A bulk load adds thousands of rows to few tables. Run one by one they cost more in calls than in the tables, so that
// within a transaction that says so rows wait until there are enough for one statement. Nothing else sees a difference:
// whatever reads or changes what they are in runs after them.

// maxTogether is the number of rows of one statement, fewer where a row has many columns: SQLite takes 32,766 values.
const maxTogether = 40

const maxStatementValues = 4000

// insertion is an INSERT in parts: what comes before and after the rows, and one row's placeholders.
type insertion struct {
	table           string // quoted, as it stands in the texts that read it
	head, row, tail string
	columns         int
	full            int    // rows of a full statement
	one, many       string // the texts for one row and for a full number
}

func newInsertion(table string, columns []string, tail string) *insertion {
	in := &insertion{
		table: table, head: "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ",
		row: "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")", tail: tail, columns: len(columns),
	}
	in.full = max(1, min(maxTogether, maxStatementValues/len(columns)))
	in.one = in.head + in.row + tail
	in.many = in.head + strings.TrimSuffix(strings.Repeat(in.row+", ", in.full), ", ") + tail
	return in
}

// waiting are the rows of one insertion that were not run yet.
type waiting struct {
	*insertion
	args []any
}

// together puts rows together from here to the end of the write transaction under way. Full statements run beside the
// work that makes the next rows.
func (s *store) together() {
	if s.txn.runs == nil {
		s.txn.runs = newRuns()
	}
}

// add runs an insertion of one row in the write transaction, or puts the row to those that wait. args are copied.
func (s *store) add(ctx context.Context, tx *sql.Tx, in *insertion, args ...any) error {
	if s.txn.runs == nil {
		return s.exec(ctx, tx, in.one, args...)
	}
	var w *waiting
	for _, other := range s.txn.waiting {
		if other.insertion == in {
			w = other
		}
	}
	if w == nil {
		w = &waiting{insertion: in, args: make([]any, 0, in.full*in.columns)}
		s.txn.waiting = append(s.txn.waiting, w)
	}
	w.args = append(w.args, args...)
	if len(w.args) < in.full*in.columns {
		return nil
	}
	run, err := s.prepared(ctx, tx, in.many)
	if err != nil {
		return err
	}
	full := w.args
	w.args = make([]any, 0, len(full))
	s.txn.runs.put(func() error { return run(full) })
	return nil
}

// settle runs the rows that wait, and waits for those that run; with a text only where it names one of their tables.
func (s *store) settle(ctx context.Context, tx *sql.Tx, text string) error {
	if s.txn.runs == nil || !slices.ContainsFunc(s.txn.waiting, func(w *waiting) bool { return strings.Contains(text, w.table) }) {
		return nil
	}
	return s.settleAll(ctx, tx)
}

func (s *store) settleAll(ctx context.Context, tx *sql.Tx) error {
	if s.txn.runs == nil {
		return nil
	}
	if err := s.txn.runs.wait(); err != nil {
		return err
	}
	for _, w := range s.txn.waiting {
		for at := 0; at < len(w.args); at += w.columns {
			if err := s.run(ctx, tx, w.one, w.args[at:at+w.columns]); err != nil {
				return fmt.Errorf("adding to %s: %w", w.table, err)
			}
		}
		w.args = w.args[:0]
	}
	return nil
}

// runs is a queue of statements that run one after the other.
type runs struct {
	queue chan func() error
	done  sync.WaitGroup // the statements that were put
	ended chan struct{}
	first error // of a statement that failed; read after done
}

const maxRuns = 8 // statements that may wait

func newRuns() *runs {
	r := &runs{queue: make(chan func() error, maxRuns), ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for run := range r.queue {
			if r.first == nil {
				r.first = run()
			}
			r.done.Done()
		}
	}()
	return r
}

func (r *runs) put(run func() error) {
	r.done.Add(1)
	r.queue <- run
}

// wait returns once all statements have run, with the error of the first that failed.
func (r *runs) wait() error {
	r.done.Wait()
	return r.first
}

// end lets what was put run out. Nothing may be put after it.
func (r *runs) end() {
	if r != nil {
		close(r.queue)
		<-r.ended
	}
}

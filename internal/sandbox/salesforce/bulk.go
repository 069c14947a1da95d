package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bulk API 2.0 (guide of 66.0): jobs that load or read many records as CSV. Uploads and results are files in the bulk
// folder; what a job is stands in the store, so that a restart takes it up where it was.

// jobState is where a job stands.
type jobState string

const (
	jobOpen       jobState = "Open"
	jobUploaded   jobState = "UploadComplete"
	jobInProgress jobState = "InProgress"
	jobComplete   jobState = "JobComplete"
	jobFailed     jobState = "Failed"
	jobAborted    jobState = "Aborted"
)

func (s jobState) over() bool {
	return s == jobComplete || s == jobFailed || s == jobAborted || s == jobClosed
}

const (
	maxUpload    = 150_000_000 / 4 * 3 // bytes: the platform takes 150 MB of base64
	maxMultipart = 100_000             // bytes of the data of a multipart request
	maxJobs      = 5000                // kept; the oldest that are over go first
	jobTTL       = 7 * 24 * time.Hour
	jobWorkers   = 2
	jobPage      = 1000
)

const qJobTable = `
CREATE TABLE IF NOT EXISTS bulk_job (id TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT, WITHOUT ROWID;`

const qSaveJob = `INSERT INTO bulk_job (id, data) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data`

// job is a bulk job as the store keeps it.
type job struct {
	ID         string   `json:"id"`
	Ingest     bool     `json:"ingest"`
	Object     string   `json:"object"`
	Operation  string   `json:"operation"`
	ExternalID string   `json:"external_id,omitempty"`
	LineEnding string   `json:"line_ending"`
	Delimiter  string   `json:"delimiter"`
	Query      string   `json:"query,omitempty"`
	State      jobState `json:"state"`
	User       string   `json:"user"`
	Version    int      `json:"version"`
	Created    int64    `json:"created"` // ms
	Modified   int64    `json:"modified"`
	Rule       string   `json:"rule,omitempty"` // assignmentRuleId, which is kept and shown: this org has no such rules
	Uploaded   bool     `json:"uploaded,omitempty"`
	Multiple   bool     `json:"multiple,omitempty"` // data came more than once: the job can only be aborted
	Message    string   `json:"message,omitempty"`
	Millis     int64    `json:"millis"`

	Classic *classicJob `json:"classic,omitempty"` // a job of Bulk API 1.0, nil: of 2.0 or a batch
	Parent  string      `json:"parent,omitempty"`  // of a batch of Bulk API 1.0: its job
	progress
	// Where every indexStep-th record of a query's result starts.
	Index []int64 `json:"index,omitempty"`
}

// progress is how far a job is: in records, and an ingest in bytes of the upload and of the two files of results.
type progress struct {
	Processed int64 `json:"processed"`
	Failed    int64 `json:"failed"`
	In        int64 `json:"in,omitempty"`
	OK        int64 `json:"ok,omitempty"`
	Bad       int64 `json:"bad,omitempty"`
}

func (j *job) comma() byte { return delimiter(j.Delimiter) }

func (j *job) eol() string {
	if j.LineEnding == "CRLF" {
		return "\r\n"
	}
	return "\n"
}

// bulk runs the jobs.
type bulk struct {
	org    *Org
	dir    string
	ctx    context.Context //nolint:containedctx // ends the workers with the org
	cancel context.CancelFunc
	work   sync.WaitGroup
	places chan struct{} // one for each job that may run

	mu   sync.Mutex // guards below and the jobs themselves
	jobs map[string]*job
}

func newBulk(o *Org) *bulk {
	b := &bulk{org: o, dir: filepath.Join(o.store.dir, "bulk"), places: make(chan struct{}, jobWorkers), jobs: map[string]*job{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// load reads the jobs of an earlier run and goes on with those that were under way.
func (b *bulk) load(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of bulk jobs: %w", err)
	}
	rows, err := b.org.store.read.QueryContext(ctx, "SELECT data FROM bulk_job")
	if err != nil {
		return fmt.Errorf("reading the bulk jobs: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading the bulk jobs: %w", err)
	}
	for _, row := range raw {
		j := &job{}
		text, _ := row[0].(string)
		if err := json.Unmarshal([]byte(text), j); err != nil {
			return fmt.Errorf("reading a bulk job: %w", err)
		}
		b.jobs[j.ID] = j
	}
	if err := b.sweep(); err != nil {
		return err
	}
	for _, j := range b.jobs {
		switch {
		case j.State == jobUploaded || j.State == jobInProgress:
			b.start(j)
		case j.State == jobOpen && j.Parent != "": // whoever sent it got no answer
			j.State, j.Message = jobFailed, errNoHeader.Error()
		}
	}
	return nil
}

// sweep removes the files an earlier run left behind: of jobs that were deleted, and of uploads that were not finished.
func (b *bulk) sweep() error {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("reading the folder of bulk jobs: %w", err)
	}
	for _, f := range files {
		id, kind, _ := strings.Cut(f.Name(), ".")
		if b.jobs[id] == nil || strings.HasPrefix(kind, "part") {
			_ = os.Remove(filepath.Join(b.dir, f.Name())) // it is in nobody's way
		}
	}
	return nil
}

// close ends the workers; their jobs go on at the next start.
func (b *bulk) close() {
	b.cancel()
	b.work.Wait()
}

func (b *bulk) file(id, kind string) string { return filepath.Join(b.dir, id+"."+kind) }

// start runs a job in the background as soon as there is a place.
func (b *bulk) start(j *job) {
	b.work.Go(func() {
		select {
		case b.places <- struct{}{}:
			defer func() { <-b.places }()
		case <-b.ctx.Done():
			return
		}
		b.run(j)
	})
}

func (b *bulk) run(j *job) {
	begin := time.Now()
	err := b.change(b.ctx, j, func(j *job) error {
		if j.State != jobUploaded && j.State != jobInProgress {
			return errAborted
		}
		j.State = jobInProgress
		return nil
	})
	if err == nil && j.Ingest {
		err = b.ingest(b.ctx, j)
	} else if err == nil {
		err = b.query(b.ctx, j)
	}
	if b.ctx.Err() != nil || errors.Is(err, errAborted) {
		return
	}
	err = b.change(b.ctx, j, func(j *job) error {
		if j.State != jobInProgress {
			return errAborted
		}
		j.State, j.Millis = jobComplete, time.Since(begin).Milliseconds()
		if err != nil {
			j.State, j.Message = jobFailed, b.reason(err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAborted) && b.ctx.Err() == nil {
		_ = b.org.fail(b.ctx, err) // logs it
	}
}

func (b *bulk) reason(err error) string {
	if errors.Is(err, errCSV) || errors.Is(err, errInput) {
		return err.Error()
	}
	e := b.org.fail(b.ctx, err)
	return e.Code + " : " + e.Message
}

// errAborted ends a job that someone aborted or deleted.
var errAborted = errors.New("the job was aborted")

// change applies fn to a job and stores it. What fn refuses is not stored. How far an ingest is stands in the store: a chunk
// may have been taken while this waited for it.
func (b *bulk) change(ctx context.Context, j *job, fn func(j *job) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *j
	if err := fn(&next); err != nil {
		return err
	}
	next.Modified = b.org.now().UnixMilli()
	err := b.org.store.update(ctx, func(tx *sql.Tx) error {
		if j.Ingest {
			stored, err := storedJob(ctx, tx, j.ID)
			if err != nil {
				return err
			}
			next.progress = stored.progress
		}
		return saveJob(ctx, tx, &next)
	})
	if err != nil {
		return err
	}
	*j = next
	return nil
}

// storedJob reads a job as it is stored; errAborted when it was deleted.
func storedJob(ctx context.Context, tx *sql.Tx, id string) (*job, error) {
	var raw string
	err := tx.QueryRowContext(ctx, "SELECT data FROM bulk_job WHERE id = ?", id).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errAborted
	}
	j := &job{}
	if err == nil {
		err = json.Unmarshal([]byte(raw), j)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the bulk job: %w", err)
	}
	return j, nil
}

func saveJob(ctx context.Context, tx *sql.Tx, j *job) error {
	raw, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding a bulk job: %w", err)
	}
	if _, err := tx.ExecContext(ctx, qSaveJob, j.ID, string(raw)); err != nil {
		return fmt.Errorf("storing a bulk job: %w", err)
	}
	return nil
}

// snapshot returns a copy of a job as it is now.
func (b *bulk) snapshot(j *job) job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *j
}

func (b *bulk) find(id string, ingest bool) *job {
	n, valid := normalID(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.jobs[n]
	if !valid || j == nil || j.Ingest != ingest || j.Classic != nil || j.Parent != "" || j.expired(b.org.now()) {
		return nil
	}
	return j
}

// expired reports whether the time to keep a job has passed. One that is to run or runs is kept.
func (j *job) expired(now time.Time) bool {
	return (j.State.over() || j.State == jobOpen) && now.Sub(time.UnixMilli(j.Modified)) > jobTTL
}

// add gives a job its id and keeps it, dropping what is old.
func (b *bulk) add(ctx context.Context, j *job) error {
	now := b.org.now()
	j.Created, j.Modified = now.UnixMilli(), now.UnixMilli()
	var dropped []string
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.org.store.update(ctx, func(tx *sql.Tx) error {
		prefix := "750"
		if j.Parent != "" {
			prefix = "751"
		}
		id, _, err := nextID(ctx, tx, prefix)
		if err != nil {
			return err
		}
		j.ID = id
		dropped = b.old(now)
		for _, id := range dropped {
			if _, err := tx.ExecContext(ctx, "DELETE FROM bulk_job WHERE id = ?", id); err != nil {
				return fmt.Errorf("dropping an old bulk job: %w", err)
			}
		}
		return saveJob(ctx, tx, j)
	})
	if err != nil {
		return err
	}
	b.jobs[j.ID] = j
	for _, id := range dropped {
		delete(b.jobs, id)
		b.removeFiles(id)
	}
	return nil
}

// old lists the jobs to drop: past their time, and the oldest of too many.
func (b *bulk) old(now time.Time) []string {
	var over []*job
	for _, j := range b.jobs {
		if j.State.over() || j.expired(now) {
			over = append(over, j)
		}
	}
	slices.SortFunc(over, func(x, y *job) int { return strings.Compare(x.ID, y.ID) })
	var out []string
	for i, j := range over {
		if j.expired(now) || len(b.jobs)-i >= maxJobs {
			out = append(out, j.ID)
		}
	}
	return out
}

func (b *bulk) removeFiles(id string) {
	for _, kind := range []string{"in", "ok", "bad", "out", "req"} {
		_ = os.Remove(b.file(id, kind)) // there may be none
	}
}

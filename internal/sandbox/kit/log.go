package kit

import (
	"net/http"
	"sync"
	"time"
)

// Entry is one line of the request log. It holds no query, header or body: those carry secrets.
type Entry struct {
	At       time.Time
	Method   string
	Path     string
	Status   int // 0: the connection was cut
	Duration time.Duration
	User     string // who was signed in, empty: nobody
}

// Log keeps the newest requests in a ring.
type Log struct {
	mu      sync.Mutex // guards all below
	entries []Entry
	next    int
	total   int
}

// maxPath bounds what one entry keeps of a path, in bytes.
const maxPath = 300

// NewLog returns a log of the given number of entries.
func NewLog(size int) *Log { return &Log{entries: make([]Entry, 0, max(size, 1))} }

// Add appends an entry, pushing the oldest out.
func (l *Log) Add(e Entry) {
	if len(e.Path) > maxPath {
		e.Path = e.Path[:maxPath] + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if len(l.entries) < cap(l.entries) {
		l.entries = append(l.entries, e)
		return
	}
	l.entries[l.next] = e
	l.next = (l.next + 1) % len(l.entries)
}

// Newest returns up to n entries, newest first, and the number ever added.
func (l *Log) Newest(n int) (entries []Entry, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := len(l.entries)
	for i := range min(n, size) {
		entries = append(entries, l.entries[(l.next+size-1-i+size)%size])
	}
	return entries, l.total
}

// Recorder notes the status of an answer, and who it was for, on its way to the log.
type Recorder struct {
	http.ResponseWriter
	Status int
	User   string
}

// WriteHeader notes the status.
func (r *Recorder) WriteHeader(status int) {
	if r.Status == 0 {
		r.Status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes an implied 200.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	return n, err //nolint:wrapcheck // a writer hands on its writer's error
}

// Unwrap lets http.ResponseController reach the connection.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// NoteUser tells the log who a request is for.
func (r *Recorder) NoteUser(name string) { r.User = name }

// NoteUser tells the log behind w, if there is one, who the request is for.
func NoteUser(w http.ResponseWriter, name string) {
	if n, ok := w.(interface{ NoteUser(name string) }); ok {
		n.NoteUser(name)
	}
}

// Middleware logs every request next answers. Handlers that know the user tell it with NoteUser.
func (l *Log) Middleware(now func() time.Time, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &Recorder{ResponseWriter: w}
		start := now()
		defer func() {
			l.Add(Entry{
				At: start, Method: r.Method, Path: r.URL.Path, Status: rec.Status, Duration: now().Sub(start), User: rec.User,
			})
		}()
		next.ServeHTTP(rec, r)
	})
}

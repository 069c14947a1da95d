package kit

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Entry is one line of the request log. Of what carries secrets it holds the query with those masked, and the answer where
// that is an error; never a header that signs in, nor the body of a request.
type Entry struct {
	N        int // counts the requests, from 1
	At       time.Time
	Method   string
	Path     string
	Status   int // 0: the connection was cut
	Duration time.Duration
	User     string // who was signed in, empty: nobody
	Query    string // as it came, secrets masked
	Agent    string // the client program, by its own word
	Type     string // of the request's body
	Sent     int64  // bytes of the answer's body
	Received int64  // bytes of the request's body, -1: the client did not say
	Answer   string // of an error: the beginning of the answer's body
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

// What one entry keeps of the rest, in bytes.
const (
	maxQuery  = 2000
	maxAgent  = 200
	maxAnswer = 1000
)

// NewLog returns a log of the given number of entries.
func NewLog(size int) *Log { return &Log{entries: make([]Entry, 0, max(size, 1))} }

// Add appends an entry, pushing the oldest out.
func (l *Log) Add(e Entry) {
	e.Path, e.Query, e.Agent, e.Type = cutTo(e.Path, maxPath), cutTo(e.Query, maxQuery), cutTo(e.Agent, maxAgent), cutTo(e.Type, maxAgent)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	e.N = l.total
	if len(l.entries) < cap(l.entries) {
		l.entries = append(l.entries, e)
		return
	}
	l.entries[l.next] = e
	l.next = (l.next + 1) % len(l.entries)
}

func cutTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// Find returns an entry by its number, if it is kept still.
func (l *Log) Find(n int) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.N == n {
			return e, true
		}
	}
	return Entry{}, false
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
	Sent   int64

	answer []byte // of an error: its beginning
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
	if r.Status >= http.StatusBadRequest && len(r.answer) < maxAnswer {
		r.answer = append(r.answer, p[:min(len(p), maxAnswer-len(r.answer))]...)
	}
	n, err := r.ResponseWriter.Write(p)
	r.Sent += int64(n)
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
				Query: MaskQuery(r.URL.RawQuery), Agent: r.UserAgent(), Type: r.Header.Get("Content-Type"), Sent: rec.Sent, Received: r.ContentLength,
				Answer: strings.ToValidUTF8(string(rec.answer), ""),
			})
		}()
		next.ServeHTTP(rec, r)
	})
}

// MaskQuery decodes a query for people, with the values of what signs in masked.
func MaskQuery(raw string) string {
	var out []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, found := strings.Cut(pair, "=")
		name = decoded(name)
		switch {
		case name == "" && !found:
			continue
		case secretName(name):
			out = append(out, name+"=***")
		case found:
			out = append(out, name+"="+decoded(value))
		default:
			out = append(out, name)
		}
	}
	return strings.Join(out, "&")
}

func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(d, "")
	}
	return strings.ToValidUTF8(s, "")
}

// secretName reports whether a parameter of this name signs somebody in.
func secretName(name string) bool {
	name = strings.ToLower(name)
	if name == "sid" || name == "code" || name == "state" || name == "nonce" {
		return true
	}
	for _, part := range []string{"token", "secret", "password", "assertion", "verifier", "signature", "user_code"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

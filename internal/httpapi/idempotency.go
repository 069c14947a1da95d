package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/tandemcc/tandem/internal/errs"
)

// Idempotent requests: a POST that creates something may carry an Idempotency-Key that its client chose. The answer is kept for
// AnswersKept, and the same request with the same key is answered with it instead of being done again (after the IETF draft
// "The Idempotency-Key HTTP Header Field"). Only successes are kept: a request that was refused may be tried again.
const (
	keyHeader    = "Idempotency-Key"
	replayHeader = "Idempotency-Replayed"
	maxKey       = 255 // characters
)

// Answers keeps answers, sealed, per principal and key. It is safe for concurrent use.
type Answers interface {
	// Begin reserves a key for a request. taken: it was used before, by the request with the hash that is returned; answer is
	// empty while that one runs, or when it was cut off. errs.Conflict: another request has just taken it.
	Begin(ctx context.Context, principal string, key, request []byte) (usedBy, answer []byte, taken bool, err error)
	// End stores the answer; nil frees the key.
	End(ctx context.Context, principal string, key, answer []byte) error
}

// storedAnswer is an answer as kept.
type storedAnswer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// keptHeaders are those that belong to the answer itself.
var keptHeaders = []string{"Content-Type", "ETag", "Location"}

// serve runs a request; one that creates something and carries a key is run once. The caller is in the request's context.
func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	none, pattern := a.mux.Handler(r)
	if pattern == "" {
		a.nowhere(w, r, none)
		return
	}
	keys := r.Header.Values(keyHeader)
	if len(keys) == 0 || !a.creates[pattern] {
		a.mux.ServeHTTP(w, r)
		return
	}
	if err := a.once(w, r, keys); err != nil {
		writeProblem(w, a.fail(r.Context(), err))
	}
}

// nowhere answers what no operation matches as a problem; the mux knows whether the path or the method is wrong.
func (a *API) nowhere(w http.ResponseWriter, r *http.Request, none http.Handler) {
	said := verdict{header: http.Header{}}
	none.ServeHTTP(&said, r)
	if allow := said.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, "use one of: "+allow))
		return
	}
	writeProblem(w, newProblem(http.StatusNotFound, "there is no such operation"))
}

// verdict hears what a handler would have answered.
type verdict struct{ header http.Header }

// Header implements http.ResponseWriter.
func (v *verdict) Header() http.Header { return v.header }

// Write implements http.ResponseWriter.
func (*verdict) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (*verdict) WriteHeader(int) {}

// once answers the request, or returns the error to answer with.
func (a *API) once(w http.ResponseWriter, r *http.Request, keys []string) error {
	if len(keys) > 1 || keys[0] == "" || len(keys[0]) > maxKey {
		return errs.New(errs.Invalid, "give one %s of 1 to %d characters", keyHeader, maxKey)
	}
	raw, err := io.ReadAll(r.Body)
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return newProblem(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "the body cannot be read")
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	ctx, who, key := r.Context(), principal(r.Context()).ARN, sha256.Sum256([]byte(keys[0]))
	request := requestHash(r, raw)
	usedBy, kept, taken, err := a.Answers.Begin(ctx, who, key[:], request)
	switch {
	case err != nil:
		return err
	case taken && !bytes.Equal(usedBy, request):
		return errs.New(errs.Conflict, "this %s was used for another request; choose a new one", keyHeader)
	case taken && len(kept) == 0:
		return errs.New(errs.Conflict, "the request with this %s runs, or was cut off: look whether it was done, then choose a new one", keyHeader)
	case taken:
		return replay(w, kept)
	}
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	finished := false
	defer func() { // also when the handler panics
		if !finished {
			a.endAnswer(ctx, who, key[:], nil)
		}
	}()
	a.mux.ServeHTTP(rec, r)
	finished = true
	a.endAnswer(ctx, who, key[:], rec.answer())
	return nil
}

// endAnswer stores an answer whether or not the client still waits for it.
func (a *API) endAnswer(ctx context.Context, who string, key, answer []byte) {
	ctx = context.WithoutCancel(ctx)
	if err := a.Answers.End(ctx, who, key, answer); err != nil {
		a.Log.ErrorContext(ctx, "keeping an answer", slog.Any("error", err))
	}
}

func requestHash(r *http.Request, body []byte) []byte {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery} {
		h.Write([]byte(part + "\x00"))
	}
	h.Write(body)
	return h.Sum(nil)
}

func replay(w http.ResponseWriter, kept []byte) error {
	var s storedAnswer
	if err := json.Unmarshal(kept, &s); err != nil {
		return errs.Wrap(errs.Internal, err, "the kept answer cannot be read")
	}
	for name, v := range s.Header {
		w.Header().Set(name, v)
	}
	w.Header().Set(replayHeader, "true")
	w.WriteHeader(s.Status)
	// An error means that the peer has gone.
	_, _ = w.Write(s.Body)
	return nil
}

// recorder passes an answer on and remembers it.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p) // a client that has gone gets it with its next try
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// answer is what is kept; nil for what is no success.
func (r *recorder) answer() []byte {
	if r.status < 200 || r.status > 299 {
		return nil
	}
	s := storedAnswer{Status: r.status, Header: map[string]string{}, Body: r.body.Bytes()}
	for _, name := range keptHeaders {
		if v := r.Header().Get(name); v != "" {
			s.Header[name] = v
		}
	}
	raw, err := json.Marshal(s)
	if err != nil { // plain data always encodes
		return nil
	}
	return raw
}

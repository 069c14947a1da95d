package salesforce

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// minCompressed is the size in bytes from which an answer is worth compressing.
const minCompressed = 1400

var zippers = sync.Pool{New: func() any { //nolint:gochecknoglobals // a pool is shared by nature
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant the package has
	}
	return z
}}

// compressed reads requests that are compressed, and compresses the longer answers for clients that take it (REST API
// developer guide, "Compression Headers"). Answers without a length, which are sent piece by piece, are left to sendTo.
func (o *Org) compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := expand(w, r); err != nil {
			o.writeFault(w, r, err)
			return
		}
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			z := &zipWriter{ResponseWriter: w}
			defer z.close()
			w = z
		}
		next.ServeHTTP(w, r)
	})
}

// expand puts the plain body in the place of a compressed one, under the same limit.
func expand(w http.ResponseWriter, r *http.Request) error {
	var plain io.Reader
	var err error
	switch name := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); name {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(r.Body)
	case "deflate":
		plain, err = zlib.NewReader(r.Body)
	default:
		return fault(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content encoding not supported: %s: send gzip or deflate", shorten(name))
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return fmt.Errorf("reading the request: %w", err)
	}
	if err != nil {
		return badRequest("INVALID_CONTENT_ENCODING", "The body is not compressed as Content-Encoding says")
	}
	r.Body = http.MaxBytesReader(w, io.NopCloser(&expanded{plain}), bodyOf(r))
	r.ContentLength = -1
	r.Header.Del("Content-Encoding")
	return nil
}

// expanded tells a client's broken compression from faults of this side.
type expanded struct{ from io.Reader }

func (e *expanded) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err //nolint:wrapcheck // io.EOF has to stay bare
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return n, err //nolint:wrapcheck // recognised by its type
	}
	return n, badRequest("INVALID_CONTENT_ENCODING", "The body is not compressed as Content-Encoding says")
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "*" {
			continue
		}
		q := strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(params, " ", ""), "q="))
		weight, err := strconv.ParseFloat(orElse(q, "1"), 64)
		return err == nil && weight > 0
	}
	return false
}

// zipWriter compresses an answer that has a length, which is not small, and comes in one piece.
type zipWriter struct {
	http.ResponseWriter
	status  int // of a header that waits for the body, 0: none does
	decided bool
}

// WriteHeader waits for the body where it may be compressed.
func (z *zipWriter) WriteHeader(status int) {
	h := z.Header()
	n, err := strconv.Atoi(h.Get("Content-Length"))
	if !z.decided && err == nil && n >= minCompressed && h.Get("Content-Encoding") == "" {
		z.decided, z.status = true, status
		return
	}
	z.decided = true
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipWriter) Write(p []byte) (int, error) {
	z.decided = true
	if z.status == 0 {
		return z.ResponseWriter.Write(p) //nolint:wrapcheck // a writer hands on its writer's error
	}
	h, status := z.Header(), z.status
	z.status = 0
	if h.Get("Content-Length") == strconv.Itoa(len(p)) {
		packed := pack(p)
		h.Set("Content-Length", strconv.Itoa(len(packed)))
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		if tag := h.Get("ETag"); strings.HasSuffix(tag, `"`) { // as on the platform, the entity tag says so too
			h.Set("ETag", strings.TrimSuffix(tag, `"`)+`--gzip"`)
		}
		z.ResponseWriter.WriteHeader(status)
		_, err := z.ResponseWriter.Write(packed)
		return len(p), err //nolint:wrapcheck // a writer hands on its writer's error
	}
	z.ResponseWriter.WriteHeader(status)
	return z.ResponseWriter.Write(p) //nolint:wrapcheck // a writer hands on its writer's error
}

func pack(p []byte) []byte {
	var out bytes.Buffer
	z, _ := zippers.Get().(*gzip.Writer)
	z.Reset(&out)
	_, _ = z.Write(p) // memory takes all
	_ = z.Close()
	zippers.Put(z)
	return out.Bytes()
}

// Unwrap lets http.ResponseController reach the connection.
func (z *zipWriter) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// NoteUser hands on who the request is for.
func (z *zipWriter) NoteUser(name string) { kit.NoteUser(z.ResponseWriter, name) }

// close sends a header whose body never came, as of an answer to HEAD.
func (z *zipWriter) close() {
	if z.status != 0 {
		z.ResponseWriter.WriteHeader(z.status)
		z.status = 0
	}
}

// sendTo writes an answer that is sent piece by piece, compressed where the client takes that. One that breaks off is not
// closed: the client must not take it for the whole.
func sendTo(w http.ResponseWriter, r *http.Request, res *response) error {
	w.Header().Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r.Header.Get("Accept-Encoding")) {
		w.WriteHeader(res.status)
		return res.send(w)
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(res.status)
	z, _ := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(w)
	if err := res.send(z); err != nil {
		return err
	}
	return z.Close() //nolint:wrapcheck // the client is gone
}

package salesforce

import (
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// plainBody is the body of a request as it was before it was compressed (REST API developer guide, "Using Compression").
// What comes out of it is bounded as what comes in is.
func plainBody(r *http.Request) (io.Reader, error) {
	switch kind := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); kind {
	case "", "identity":
		return r.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, badGzip(err)
		}
		return &plainReader{z: z, limit: bodyOf(r)}, nil
	default:
		return nil, fault(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding %s is not supported: use gzip, or none", shorten(kind))
	}
}

func badGzip(err error) error {
	return badRequest("INVALID_CONTENT_ENCODING", "The body is no gzip: %s", err)
}

type plainReader struct {
	z     *gzip.Reader
	n     int64 // bytes that were read
	limit int64
}

// Read fails once there is more than the limit.
func (p *plainReader) Read(buf []byte) (int, error) {
	n, err := p.z.Read(buf)
	if p.n += int64(n); p.n > p.limit {
		return n, &http.MaxBytesError{Limit: p.limit}
	}
	if err != nil && err != io.EOF { //nolint:errorlint // gzip returns it bare, as an io.Reader does
		return n, badGzip(err)
	}
	return n, err //nolint:wrapcheck // io.EOF, or nil
}

// takesGzip reports whether a client wants answers compressed.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}

// sendTo writes a long answer, compressed where the client takes that. An answer that breaks off is not closed: the client
// must not take it for the whole.
func sendTo(w http.ResponseWriter, r *http.Request, res *response) error {
	w.Header().Add("Vary", "Accept-Encoding")
	if !takesGzip(r) {
		w.WriteHeader(res.status)
		return res.send(w)
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(res.status)
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	if err := res.send(z); err != nil {
		return err
	}
	return z.Close() //nolint:wrapcheck // the client is gone
}

// checkCharset refuses data that says it is not UTF-8 (Bulk API 2.0 guide, "Prepare CSV Files").
func checkCharset(contentType string) error {
	if contentType == "" {
		return nil
	}
	_, params, err := mime.ParseMediaType(contentType)
	if set := params["charset"]; err == nil && set != "" && !strings.EqualFold(set, "utf-8") && !strings.EqualFold(set, "us-ascii") {
		return fault(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "The data must be UTF-8: it is said to be %s", shorten(set))
	}
	return nil
}

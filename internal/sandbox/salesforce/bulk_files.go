package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// upload keeps the data of a job and moves it to the state that follows. Data that comes a second time is dropped, and the
// job cannot be closed any more: which of the two was meant cannot be told.
func (o *Org) upload(ctx context.Context, j *job, r io.Reader, next jobState) (err error) {
	if s := o.bulk.snapshot(j); s.State != jobOpen {
		return jobFault("The job is %s: data is taken while it is Open", s.State)
	}
	// A file of its own first: an upload that breaks off leaves nothing behind that could be taken for the whole.
	f, err := os.CreateTemp(o.bulk.dir, j.ID+".part*")
	if err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it may have been moved
	if err := errors.Join(copyUpload(f, r), f.Close()); err != nil {
		return err
	}
	err = o.bulk.change(ctx, j, func(j *job) error {
		switch {
		case j.State != jobOpen:
			return jobFault("The job is %s: data is taken while it is Open", j.State)
		case j.Uploaded:
			j.Multiple = true
			return nil
		}
		if err := os.Rename(f.Name(), o.bulk.file(j.ID, "in")); err != nil {
			return fmt.Errorf("keeping the upload: %w", err)
		}
		j.Uploaded, j.State = true, next
		return nil
	})
	if errors.Is(err, errAborted) { // it was deleted meanwhile
		err = notFound()
	}
	return err
}

func copyUpload(f io.Writer, r io.Reader) error {
	n, err := io.Copy(f, io.LimitReader(r, maxUpload+1))
	if err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	if n > maxUpload {
		return fault(http.StatusRequestEntityTooLarge, "REQUEST_ENTITY_TOO_LARGE", "the upload is larger than %d bytes: split it", maxUpload)
	}
	return nil
}

// ingestPart answers below /jobs/ingest/{id}.
func (o *Org) ingestPart(rq *request, j *job, part string) (*response, error) {
	if part == "batches" {
		if rq.method != http.MethodPut {
			return nil, methodNotAllowed(rq.method)
		}
		var r io.Reader = strings.NewReader(string(rq.body))
		if rq.stream != nil {
			r = rq.stream
		}
		if err := checkCharset(rq.header.Get("Content-Type")); err != nil {
			return nil, err
		}
		if err := o.upload(rq.ctx, j, r, jobOpen); err != nil {
			return nil, err
		}
		return &response{status: http.StatusCreated}, nil
	}
	s := o.bulk.snapshot(j)
	send := map[string]func(w io.Writer) error{
		"successfulresults":  func(w io.Writer) error { return o.sendFile(w, s, "ok", s.OK, "sf__Id", "sf__Created") },
		"failedresults":      func(w io.Writer) error { return o.sendFile(w, s, "bad", s.Bad, "sf__Id", "sf__Error") },
		"unprocessedrecords": func(w io.Writer) error { return o.sendRest(w, s) },
	}[part]
	switch {
	case send == nil:
		return nil, notFound()
	case rq.method != http.MethodGet:
		return nil, methodNotAllowed(rq.method)
	case !s.State.over():
		return nil, jobFault("The job is %s: its results are there once it is JobComplete, Failed or Aborted", s.State)
	}
	return &response{status: http.StatusOK, header: http.Header{"Content-Type": {csvType}}, send: send}, nil
}

const csvType = "text/csv; charset=UTF-8"

// sendFile writes a file of results as far as the job came, or its header alone when it did not come to that.
func (o *Org) sendFile(w io.Writer, j job, kind string, size int64, extra ...string) error {
	if size == 0 {
		_, err := w.Write(appendHeader(nil, extra, o.uploadHeader(j), j))
		return err //nolint:wrapcheck // the client is gone
	}
	f, err := os.Open(o.bulk.file(j.ID, kind))
	if err != nil {
		return fmt.Errorf("opening the results: %w", err)
	}
	defer func() { _ = f.Close() }()
	_, err = io.CopyN(w, f, size)
	return err //nolint:wrapcheck // the client is gone
}

// appendHeader writes the header of a result: the platform's columns in quotes, those of the upload as they were.
func appendHeader(buf []byte, extra, names []string, j job) []byte {
	buf = appendCSV(buf, extra, j.comma(), "")
	for i, name := range names {
		if i > 0 || len(extra) > 0 {
			buf = append(buf, j.comma())
		}
		if strings.ContainsAny(name, "\"\r\n"+string(rune(j.comma()))) {
			buf = appendCSV(buf, []string{name}, j.comma(), "")
		} else {
			buf = append(buf, name...)
		}
	}
	return append(buf, j.eol()...)
}

func (o *Org) uploadHeader(j job) []string {
	f, err := os.Open(o.bulk.file(j.ID, "in"))
	if err != nil || !j.Uploaded {
		return nil
	}
	defer func() { _ = f.Close() }()
	c := newCSVReader(f, j.comma())
	c.skipMark()
	header, err := c.read()
	if err != nil {
		return nil
	}
	return header
}

// sendRest writes the records of the upload that were not come to.
func (o *Org) sendRest(w io.Writer, j job) error {
	if _, err := w.Write(appendHeader(nil, nil, o.uploadHeader(j), j)); err != nil || j.State == jobComplete || !j.Uploaded {
		return err //nolint:wrapcheck // the client is gone
	}
	f, err := os.Open(o.bulk.file(j.ID, "in"))
	if err != nil {
		return fmt.Errorf("opening the upload: %w", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(j.In, io.SeekStart); err != nil {
		return fmt.Errorf("reading the upload: %w", err)
	}
	c := newCSVReader(f, j.comma())
	if j.In == 0 {
		c.skipMark()
		if _, err := c.read(); err != nil {
			return nil // it cannot be read: that is why it was not come to
		}
	}
	for {
		rec, err := c.read()
		if _, bad := errors.AsType[*rowError](err); err != nil && !bad {
			return nil // as above
		}
		if _, err := w.Write(appendCSV(nil, rec, j.comma(), j.eol())); err != nil {
			return err //nolint:wrapcheck // the client is gone
		}
	}
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

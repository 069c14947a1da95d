package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// printf writes to standard output; a reader that has gone away ends the command when it next tries to write.
func (e *env) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(e.stdout, format, args...); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// printJSON writes one value, indented.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// input opens a file, or standard input for "-". The caller closes it.
func (e *env) input(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(e.stdin), nil
	}
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(errs.New(errs.Invalid, "%s is a directory: name a file", path), f.Close())
	}
	return f, nil
}

// read returns a file's content, at most limit bytes and one more, so that whoever gets it can tell that it is too long.
func (e *env) read(path string, limit int64) ([]byte, error) {
	f, err := e.input(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

func unreadable(path string, err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err
	}
	return errs.Wrap(errs.Invalid, err, "%s cannot be read", path)
}

// report is one line of the output of call and agent: what happened, when, and what belongs to it.
type report struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`

	Level     *float64 `json:"level,omitempty"`     // dBFS
	Frequency *float64 `json:"frequency,omitempty"` // Hz
	Reason    string   `json:"reason,omitempty"`
	Code      int      `json:"code,omitempty"` // SIP status
	Digit     string   `json:"digit,omitempty"`
	Text      string   `json:"text,omitempty"`
	Detail    string   `json:"detail,omitempty"`
	Contact   string   `json:"contact,omitempty"`
	State     string   `json:"state,omitempty"`
	From      string   `json:"from,omitempty"`
	To        string   `json:"to,omitempty"`
	Queue     string   `json:"queue,omitempty"`
	Agent     string   `json:"agent,omitempty"`
	URL       string   `json:"url,omitempty"`
	Status    string   `json:"status,omitempty"`
	Method    string   `json:"method,omitempty"`
	Target    string   `json:"target,omitempty"`
	Attempts  int      `json:"attempts,omitempty"`
	Received  *uint64  `json:"packetsReceived,omitempty"`
	Lost      *uint64  `json:"packetsLost,omitempty"`
}

// reporter writes reports as JSON lines or as text. It is safe for concurrent use.
type reporter struct {
	json  bool
	begin time.Time

	mu    sync.Mutex // guards all below and the order of lines
	w     io.Writer
	sound string // what text output last said of the sound
	err   error
}

func (e *env) reporter(asJSON bool) *reporter {
	return &reporter{json: asJSON, begin: time.Now(), w: e.stdout}
}

// say writes one report; At is filled in when it is zero. After a failed write nothing more is written.
func (r *reporter) say(v report) {
	if v.At.IsZero() {
		v.At = time.Now()
	}
	v.At = v.At.UTC().Truncate(time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.json {
		enc := json.NewEncoder(r.w)
		enc.SetEscapeHTML(false)
		r.err = enc.Encode(v)
		return
	}
	if text := r.text(v); text != "" {
		_, r.err = fmt.Fprintf(r.w, "%7.2fs  %s\n", max(0, v.At.Sub(r.begin).Seconds()), text)
	}
}

// failure is the first error of writing.
func (r *reporter) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return fmt.Errorf("writing: %w", r.err)
	}
	return nil
}

// text is a report for people; empty when there is nothing new to say, as for sound that goes on.
func (r *reporter) text(v report) string {
	if v.Level != nil && v.Frequency != nil {
		return r.heard(*v.Level, *v.Frequency)
	}
	line := []string{v.Event}
	for _, part := range []struct{ name, value string }{
		{"", v.State},
		{"", v.Text},
		{"", v.Digit},
		{"", v.Status},
		{"", v.Method},
		{"", v.Target},
		{"", v.URL},
		{"from ", v.From},
		{"to ", v.To},
		{"queue ", v.Queue},
		{"agent ", v.Agent},
		{"", v.Reason},
		{"", v.Detail},
		{"contact ", v.Contact},
	} {
		if part.value != "" {
			line = append(line, part.name+part.value)
		}
	}
	if v.Event == "contact" || v.Event == "ringing" && v.Contact != "" {
		line = append(line, v.Contact)
	}
	if v.Code > 0 {
		line = append(line, fmt.Sprintf("SIP %d", v.Code))
	}
	if v.Received != nil && v.Lost != nil {
		line = append(line, fmt.Sprintf("%d packets, %d lost", *v.Received, *v.Lost))
	}
	return strings.Join(line, "  ")
}

// silence is the level in dBFS below which nothing is to be heard.
const silence = -60.0

// heard says when sound begins and when it ends.
func (r *reporter) heard(level, hz float64) string {
	now := "sound"
	if level < silence {
		now = "silence"
	}
	if now == r.sound {
		return ""
	}
	r.sound = now
	switch {
	case now == "silence":
		return "audio  silence"
	case hz > 0:
		return fmt.Sprintf("audio  %.0f dBFS  %.0f Hz", level, hz)
	}
	return fmt.Sprintf("audio  %.0f dBFS", level)
}

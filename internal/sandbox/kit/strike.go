package kit

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// Effects is how a platform carries a fault out.
type Effects struct {
	// Answer writes an error in the platform's form.
	Answer func(w http.ResponseWriter, r *http.Request, fault Fault)
	// Expire ends all sessions of a user, or of everybody when the username is empty.
	Expire func(ctx context.Context, user string)
	// User is the username a request is signed in with, "" for none. Nil: requests have no user.
	User func(r *http.Request) string
}

// Middleware lets the faults strike what reaches next.
func (f *Faults) Middleware(effects Effects, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := target{method: r.Method, path: r.URL.Path}
		if effects.User != nil {
			t.user = func() string { return effects.User(r) }
		}
		fault, struck := f.strike(t)
		if !struck {
			next.ServeHTTP(w, r)
			return
		}
		fault.carryOut(effects, w, r, next)
	})
}

func (r *Fault) carryOut(effects Effects, w http.ResponseWriter, req *http.Request, next http.Handler) {
	switch r.Kind {
	case FaultStatus:
		effects.Answer(w, req, *r)
	case FaultLatency:
		if r.Wait(req.Context()) {
			next.ServeHTTP(w, req)
		}
	case FaultHang:
		r.Wait(req.Context())
		cut()
	case FaultCutAfter:
		next.ServeHTTP(&unsent{header: http.Header{}, to: w}, req)
		cut()
	case FaultTruncate:
		h := &held{to: w}
		next.ServeHTTP(h, req)
		if h.body.Len() > 0 { // else there is nothing to tear, and no answer comes at all
			h.start(h.body.Len() / 2)
		}
		cut()
	case FaultSlow:
		h := &held{to: w}
		next.ServeHTTP(h, req)
		h.trickle(req.Context(), r.DelayMS)
	case FaultExpire:
		effects.Expire(req.Context(), r.User)
		next.ServeHTTP(w, req)
	default: // FaultCut
		cut()
	}
}

// Wait waits DelayMS and reports whether ctx still lived at the end.
func (r *Fault) Wait(ctx context.Context) bool {
	return pause(ctx, time.Duration(r.DelayMS)*time.Millisecond)
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut ends the connection without an answer. net/http takes this panic as the order to do so, for HTTP/1 and 2 alike.
func cut() { panic(http.ErrAbortHandler) }

// unsent is an answer nobody gets.
type unsent struct {
	header http.Header
	to     http.ResponseWriter
}

// Header returns headers that go nowhere.
func (u *unsent) Header() http.Header { return u.header }

// Write drops what it is given.
func (u *unsent) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (u *unsent) WriteHeader(int) {}

// NoteUser tells the log, which hears of the request all the same.
func (u *unsent) NoteUser(name string) { NoteUser(u.to, name) }

// heldMax bounds what is kept of an answer, in bytes; what is longer is struck once this much is there.
const heldMax = 1 << 20

// held keeps an answer back. An answer longer than heldMax goes on at once, and is whole: slowness of the rest is its own.
type held struct {
	to      http.ResponseWriter
	status  int
	body    bytes.Buffer
	through bool
}

// Header returns the answer's headers.
func (h *held) Header() http.Header { return h.to.Header() }

// NoteUser tells the log.
func (h *held) NoteUser(name string) { NoteUser(h.to, name) }

// WriteHeader notes the status for later.
func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write keeps the body, up to heldMax.
func (h *held) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if !h.through && h.body.Len()+len(p) <= heldMax {
		return h.body.Write(p) //nolint:wrapcheck // never fails
	}
	if !h.through {
		h.through = true
		h.to.WriteHeader(h.status)
		if _, err := h.to.Write(h.body.Next(heldMax)); err != nil {
			return 0, err //nolint:wrapcheck // a writer hands on its writer's error
		}
	}
	n, err := h.to.Write(p)
	return n, err //nolint:wrapcheck // as above
}

// start sends the status, a header that promises the whole body, and the first n bytes of it.
func (h *held) start(n int) {
	if h.through {
		return
	}
	if h.status == 0 {
		h.status = http.StatusOK
	}
	if h.body.Len() > 0 {
		h.to.Header().Set("Content-Length", strconv.Itoa(h.body.Len()))
	}
	h.to.WriteHeader(h.status)
	_, _ = h.to.Write(h.body.Next(n))
	_ = http.NewResponseController(h.to).Flush() // where it cannot be flushed the cut comes earlier
}

// slowSteps is the number of pieces a slow body comes in.
const slowSteps = 20

// trickle sends the whole body in pieces over the given time.
func (h *held) trickle(ctx context.Context, ms int) {
	piece := h.body.Len()/slowSteps + 1
	step := time.Duration(ms) * time.Millisecond / slowSteps
	h.start(0)
	for h.body.Len() > 0 {
		if !pause(ctx, step) {
			return
		}
		if _, err := h.to.Write(h.body.Next(piece)); err != nil {
			return
		}
		_ = http.NewResponseController(h.to).Flush() // as in start
	}
}

package kit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// FaultKind says what a fault does to the requests it strikes.
type FaultKind string

// The kinds of fault.
const (
	// FaultStatus answers with Status, and Code and Message in the platform's own error form.
	FaultStatus FaultKind = "status"
	// FaultLatency waits DelayMS before the request is handled.
	FaultLatency FaultKind = "latency"
	// FaultCut closes the connection without an answer.
	FaultCut FaultKind = "cut"
	// FaultHang waits DelayMS and then closes the connection without an answer.
	FaultHang FaultKind = "hang"
	// FaultExpire lets all sessions end, once per strike, and then handles the request.
	FaultExpire FaultKind = "expire"
)

// Limits of the fault switches.
const (
	MaxFaults  = 100
	MaxDelayMS = 10 * 60 * 1000
	maxPattern = 500
)

// Fault is a rule that strikes matching requests.
type Fault struct {
	ID      string    `json:"id"`
	Match   string    `json:"match"`            // regular expression over the path (RE2); empty: every path
	Method  string    `json:"method,omitempty"` // empty: every method
	Kind    FaultKind `json:"kind"`
	Status  int       `json:"status,omitempty"`   // for FaultStatus: 400 to 599
	Code    string    `json:"code,omitempty"`     // for FaultStatus; empty: the platform's usual code for the status
	Message string    `json:"message,omitempty"`  // for FaultStatus; empty: a usual text
	DelayMS int       `json:"delay_ms,omitempty"` // milliseconds; for FaultLatency and FaultHang
	Share   float64   `json:"share,omitempty"`    // portion of matching requests struck, 0 < share <= 1; 0 means all
	Count   int       `json:"count,omitempty"`    // strikes left; 0 means without end
	Hits    int       `json:"hits"`               // strikes so far

	pattern *regexp.Regexp
}

// Faults holds the rules and the down switch. The zero value has none.
type Faults struct {
	mu     sync.Mutex // guards all below
	rules  []*Fault
	down   bool
	lastID int
}

// ErrTooManyFaults is returned by Add past MaxFaults rules.
var ErrTooManyFaults = errors.New("too many faults are set: delete some first")

// Add checks a rule and sets it; the returned copy carries its id. Rules are tried in the order they were added and the
// first that strikes wins.
func (f *Faults) Add(rule Fault) (Fault, error) {
	if err := rule.check(); err != nil {
		return Fault{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.rules) >= MaxFaults {
		return Fault{}, ErrTooManyFaults
	}
	f.lastID++
	rule.ID, rule.Hits = strconv.Itoa(f.lastID), 0
	f.rules = append(f.rules, &rule)
	return rule, nil
}

func (r *Fault) check() error {
	if len(r.Match) > maxPattern {
		return fmt.Errorf("match is longer than %d characters: shorten it", maxPattern)
	}
	pattern, err := regexp.Compile(r.Match)
	if err != nil {
		return fmt.Errorf("match is no regular expression: %w", err)
	}
	r.pattern = pattern
	if r.Share < 0 || r.Share > 1 {
		return errors.New("share must be between 0 and 1")
	}
	if r.Count < 0 {
		return errors.New("count must not be negative")
	}
	switch r.Kind {
	case FaultStatus:
		if r.Status < 400 || r.Status > 599 {
			return errors.New("status must be between 400 and 599")
		}
	case FaultLatency, FaultHang:
		if r.DelayMS < 1 || r.DelayMS > MaxDelayMS {
			return fmt.Errorf("delay_ms must be between 1 and %d", MaxDelayMS)
		}
	case FaultCut, FaultExpire:
	default:
		return fmt.Errorf("kind %q is unknown: use status, latency, cut, hang or expire", r.Kind)
	}
	return nil
}

// Remove deletes a rule and reports whether it was there.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if r.ID == id {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			return true
		}
	}
	return false
}

// Clear deletes all rules and ends the down state.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.down = nil, false
}

// List returns a copy of the rules, and whether the platform is down.
func (f *Faults) List() (rules []Fault, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rules = make([]Fault, 0, len(f.rules))
	for _, r := range f.rules {
		rules = append(rules, *r)
	}
	return rules, f.down
}

// SetDown turns the platform off or on: while it is down every request's connection is closed unanswered.
func (f *Faults) SetDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// strike returns the rule that strikes a request, if any, and counts it.
func (f *Faults) strike(method, path string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return Fault{Kind: FaultCut}, true
	}
	for i, r := range f.rules {
		if r.Method != "" && r.Method != method || !r.pattern.MatchString(path) {
			continue
		}
		if r.Share > 0 && rand.Float64() >= r.Share {
			continue
		}
		r.Hits++
		hit := *r
		if r.Count > 0 {
			if r.Count--; r.Count == 0 {
				f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			}
		}
		return hit, true
	}
	return Fault{}, false
}

// Effects is how a platform carries a fault out.
type Effects struct {
	// Answer writes an error in the platform's form.
	Answer func(w http.ResponseWriter, r *http.Request, fault Fault)
	// Expire ends all sessions.
	Expire func(ctx context.Context)
}

// Middleware lets the faults strike what reaches next.
func (f *Faults) Middleware(effects Effects, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, struck := f.strike(r.Method, r.URL.Path)
		if !struck {
			next.ServeHTTP(w, r)
			return
		}
		switch fault.Kind {
		case FaultStatus:
			effects.Answer(w, r, fault)
		case FaultLatency:
			if wait(r, fault.DelayMS) {
				next.ServeHTTP(w, r)
			}
		case FaultHang:
			wait(r, fault.DelayMS)
			cut(w)
		case FaultCut:
			cut(w)
		case FaultExpire:
			effects.Expire(r.Context())
			next.ServeHTTP(w, r)
		}
	})
}

// wait reports whether the client was still there at the end.
func wait(r *http.Request, ms int) bool {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// cut ends the connection without an answer. net/http takes this panic as the order to do so, for HTTP/1 and 2 alike.
func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

package kit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// FaultKind says what a fault does to what it strikes.
type FaultKind string

// The kinds of fault. Those up to FaultExpire strike requests; FaultRecord strikes single records as they are written, and
// the last two strike events as they are published.
const (
	// FaultStatus answers with Status, and Code and Message in the platform's own error form. The request is not handled.
	FaultStatus FaultKind = "status"
	// FaultLatency waits DelayMS before the request is handled.
	FaultLatency FaultKind = "latency"
	// FaultCut closes the connection without an answer, before the request is handled: nothing took effect.
	FaultCut FaultKind = "cut"
	// FaultCutAfter handles the request and then closes the connection without an answer: a write took effect and its client
	// cannot know.
	FaultCutAfter FaultKind = "cut_after"
	// FaultTruncate handles the request and closes the connection in the middle of the answer's body.
	FaultTruncate FaultKind = "truncate"
	// FaultSlow handles the request at once and sends the answer's body little by little over DelayMS.
	FaultSlow FaultKind = "slow"
	// FaultHang waits DelayMS and then closes the connection without an answer; the request is not handled.
	FaultHang FaultKind = "hang"
	// FaultExpire lets sessions end, those of the user struck or without a User all, and then handles the request.
	FaultExpire FaultKind = "expire"
	// FaultRecord refuses a single record of a write, with Code and Message: in a collection, a composite request or a bulk
	// job the records beside it go through.
	FaultRecord FaultKind = "record"
	// FaultEventDrop loses an event: streams never carry it.
	FaultEventDrop FaultKind = "event_drop"
	// FaultEventGap puts a gap event in the place of a change event: it says that a record changed and not how.
	FaultEventGap FaultKind = "event_gap"
)

// Limits of the fault switches.
const (
	MaxFaults  = 100
	MaxDelayMS = 10 * 60 * 1000
	maxPattern = 500
)

// Fault is a rule that strikes what matches it. A rule strikes the same ones of a sequence of matches each time it is set
// with the same Seed.
type Fault struct {
	ID string `json:"id"`
	// Match is a regular expression (RE2), empty: everything. For requests it is matched with the path, without the query;
	// for FaultRecord with "/sobjects/Case", or "/jobs/ingest/Case" for a row of a bulk job; for events with the channel,
	// such as "/data/CaseChangeEvent".
	Match string `json:"match"`
	// Method is the HTTP method, empty: every one. A record that is created counts as POST, a changed one as PATCH, a
	// deleted one as DELETE, whatever the request it came with.
	Method string `json:"method,omitempty"`
	// User is the username of whose requests are struck, without regard to case; empty: everybody's.
	User    string    `json:"user,omitempty"`
	Kind    FaultKind `json:"kind"`
	Status  int       `json:"status,omitempty"`   // for FaultStatus: 400 to 599
	Code    string    `json:"code,omitempty"`     // for FaultStatus and FaultRecord; empty: the platform's usual code
	Message string    `json:"message,omitempty"`  // for FaultStatus and FaultRecord; empty: a usual text
	DelayMS int       `json:"delay_ms,omitempty"` // milliseconds; for FaultLatency, FaultSlow and FaultHang
	// JitterMS is added to DelayMS, each time another part of it between nothing and all, in milliseconds.
	JitterMS int     `json:"jitter_ms,omitempty"`
	Share    float64 `json:"share,omitempty"` // portion of matches struck, 0 < share <= 1; 0 means all
	Seed     uint64  `json:"seed,omitempty"`  // of the choice Share makes; 0: one is drawn, and told by Add
	After    int     `json:"after,omitempty"` // matches let through before the first strike
	Count    int     `json:"count,omitempty"` // strikes left; 0 means without end
	Hits     int     `json:"hits"`            // strikes so far

	pattern *regexp.Regexp
	chance  *rand.Rand
}

// family tells apart what a kind strikes.
type family int

const (
	ofRequests family = iota
	ofRecords
	ofEvents
)

func (k FaultKind) family() family {
	switch k {
	case FaultRecord:
		return ofRecords
	case FaultEventDrop, FaultEventGap:
		return ofEvents
	default:
		return ofRequests
	}
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
	if len(r.Match) > maxPattern || len(r.User) > maxPattern {
		return fmt.Errorf("match and user may be %d characters long: shorten them", maxPattern)
	}
	pattern, err := regexp.Compile(r.Match)
	if err != nil {
		return fmt.Errorf("match is no regular expression: %w", err)
	}
	r.pattern, r.Method = pattern, strings.ToUpper(r.Method)
	if r.Share < 0 || r.Share > 1 {
		return errors.New("share must be between 0 and 1")
	}
	if r.Count < 0 || r.After < 0 {
		return errors.New("count and after must not be negative")
	}
	for r.Seed == 0 {
		r.Seed = rand.Uint64() >> 11 // 53 bits survive JSON
	}
	r.chance = rand.New(rand.NewPCG(r.Seed, 0))
	return r.checkKind()
}

func (r *Fault) checkKind() error {
	switch r.Kind {
	case FaultStatus:
		if r.Status < 400 || r.Status > 599 {
			return errors.New("status must be between 400 and 599")
		}
	case FaultLatency, FaultHang, FaultSlow:
		if r.DelayMS < 1 || r.DelayMS > MaxDelayMS {
			return fmt.Errorf("delay_ms must be between 1 and %d", MaxDelayMS)
		}
		if r.JitterMS < 0 || r.DelayMS+r.JitterMS > MaxDelayMS {
			return fmt.Errorf("delay_ms and jitter_ms together must be between 1 and %d", MaxDelayMS)
		}
	case FaultCut, FaultCutAfter, FaultTruncate, FaultExpire, FaultRecord, FaultEventDrop, FaultEventGap:
	default:
		return fmt.Errorf("kind %q is unknown: use status, latency, cut, cut_after, truncate, slow, hang, expire, record, event_drop or event_gap", r.Kind)
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

// target is what a rule may strike.
type target struct {
	family       family
	method, path string
	change       bool          // an event that can become a gap event
	user         func() string // nil once it was asked
	name         string        // what it said
}

// strike returns the rule that strikes a target, if any, and counts it.
func (f *Faults) strike(t target) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down && t.family == ofRequests {
		return Fault{Kind: FaultCut}, true
	}
	for i, r := range f.rules {
		if !r.matches(&t) || !r.takes() {
			continue
		}
		r.Hits++
		hit := *r
		if r.JitterMS > 0 {
			hit.DelayMS += r.chance.IntN(r.JitterMS + 1)
		}
		if r.Count > 0 {
			if r.Count--; r.Count == 0 {
				f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
			}
		}
		return hit, true
	}
	return Fault{}, false
}

// matches reports whether a rule is for a target, which is asked for its user once at most.
func (r *Fault) matches(t *target) bool {
	if r.Kind.family() != t.family || r.Kind == FaultEventGap && !t.change || r.Method != "" && r.Method != t.method || !r.pattern.MatchString(t.path) {
		return false
	}
	if r.User == "" {
		return true
	}
	if t.user != nil {
		t.name, t.user = t.user(), nil
	}
	return strings.EqualFold(r.User, t.name)
}

// takes decides over a match.
func (r *Fault) takes() bool {
	if r.After > 0 {
		r.After--
		return false
	}
	return r.Share == 0 || r.chance.Float64() < r.Share
}

// StrikeRecord returns the FaultRecord rule that strikes the write of a record, if any, and counts it. Path and method are
// as Fault.Match and Fault.Method say; user is the username.
func (f *Faults) StrikeRecord(method, path string, user func() string) (Fault, bool) {
	return f.strike(target{family: ofRecords, method: method, path: path, user: user})
}

// StrikeEvent returns the rule that strikes an event on its way to a channel, if any, and counts it. Only an event of a
// change can become a gap.
func (f *Faults) StrikeEvent(channel string, change bool, user func() string) (Fault, bool) {
	return f.strike(target{family: ofEvents, path: channel, change: change, user: user})
}

// StrikeCall returns the rule that strikes a call which is no HTTP request of its own, by its name, and counts it.
func (f *Faults) StrikeCall(name string, user func() string) (Fault, bool) {
	return f.strike(target{method: http.MethodPost, path: name, user: user})
}

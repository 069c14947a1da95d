package salesforce

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// Limits is an org's count of API requests in the last 24 hours.
type Limits struct {
	Used int
	Max  int
}

// parseLimits reads Sforce-Limit-Info: "api-usage=18/15000, per-app-api-usage=17/250(appName=x)".
func parseLimits(v string) (Limits, bool) {
	for part := range strings.SplitSeq(v, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		used, limit, ok := strings.Cut(value, "/")
		if name != "api-usage" || !ok {
			continue
		}
		u, err1 := strconv.Atoi(used)
		m, err2 := strconv.Atoi(limit)
		if err1 == nil && err2 == nil && u >= 0 && m > 0 {
			return Limits{Used: u, Max: m}, true
		}
	}
	return Limits{}, false
}

// Urgency says what a request is worth when the org's API requests run out.
type Urgency int

const (
	// Live requests have somebody waiting: a caller, an agent, a flow. They are sent until the org refuses, and again soon after.
	Live Urgency = iota
	// Background requests wait once only the reserve is left: writes after a call, bulk loads, polling.
	Background
)

const (
	// limitPause is how long an org that has used up its requests is left alone, unless Options say otherwise. The count is
	// of the last 24 hours and rolls, so that a few become free at any time.
	limitPause = time.Minute
	// livePause is the same for live requests: somebody waits, and one request may find some free.
	livePause = 5 * time.Second
	// defaultReserve is the share of the daily requests that background work leaves to live requests.
	defaultReserve = 0.05
)

// gate keeps requests back before and after the org refuses them. It is safe for concurrent use.
type gate struct {
	pause   time.Duration
	reserve float64
	now     func() time.Time

	mu     sync.Mutex // guards what follows
	limits Limits
	known  time.Time // when limits came; zero before
	until  time.Time // no background request is sent before, after a refusal
	live   time.Time // no request at all is sent before
	probe  time.Time // in the reserve, one background request may go out after this
}

func newGate(o Options) *gate {
	g := &gate{pause: o.LimitPause, reserve: o.Reserve, now: o.Now}
	if g.pause <= 0 {
		g.pause = limitPause
	}
	if g.reserve <= 0 || g.reserve >= 1 {
		g.reserve = defaultReserve
	}
	return g
}

// heard takes what an answer says of the limits.
func (g *gate) heard(header, code, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l, ok := parseLimits(header); ok {
		g.limits, g.known = l, g.now()
	}
	if code != "REQUEST_LIMIT_EXCEEDED" {
		return
	}
	pause := g.pause
	if !strings.Contains(message, "TotalRequests") {
		pause /= 20 // too many at once, which passes by itself
	}
	jitter := func(d time.Duration) time.Time { return g.now().Add(d - time.Duration(rand.Int64N(int64(d)/5+1))) }
	g.until, g.live = jitter(pause), jitter(min(pause, livePause))
}

// enter refuses a request that should not be sent now: errs.Exhausted with the time to wait.
func (g *gate) enter(u Urgency) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	until := g.until
	if u == Live {
		until = g.live
	}
	if wait := until.Sub(now); wait > 0 {
		return errs.New(errs.Exhausted, "the org has used up its API requests of the last 24 hours: it is asked again in %v", wait.Round(time.Second))
	}
	if u == Live || g.known.IsZero() || float64(g.limits.Max-g.limits.Used) > g.reserve*float64(g.limits.Max) {
		return nil
	}
	// The count may be old: one request now and then finds out.
	if now.Before(g.probe) {
		return errs.New(errs.Exhausted, "%d of the org's %d API requests are used: the rest is kept for live calls, and this goes on when some are free again", g.limits.Used, g.limits.Max)
	}
	g.probe = now.Add(g.pause)
	return nil
}

// LimitState is what is known of the org's API requests.
type LimitState struct {
	Limits
	At     time.Time // when the org told; zero before it has
	Paused time.Time // background requests are not sent before; zero when they go out
	Tight  bool      // only the reserve for live requests is left
}

func (g *gate) state() LimitState {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := LimitState{Limits: g.limits, At: g.known}
	if g.until.After(g.now()) {
		st.Paused = g.until
	}
	st.Tight = !g.known.IsZero() && float64(g.limits.Max-g.limits.Used) <= g.reserve*float64(g.limits.Max)
	return st
}

// Limits returns what the org last said about its daily API requests; false before the first answer that tells.
func (c *Client) Limits() (Limits, bool) {
	st := c.gate.state()
	return st.Limits, !st.At.IsZero()
}

// LimitState returns what is known of the org's API requests, and whether they are kept back.
func (c *Client) LimitState() LimitState { return c.gate.state() }

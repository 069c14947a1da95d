package salesforce

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// TestGate goes through a day in which an org runs out of API requests.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Options{Now: time.Now})
		may := func(when string, live, background bool) {
			t.Helper()
			for u, want := range map[Urgency]bool{Live: live, Background: background} {
				if err := g.enter(u); (err == nil) != want || err != nil && !errs.Is(err, errs.Exhausted) {
					t.Errorf("%s, urgency %d: %v", when, u, err)
				}
			}
		}
		may("before anything is known", true, true)
		g.heard("api-usage=14000/15000", "", "")
		may("with 1,000 left", true, true)
		g.heard("api-usage=14250/15000", "", "")
		may("with the reserve alone, once", true, true) // the count may be old
		may("with the reserve alone", true, false)
		if st := g.state(); !st.Tight || !st.Paused.IsZero() || st.Used != 14250 {
			t.Errorf("%+v", st)
		}
		<-time.After(59 * time.Second)
		may("before the minute is over", true, false)
		<-time.After(time.Second)
		may("after a minute, once", true, true)
		may("after a minute", true, false)
		g.heard("api-usage=15000/15000", "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
		may("refused", false, false)
		<-time.After(5 * time.Second)
		may("some seconds after the refusal", true, false)
		g.heard("", "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
		may("refused again", false, false)
		<-time.After(time.Minute)
		may("when the pause is over, once", true, true)
		may("when the pause is over", true, false) // still nothing but the reserve
		g.heard("api-usage=9000/15000", "", "")
		may("when requests are free again", true, true)
		g.heard("", "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
		may("too many at once", false, false)
		<-time.After(3 * time.Second)
		may("three seconds later", true, true)
		g.heard("nonsense", "", "")
		if st := g.state(); st.Tight || st.Used != 9000 {
			t.Errorf("%+v", st)
		}
	})
}

// Package clock is the process clock: time as data and timers that a test or an operator can move forward, so that a
// long outage, a retention period or a back-off is not slept through. Media pacing does not use it.
package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Clock tells the time and fires timers by it. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex // guards offset, timers and wake
	offset time.Duration
	timers timerHeap
	wake   *time.Timer
	seq    uint64
}

// New returns a clock that shows the machine's time.
func New() *Clock { return &Clock{} }

// Now returns the process time in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time { return time.Now().Add(c.offset).UTC() }

// Offset returns how far the clock is ahead of the machine's.
func (c *Clock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// Advance moves the clock forward by d (a negative d is ignored) and fires what has become due, in order of time, each
// in its own goroutine.
func (c *Clock) Advance(d time.Duration) {
	if d <= 0 {
		return
	}
	c.mu.Lock()
	c.offset += d
	c.fire()
	c.mu.Unlock()
}

// Timer is one pending call made with AfterFunc.
type Timer struct {
	c     *Clock
	at    time.Time
	seq   uint64
	index int
	f     func()
}

// AfterFunc calls f in its own goroutine once d of process time has passed.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t := &Timer{c: c, at: c.now().Add(max(d, 0)), seq: c.seq, f: f}
	heap.Push(&c.timers, t)
	c.arm()
	return t
}

// Stop cancels the timer; it reports false when the timer has fired or was stopped before.
func (t *Timer) Stop() bool {
	if t == nil {
		return false
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.c.timers, t.index)
	t.c.arm()
	return true
}

// After returns a channel that is closed once d of process time has passed.
func (c *Clock) After(d time.Duration) (done <-chan struct{}, stop func() bool) {
	ch := make(chan struct{})
	t := c.AfterFunc(d, func() { close(ch) })
	return ch, t.Stop
}

// fire starts everything due and arms the next wake-up; c.mu is held.
func (c *Clock) fire() {
	now := c.now()
	for len(c.timers) > 0 && !c.timers[0].at.After(now) {
		t, _ := heap.Pop(&c.timers).(*Timer)
		go t.f()
	}
	c.arm()
}

// arm sets the machine timer for the earliest entry; c.mu is held.
func (c *Clock) arm() {
	if len(c.timers) == 0 {
		if c.wake != nil {
			c.wake.Stop()
		}
		return
	}
	d := max(c.timers[0].at.Sub(c.now()), 0)
	if c.wake == nil {
		c.wake = time.AfterFunc(d, func() {
			c.mu.Lock()
			c.fire()
			c.mu.Unlock()
		})
		return
	}
	c.wake.Reset(d)
}

type timerHeap []*Timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	t, _ := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	old := *h
	n := len(old) - 1
	t := old[n]
	old[n] = nil
	*h = old[:n]
	t.index = -1
	return t
}

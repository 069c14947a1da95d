package media

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBehind is how far the clock may fall behind before it skips frames instead of sending them in a burst. Below it, an absolute
	// schedule makes up for each late tick, so that a stream never loses pace.
	maxBehind = 400 * time.Millisecond
	// slots is the number of parts a frame has. A port keeps its part: were all sent at once, the last of thousands would leave
	// when the ones before it let it, and no kernel queue and no network likes such a burst.
	slots = 20
	// slot is as fine as the runtime's timers are.
	slot = Frame / slots
)

// ticker is what a clock drives. frames is 1, or more after a skip. It must not block.
type ticker interface {
	tick(now time.Time, frames uint32)
}

// Clock drives all ports: a few goroutines, each with an absolute schedule in slots of a millisecond, over which the ports are
// spread. One clock serves thousands of ports.
type Clock struct {
	shards  []*shard
	skipped atomic.Uint64
	stop    chan struct{}
	wg      sync.WaitGroup

	mu sync.Mutex // guards which ports there are; taken before that of a slot
}

// shard is one of the clock's goroutines.
type shard struct {
	clock *Clock
	base  time.Time // when the current frame began; used by the shard's goroutine alone
	slots [slots]slotPorts
	count atomic.Int64
	wake  chan struct{} // buffered: the first port of an idle shard
}

// slotPorts are the ports that a shard ticks in one part of the frame.
type slotPorts struct {
	owed uint32 // frames skipped since the last tick; used by the shard's goroutine alone

	mu    sync.Mutex // guards ports
	ports []*place   // in a stable order
}

// place is a port's place in a slot.
type place struct {
	ticker
	index int
}

// NewClock starts a clock of n goroutines; 0 means one per processor.
func NewClock(n int) *Clock {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	c := &Clock{stop: make(chan struct{})}
	start := time.Now()
	for i := range n {
		s := &shard{clock: c, base: start.Add(slot * time.Duration(i) / time.Duration(n)), wake: make(chan struct{}, 1)}
		c.shards = append(c.shards, s)
	}
	for _, s := range c.shards {
		c.wg.Go(s.run)
	}
	return c
}

// Close stops the clock and waits for its goroutines. Ports still attached get no more ticks.
func (c *Clock) Close() {
	close(c.stop)
	c.wg.Wait()
}

// Skipped returns how many frames were left out because the machine stood still for longer than 400 ms.
func (c *Clock) Skipped() uint64 { return c.skipped.Load() }

// Ports returns how many ports the clock drives.
func (c *Clock) Ports() int {
	n := int64(0)
	for _, s := range c.shards {
		n += s.count.Load()
	}
	return int(n)
}

// attach gives t to the slot with the fewest ports and returns how to detach it.
func (c *Clock) attach(t ticker) (detach func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shard, best := c.emptiest()
	p := &place{t, len(best.ports)}
	best.mu.Lock()
	best.ports = append(best.ports, p)
	best.mu.Unlock()
	if shard.count.Add(1) == 1 {
		select {
		case shard.wake <- struct{}{}:
		default:
		}
	}
	return func() { c.detach(shard, best, p) }
}

// emptiest is called with the lock held, under which no slot changes.
func (c *Clock) emptiest() (in *shard, best *slotPorts) {
	for i := range slots {
		for _, s := range c.shards {
			if p := &s.slots[i]; best == nil || len(p.ports) < len(best.ports) {
				in, best = s, p
			}
		}
	}
	return in, best
}

func (c *Clock) detach(in *shard, s *slotPorts, p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.index < 0 {
		return
	}
	last := len(s.ports) - 1
	s.ports[p.index] = s.ports[last]
	s.ports[p.index].index = p.index
	s.ports[last] = nil
	s.ports = s.ports[:last]
	p.index = -1
	in.count.Add(-1)
}

func (s *shard) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var ports []*place
	for {
		if s.count.Load() == 0 {
			select {
			case <-s.wake:
			case <-s.clock.stop:
				return
			}
			// The schedule is kept through idle times, so that phases stay spread.
			if idle := time.Since(s.base); idle > 0 {
				s.base = s.base.Add(idle.Truncate(Frame) + Frame)
			}
		}
		waited := false
		for i := range s.slots {
			part := &s.slots[i]
			if part.empty() {
				continue
			}
			if waited = true; !s.await(timer, slot*time.Duration(i)) {
				return
			}
			ports = part.snapshot(ports[:0])
			part.tick(ports)
		}
		if waited { // else the ports have gone again, and no time has passed
			s.base = s.base.Add(Frame)
		}
	}
}

// await waits for a moment of the current frame, or skips frames if it was too long ago. It reports false when the clock stops.
func (s *shard) await(timer *time.Timer, part time.Duration) bool {
	if wait := time.Until(s.base.Add(part)); wait > 0 {
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.clock.stop:
			return false
		}
	} else {
		select {
		case <-s.clock.stop:
			return false
		default:
		}
	}
	if behind := time.Since(s.base.Add(part)); behind > maxBehind {
		s.base = s.base.Add(behind.Truncate(Frame))
		skip := uint32(behind / Frame) //nolint:gosec // a process suspended for years would wrap, harmlessly
		s.clock.skipped.Add(uint64(skip))
		for i := range s.slots {
			s.slots[i].owed += skip
		}
	}
	return true
}

func (s *slotPorts) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ports) == 0
}

// snapshot lets ports come and go while the shard sends.
func (s *slotPorts) snapshot(dst []*place) []*place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(dst, s.ports...)
}

func (s *slotPorts) tick(ports []*place) {
	now, frames := time.Now(), 1+s.owed
	s.owed = 0
	for _, p := range ports {
		p.tick(now, frames)
	}
}

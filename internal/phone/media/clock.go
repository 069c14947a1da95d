package media

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxBehind is how far the clock may fall behind before it skips frames instead of sending them in a burst. Below it, an absolute
// schedule makes up for each late tick, so that a stream never loses pace.
const maxBehind = 400 * time.Millisecond

// ticker is what a clock drives. frames is 1, or more after a skip. It must not block.
type ticker interface {
	tick(now time.Time, frames uint32)
}

// Clock drives all ports: a few goroutines, each with an absolute 20 ms schedule, their phases spread over the 20 ms. One
// clock serves thousands of ports.
type Clock struct {
	shards  []*shard
	skipped atomic.Uint64
	stop    chan struct{}
	wg      sync.WaitGroup
}

type shard struct {
	clock *Clock
	phase time.Duration
	wake  chan struct{} // buffered: the first port of an idle shard

	mu    sync.Mutex // guards ports and index
	ports []ticker   // in a stable order: a port keeps its place within the tick, else streams would jitter
	index map[ticker]int
}

// NewClock starts a clock of n goroutines; 0 means one per processor.
func NewClock(n int) *Clock {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	c := &Clock{stop: make(chan struct{})}
	for i := range n {
		c.shards = append(c.shards, &shard{
			clock: c, phase: Frame * time.Duration(i) / time.Duration(n),
			wake: make(chan struct{}, 1), index: map[ticker]int{},
		})
	}
	start := time.Now()
	for _, s := range c.shards {
		c.wg.Go(func() { s.run(start) })
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

// attach gives t to the shard with the fewest ports and returns how to detach it.
func (c *Clock) attach(t ticker) (detach func()) {
	best, fewest := c.shards[0], int(^uint(0)>>1)
	for _, s := range c.shards {
		if n := s.len(); n < fewest {
			best, fewest = s, n
		}
	}
	best.mu.Lock()
	best.index[t] = len(best.ports)
	best.ports = append(best.ports, t)
	best.mu.Unlock()
	select {
	case best.wake <- struct{}{}:
	default:
	}
	return func() { best.detach(t) }
}

func (s *shard) detach(t ticker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[t]
	if !ok {
		return
	}
	last := len(s.ports) - 1
	s.ports[i] = s.ports[last]
	s.index[s.ports[i]] = i
	s.ports[last] = nil
	s.ports = s.ports[:last]
	delete(s.index, t)
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ports)
}

func (s *shard) run(start time.Time) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	next := start.Add(s.phase)
	var ports []ticker
	for {
		if s.len() == 0 {
			select {
			case <-s.wake:
			case <-s.clock.stop:
				return
			}
			// The schedule is kept through idle times, so that phases stay spread.
			if idle := time.Since(next); idle > 0 {
				next = next.Add(idle.Truncate(Frame) + Frame)
			}
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-s.clock.stop:
			return
		}
		now := time.Now()
		frames := uint32(1)
		if behind := now.Sub(next); behind > maxBehind {
			next = next.Add(behind.Truncate(Frame))
			skip := behind / Frame
			frames += uint32(skip) //nolint:gosec // a process suspended for years would wrap, harmlessly
			s.clock.skipped.Add(uint64(skip))
		}
		ports = s.snapshot(ports[:0])
		for _, p := range ports {
			p.tick(now, frames)
		}
		next = next.Add(Frame)
	}
}

// snapshot lets ports come and go while the shard sends.
func (s *shard) snapshot(dst []ticker) []ticker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(dst, s.ports...)
}

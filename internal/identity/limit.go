package identity

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxSources    = 10_000
	sourceRate    = 0.5 // logins a second from one address in the long run
	sourceBurst   = 20
	sourceForgets = 10 * time.Minute
)

// sources limits logins per source address: per IPv4 address and per IPv6 /64, as a host may use any address of its network.
type sources struct {
	mu sync.Mutex // guards m
	m  map[netip.Prefix]*source
}

type source struct {
	limit *rate.Limiter
	seen  time.Time
}

func newSources() *sources { return &sources{m: map[netip.Prefix]*source{}} }

// allow reports whether another attempt from addr may be made at now. An address that cannot be read shares one limit with
// all such addresses.
func (s *sources) allow(addr string, now time.Time) bool {
	key := sourceKey(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.m[key]
	if e == nil {
		if len(s.m) >= maxSources {
			s.sweep(now)
		}
		e = &source{limit: rate.NewLimiter(sourceRate, sourceBurst)}
		s.m[key] = e
	}
	e.seen = now
	return e.limit.AllowN(now, 1)
}

// sweep makes room for a quarter of all sources, so that it is rare even when each login comes from another address: idle ones
// go first, then any; s.mu is held.
func (s *sources) sweep(now time.Time) {
	for k, e := range s.m {
		if now.Sub(e.seen) > sourceForgets {
			delete(s.m, k)
		}
	}
	for k := range s.m {
		if len(s.m) < maxSources*3/4 {
			return
		}
		delete(s.m, k)
	}
}

func sourceKey(addr string) netip.Prefix {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return netip.Prefix{}
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

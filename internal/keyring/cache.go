package keyring

import (
	"sync"
	"time"
)

const (
	cacheShards = 32
	// doomFor is how long a shredded key is kept out of the cache: longer than any unit of work, so that a reader that
	// loaded the key before the shredding committed cannot put it back.
	doomFor   = 10 * time.Minute
	maxDoomed = 4096 // per shard
)

// cache holds unwrapped data keys: bounded, sharded against contention, entries of limited age.
type cache[K comparable] struct {
	hash   func(K) uint32
	limit  int // entries per shard
	maxAge time.Duration
	shards [cacheShards]shard[K]
}

type shard[K comparable] struct {
	mu     sync.RWMutex // guards the fields below
	keys   map[K]*DataKey
	doomed map[K]time.Time
	_      [64]byte // keeps neighbours' locks off one cache line
}

func newCache[K comparable](limit int, maxAge time.Duration, hash func(K) uint32) *cache[K] {
	c := &cache[K]{hash: hash, limit: max(limit/cacheShards, 1), maxAge: maxAge}
	for i := range c.shards {
		c.shards[i].keys = map[K]*DataKey{}
		c.shards[i].doomed = map[K]time.Time{}
	}
	return c
}

func (c *cache[K]) shard(k K) *shard[K] { return &c.shards[c.hash(k)%cacheShards] }

func (c *cache[K]) get(k K) *DataKey {
	s := c.shard(k)
	s.mu.RLock()
	d := s.keys[k]
	s.mu.RUnlock()
	if d == nil || time.Since(d.loaded) > c.maxAge {
		return nil
	}
	return d
}

func (c *cache[K]) put(k K, d *DataKey) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.doomed[k]; ok {
		if time.Since(at) < doomFor {
			return
		}
		delete(s.doomed, k)
	}
	if _, ok := s.keys[k]; !ok && len(s.keys) >= c.limit {
		for victim := range s.keys { // the map's order is random enough for eviction
			delete(s.keys, victim)
			break
		}
	}
	s.keys[k] = d
}

// drop removes a key and keeps it out for doomFor.
func (c *cache[K]) drop(k K) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, k)
	if len(s.doomed) >= maxDoomed {
		s.sweep()
	}
	s.doomed[k] = time.Now()
}

// forget removes a key that may be loaded again.
func (c *cache[K]) forget(k K) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, k)
}

// dropIf drops every key that match accepts.
func (c *cache[K]) dropIf(match func(*DataKey) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k, d := range s.keys {
			if match(d) {
				delete(s.keys, k)
				s.doomed[k] = time.Now()
			}
		}
		s.mu.Unlock()
	}
}

// sweep frees room among the doomed: the expired, or else the oldest half; s.mu is held.
func (s *shard[K]) sweep() {
	for k, at := range s.doomed {
		if time.Since(at) >= doomFor {
			delete(s.doomed, k)
		}
	}
	if len(s.doomed) < maxDoomed {
		return
	}
	var sum time.Duration
	for _, at := range s.doomed {
		sum += time.Since(at)
	}
	mean := sum / time.Duration(len(s.doomed))
	for k, at := range s.doomed {
		if time.Since(at) >= mean {
			delete(s.doomed, k)
		}
	}
}

func (c *cache[K]) len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.keys)
		s.mu.RUnlock()
	}
	return n
}

package salesforce

import "sync"

// cache keeps up to a number of values by key. When it is full a value that was not used lately makes room: each entry
// gets a second chance before it goes.
type cache[V any] struct {
	mu      sync.Mutex // guards all below
	size    int
	entries map[string]*cached[V]
	ring    []string
	hand    int
}

type cached[V any] struct {
	value V
	used  bool
}

func newCache[V any](size int) *cache[V] {
	return &cache[V]{size: size, entries: make(map[string]*cached[V], size)}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		var zero V
		return zero, false
	}
	e.used = true
	return e.value, true
}

// put stores a value, unless another came first: that one is returned.
func (c *cache[V]) put(key string, v V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		return e.value
	}
	if len(c.ring) < c.size {
		c.ring = append(c.ring, key)
	} else {
		c.evict()
		c.ring[c.hand] = key
		c.hand = (c.hand + 1) % c.size
	}
	c.entries[key] = &cached[V]{value: v}
	return v
}

// evict moves the hand to a victim and removes it from the map.
func (c *cache[V]) evict() {
	for {
		e := c.entries[c.ring[c.hand]]
		if !e.used {
			delete(c.entries, c.ring[c.hand])
			return
		}
		e.used = false
		c.hand = (c.hand + 1) % c.size
	}
}

func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.ring, c.hand = make(map[string]*cached[V], c.size), nil, 0
}

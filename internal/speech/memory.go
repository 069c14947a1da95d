package speech

import (
	"container/list"
	"sync"
)

// memory is a least-recently-used cache bounded in bytes. Clips in it are shared and must not be changed.
type memory struct {
	limit int64

	mu    sync.Mutex // guards what follows
	used  int64
	order *list.List // of *entry, the latest used in front
	byKey map[string]*list.Element
}

type entry struct {
	key  string
	clip []byte
}

// entryOverhead is about what an entry takes beside its clip: key, list element and map slot.
const entryOverhead = 256

func newMemory(limit int64) *memory {
	return &memory{limit: limit, order: list.New(), byKey: map[string]*list.Element{}}
}

func (m *memory) get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.byKey[key]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(el)
	return entryOf(el).clip, true
}

// put keeps a clip and drops the least used ones beyond the limit; a clip larger than an eighth of it is not kept.
func (m *memory) put(key string, clip []byte) {
	cost := int64(len(clip) + entryOverhead)
	if cost > m.limit/8 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if el, ok := m.byKey[key]; ok {
		m.drop(el)
	}
	m.byKey[key] = m.order.PushFront(&entry{key: key, clip: clip})
	m.used += cost
	for m.used > m.limit {
		m.drop(m.order.Back())
	}
}

func (m *memory) drop(el *list.Element) {
	e := entryOf(el)
	m.order.Remove(el)
	delete(m.byKey, e.key)
	m.used -= int64(len(e.clip) + entryOverhead)
}

func (m *memory) size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

func entryOf(el *list.Element) *entry {
	e, _ := el.Value.(*entry)
	return e
}

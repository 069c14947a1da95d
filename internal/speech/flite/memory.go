package flite

import (
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// memories lends instances their linear memory. Flite grows its own step by step, so that without reuse each utterance
// leaves several times its size to the garbage collector. What is not used for a while is freed.
type memories struct{ pool sync.Pool }

// Allocate implements experimental.MemoryAllocator.
func (m *memories) Allocate(_, _ uint64) experimental.LinearMemory {
	buf, _ := m.pool.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	clear(*buf) // as long as the last instance made it: beyond, nothing was written
	*buf = (*buf)[:0]
	return &linear{home: m, buf: buf}
}

type linear struct {
	home *memories
	buf  *[]byte
}

// Reallocate makes the memory size bytes long; new bytes are zero.
func (l *linear) Reallocate(size uint64) []byte {
	if size > uint64(cap(*l.buf)) {
		grown := make([]byte, len(*l.buf), size+size/4)
		copy(grown, *l.buf)
		*l.buf = grown
	}
	*l.buf = (*l.buf)[:size]
	return *l.buf
}

// Free gives the memory back.
func (l *linear) Free() {
	l.home.pool.Put(l.buf)
	l.buf = new([]byte)
}

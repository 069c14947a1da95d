package flowtest

import (
	"container/heap"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// condition says when an entry of the agenda still holds.
type condition struct {
	talking   bool           // only while an agent talks
	placement flow.CommandID // only while this placement is alive
	command   flow.CommandID // only while this command is outstanding; it falls with it
}

var (
	whenever = condition{}
	talking  = condition{talking: true}
)

// entry is something that will happen: an event for the flow, or something the script does.
type entry struct {
	at   time.Time
	seq  int
	ev   flow.Event
	do   func()
	when condition
}

// agenda is what will happen, in order of time and then of entering.
type agenda struct {
	h   entries
	seq int
}

func (a *agenda) add(e *entry) {
	a.seq++
	e.seq = a.seq
	heap.Push(&a.h, e)
}

func (a *agenda) peek() (*entry, bool) {
	if len(a.h) == 0 {
		return nil, false
	}
	return a.h[0], true
}

func (a *agenda) next() (*entry, bool) {
	if len(a.h) == 0 {
		return nil, false
	}
	e, ok := heap.Pop(&a.h).(*entry)
	return e, ok
}

type entries []*entry

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h entries) Len() int { return len(h) }

// Less orders by time.
func (h entries) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

// Swap swaps two entries.
func (h entries) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds an entry.
func (h *entries) Push(x any) {
	if e, ok := x.(*entry); ok {
		*h = append(*h, e)
	}
}

// Pop takes the last entry.
func (h *entries) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

// at puts an event on the agenda.
func (x *run) at(after time.Duration, ev flow.Event, when condition) {
	x.agenda.add(&entry{at: x.now.Add(after), ev: ev, when: when})
}

// do puts something the script does on the agenda.
func (x *run) do(after time.Duration, f func(), when condition) {
	x.agenda.add(&entry{at: x.now.Add(after), do: f, when: when})
}

// answer puts the result of a command on the agenda.
func (x *run) answer(id flow.CommandID, after time.Duration, ev flow.Event) {
	ev.Command = id
	x.answered[id] = true
	x.at(after, ev, condition{command: id})
}

// holds reports whether an entry still means something.
func (x *run) holds(e *entry) bool {
	switch {
	case e.when.talking:
		return x.s.Talking
	case e.when.placement != 0:
		return x.s.Placement == e.when.placement && !x.s.HungUp
	case e.when.command != 0:
		for _, c := range x.s.Outstanding() {
			if c.ID == e.when.command {
				return true
			}
		}
		return false
	}
	return true
}

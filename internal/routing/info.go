package routing

import (
	"math"
	"time"
)

// Info are the figures of a queue at one moment.
type Info struct {
	Position int           // of the contact, from 1; where it would stand if it does not wait here
	Waiting  int           // contacts, those being offered included
	Oldest   time.Duration // how long the one that waits longest has waited
	EWT      time.Duration // estimated wait; negative: it cannot be told
	// Online agents are logged on; of them Staffed are those that are not idle, and of these Available, Busy and AfterWork. Missed
	// have not answered an offer, NonProductive are idle.
	Online, Staffed, Available, Busy, AfterWork, Missed, NonProductive int
}

// Info returns a queue's figures. The estimate looks at the contacts that left the queue within lookback.
func (e *Engine) Info(q Queue, contactID string, lookback time.Duration, now time.Time) Info {
	waiting := e.Waiting(q.ID)
	info := Info{Position: len(waiting) + 1, Waiting: len(waiting), EWT: -1}
	for i, it := range waiting {
		if it.ContactID == contactID {
			info.Position = i + 1
		}
		info.Oldest = max(info.Oldest, now.Sub(it.At))
	}
	for _, id := range q.AgentIDs {
		if a := e.agents[id]; a != nil {
			info.count(a)
		}
	}
	if h := e.past[q.ID]; h != nil {
		info.EWT = h.estimate(now.Add(-lookback))
	}
	return info
}

func (i *Info) count(a *Agent) {
	if a.State == Offline {
		return
	}
	i.Online++
	switch a.State {
	case Available:
		i.Staffed++
		if a.Reachable {
			i.Available++
		}
	case Ringing, Connected:
		i.Staffed++
		i.Busy++
	case WrapUp:
		i.Staffed++
		i.AfterWork++
	case RONA:
		i.Missed++
	case Idle:
		i.NonProductive++
	case Offline:
	}
}

// SetOlder changes by how much a waiting contact counts as older than it is.
func (e *Engine) SetOlder(contactID string, d time.Duration) {
	if it, ok := e.items[contactID]; ok {
		it.Older = d
	}
}

// maxHistory is how many contacts of a queue are remembered.
const maxHistory = 1000

// left is a contact that left a queue.
type left struct {
	at       time.Time
	wait     time.Duration
	answered bool
}

// history is a ring of the last contacts that left a queue.
type history struct {
	list []left
	next int
}

func (e *Engine) remember(it *Item, answered bool, now time.Time) {
	h := e.past[it.QueueID]
	if h == nil {
		h = &history{}
		e.past[it.QueueID] = h
	}
	x := left{at: now, wait: now.Sub(it.At), answered: answered}
	if len(h.list) < maxHistory {
		h.list = append(h.list, x)
		return
	}
	h.list[h.next] = x
	h.next = (h.next + 1) % maxHistory
}

// What an estimate needs (Webex Contact Center, "Estimated wait time"): at least 40 % of those that left were answered, and
// their waits deviate by less than 40 % of the mean.
const (
	leastAnswered = 0.4
	mostDeviation = 0.4
)

// estimate is the mean wait of those answered since a moment, or -1 when they say too little.
func (h *history) estimate(since time.Time) time.Duration {
	var n, all, sum, squares float64
	for _, x := range h.list {
		if x.at.Before(since) {
			continue
		}
		all++
		if x.answered {
			s := x.wait.Seconds()
			n, sum, squares = n+1, sum+s, squares+s*s
		}
	}
	if n == 0 || n/all < leastAnswered {
		return -1
	}
	mean := sum / n
	if deviation := math.Sqrt(max(0, squares/n-mean*mean)); deviation >= mostDeviation*mean && deviation > 0 {
		return -1
	}
	return time.Duration(mean * float64(time.Second))
}

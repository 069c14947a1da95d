package media

import (
	"time"

	"github.com/tandemcc/tandem/internal/voice"
)

const (
	maxDropout  = 3000 // RFC 3550 appendix A.1
	maxMisorder = 100
)

// reception keeps the figures of a received stream (RFC 3550 appendices A.1, A.3 and A.8).
type reception struct {
	started    bool
	ssrc       uint32
	base       uint64 // extended sequence number of the first packet
	highest    uint64 // and of the latest
	badSeq     uint32 // the number after one that jumped, or 1<<16
	count      uint64 // of this run
	lostBefore uint64 // by runs that ended
	received   uint64
	lastTS     uint32
	lastAt     time.Time
	jitter     float64 // samples
}

func (r *reception) packet(now time.Time, ssrc uint32, seq uint16, ts uint32, timed bool) {
	switch {
	case !r.started || ssrc != r.ssrc:
		r.restart(ssrc, seq)
	default:
		r.sequence(ssrc, seq)
	}
	r.count++
	r.received++
	if timed && !r.lastAt.IsZero() && ts != r.lastTS {
		passed := now.Sub(r.lastAt).Seconds() * SampleRate
		d := passed - float64(int32(ts-r.lastTS)) //nolint:gosec // serial number arithmetic
		r.jitter += (max(d, -d) - r.jitter) / 16
	}
	if timed {
		r.lastTS, r.lastAt = ts, now
	}
}

func (r *reception) sequence(ssrc uint32, seq uint16) {
	delta := seq - uint16(r.highest) //nolint:gosec // the low 16 bits are meant
	switch {
	case delta < maxDropout:
		r.highest += uint64(delta)
		r.badSeq = 1 << 16
	case delta <= 1<<16-maxMisorder-1:
		if uint32(seq) == r.badSeq { // two in a row: the sender started anew
			r.restart(ssrc, seq)
			return
		}
		r.badSeq = uint32(seq + 1)
	default: // a repetition or a packet that was overtaken
	}
}

func (r *reception) restart(ssrc uint32, seq uint16) {
	r.lostBefore = r.lost()
	r.started, r.ssrc, r.count, r.badSeq = true, ssrc, 0, 1<<16
	// Start one cycle up, so that a packet from before the first one cannot go below zero.
	r.base = 1<<16 + uint64(seq)
	r.highest = r.base
	r.lastAt = time.Time{}
}

func (r *reception) lost() uint64 {
	if !r.started {
		return 0
	}
	expected := r.highest - r.base + 1
	if expected <= r.count {
		return r.lostBefore
	}
	return r.lostBefore + expected - r.count
}

func (r *reception) fill(s *voice.MediaStats) {
	s.Received = r.received
	s.Lost = r.lost()
	s.Jitter = time.Duration(r.jitter * float64(time.Second) / SampleRate)
}

// Package media carries telephone audio: RTP streams of G.711 µ-law on UDP, one absolute 20 ms clock for all prompts,
// telephone events (RFC 4733), relay between two ports without transcoding, and the quality figures of RFC 3550.
package media

import "time"

// Frame is the time one packet sent by this package covers; FrameSamples is the number of its samples and, in µ-law, bytes.
const (
	Frame        = 20 * time.Millisecond
	FrameSamples = 160
	SampleRate   = 8000
)

// PayloadPCMU is the static payload type of G.711 µ-law (RFC 3551, table 4).
const PayloadPCMU = 0

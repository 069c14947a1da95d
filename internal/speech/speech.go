// Package speech turns prompt texts into telephone audio. A Synthesizer makes speech out of text; Service caches its
// clips, bounds its load and hands out 8 kHz µ-law ready for the media clock. Synthesizers live one folder each below.
//
// Texts hold personal data ("Hello Maria"). Cache keys are keyed hashes, so that neither the memory cache nor a store
// behind it can be searched for a text, and fragments marked Personal never leave memory.
package speech

import (
	"context"
	"time"
)

// Text is what is to be spoken.
type Text struct {
	// Text is plain text, not SSML.
	Text string
	// Language is a BCP 47 tag such as en-US; empty means the synthesizer's own.
	Language string
}

// Voice chooses how a text is spoken; the zero value is the synthesizer's default voice at its natural pace.
type Voice struct {
	// Name is the synthesizer's own name for the voice.
	Name string
	// Pace is a factor: 1.2 is a fifth faster. 0 means 1; synthesizers take 0.5 to 2.
	Pace float64
	// Pitch moves the voice by semitones: 0 is natural; synthesizers may ignore it.
	Pitch float64
}

// Audio is 16-bit linear mono PCM.
type Audio struct {
	PCM  []int16
	Rate int // samples a second
}

// Duration returns how long the audio plays.
func (a Audio) Duration() time.Duration {
	if a.Rate <= 0 {
		return 0
	}
	return time.Duration(int64(len(a.PCM)) * int64(time.Second) / int64(a.Rate))
}

// Synthesizer makes speech out of text.
type Synthesizer interface {
	// Speak returns the spoken text. It stops soon after ctx ends, with ctx's error in the chain. Errors have codes:
	// Invalid for a text or voice it can never speak, Unavailable when trying again later may help. It is safe for
	// concurrent use; the caller bounds how many run at once.
	Speak(ctx context.Context, t Text, v Voice) (Audio, error)
}

// Cache keeps clips beyond the process. The implementation encrypts what it stores. Both methods are safe for concurrent
// use and must not block longer than ctx.
type Cache interface {
	// Get returns the clip under key; false when there is none or the store cannot be reached.
	Get(ctx context.Context, key string) (ulaw []byte, ok bool)
	// Put keeps a clip under key. Failures are the implementation's to log: a clip can always be made again.
	Put(ctx context.Context, key string, ulaw []byte)
}

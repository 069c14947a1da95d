package media

import (
	"math"

	"github.com/tandemcc/tandem/internal/audio"
)

// Silence is the µ-law code of zero.
const Silence = audio.ULawSilence

// Tone returns a µ-law sine of n samples. level is its peak relative to full scale, 0 to 1. A clip meant to be looped
// should hold whole periods: n·hz divisible by SampleRate.
func Tone(hz, level float64, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		s := level * math.MaxInt16 * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)
		out[i] = audio.ULaw(int16(s))
	}
	return out
}

package softphone

import (
	"math"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/phone/media"
)

const (
	silenceLevel = -100.0 // dBFS reported for digital silence
	audibleLevel = -50.0  // below, no frequency is looked for
	// tonal is the share of the window's power the strongest component must hold to count as a tone.
	tonal = 0.25
	hzMin = 100
	hzMax = 3900
)

// meter measures windows of what is heard.
type meter struct {
	size    int // samples
	samples []int16
}

func (m *meter) write(ulaw []byte, report func(level, hz float64)) {
	m.samples = audio.DecodeULaw(m.samples, ulaw)
	for len(m.samples) >= m.size {
		report(Measure(m.samples[:m.size]))
		m.samples = append(m.samples[:0], m.samples[m.size:]...)
	}
}

// Measure returns the level in dBFS and the frequency of the strongest component of samples at 8 kHz; 0 if none stands out or
// it is too quiet. The frequency is exact to about a hundredth of the window's rate (0.1 s: 10 Hz steps, interpolated).
func Measure(samples []int16) (level, hz float64) {
	var power float64
	for _, s := range samples {
		v := float64(s) / math.MaxInt16
		power += v * v
	}
	if power == 0 || len(samples) == 0 {
		return silenceLevel, 0
	}
	level = max(10*math.Log10(power/float64(len(samples))), silenceLevel)
	if level < audibleLevel {
		return level, 0
	}
	step := float64(media.SampleRate) / float64(len(samples))
	best, at := 0.0, 0
	for k := int(math.Ceil(hzMin / step)); float64(k)*step <= hzMax; k++ {
		if p := goertzel(samples, float64(k)*step); p > best {
			best, at = p, k
		}
	}
	// A sine that falls between two bins leaves up to 60 % of its power in others.
	if best < tonal*power*float64(len(samples))/2 {
		return level, 0
	}
	left, right := math.Sqrt(goertzel(samples, float64(at-1)*step)), math.Sqrt(goertzel(samples, float64(at+1)*step))
	offset := right / (right + math.Sqrt(best))
	if left > right {
		offset = -left / (left + math.Sqrt(best))
	}
	return level, (float64(at) + offset) * step
}

// goertzel returns the squared magnitude of one frequency.
func goertzel(samples []int16, hz float64) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	var s1, s2 float64
	for _, s := range samples {
		s1, s2 = float64(s)/math.MaxInt16+c*s1-s2, s1
	}
	return s1*s1 + s2*s2 - c*s1*s2
}

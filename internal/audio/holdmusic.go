package audio

import (
	"math"
	"slices"
	"sync"
)

// The hold piece: eight bars of four beats at 80 beats a minute, 24 s.
const (
	beatSamples  = Rate * 60 / 80
	barSamples   = 4 * beatSamples
	musicBars    = 8
	musicSamples = musicBars * barSamples
	// musicLevel is the piece's loudness in dBFS: below speech, so that announcements over it stand out.
	musicLevel = -24.0
	musicPeak  = -9.0
)

// chord is one bar of harmony in MIDI note numbers: the bass, the pad's voices and the notes the arpeggio walks over.
type chord struct {
	bass int
	pad  [3]int
	arp  [4]int
}

// harmony returns the piece's bars in D major: D, B minor, G, A with added sevenths and ninths, then a second line over F
// sharp and E that leads back to the start. The voices move by step, so that no bar line is heard as a jump.
func harmony() [musicBars]chord {
	return [musicBars]chord{
		{bass: 50, pad: [3]int{57, 61, 66}, arp: [4]int{69, 73, 76, 78}},
		{bass: 47, pad: [3]int{57, 62, 66}, arp: [4]int{69, 74, 76, 78}},
		{bass: 43, pad: [3]int{59, 62, 66}, arp: [4]int{71, 74, 78, 81}},
		{bass: 45, pad: [3]int{59, 61, 64}, arp: [4]int{69, 73, 76, 81}},
		{bass: 54, pad: [3]int{57, 61, 64}, arp: [4]int{69, 73, 76, 81}},
		{bass: 47, pad: [3]int{57, 59, 62}, arp: [4]int{66, 71, 74, 78}},
		{bass: 52, pad: [3]int{55, 59, 62}, arp: [4]int{67, 71, 74, 76}},
		{bass: 45, pad: [3]int{55, 59, 64}, arp: [4]int{67, 71, 76, 79}},
	}
}

// arpeggio is the order in which a bar's eighth notes take the chord's four notes; -1 is a rest. Odd bars breathe.
func arpeggio(bar int) [8]int {
	if bar%2 == 1 {
		return [8]int{0, 1, 2, 3, -1, 2, 1, -1}
	}
	return [8]int{0, 2, 1, 3, 2, 1, 3, 2}
}

var holdMusic = sync.OnceValue(renderHoldMusic)

// HoldMusic returns 24 s of quiet music in µ-law at 8 kHz whose end runs into its beginning without a seam. It is an own
// composition, synthesised at the first call (0.1 to 0.2 s) and then shared: callers must not change it.
func HoldMusic() []byte { return holdMusic() }

func renderHoldMusic() []byte {
	pad, bell := make(ring, musicSamples), make(ring, musicSamples)
	for bar, c := range harmony() {
		at := bar * barSamples
		pad.add(at, voice{note: c.bass, level: 0.5, hold: barSamples, attack: 0.25, release: 0.8, partials: []float64{1, 0.35, 0.12}})
		for i, n := range c.pad {
			// a few cents apart, so that the pad is wide and not an organ
			detune := 1 + 0.0012*float64(i-1)
			pad.add(at, voice{note: n, detune: detune, level: 0.3, hold: barSamples, attack: 0.6, release: 1.1, partials: []float64{1, 0.25, 0.1, 0.03}})
		}
		for i, k := range arpeggio(bar) {
			if k < 0 {
				continue
			}
			accent := 0.3
			if i == 0 {
				accent = 0.38
			}
			bell.add(at+i*beatSamples/2, voice{note: c.arp[k], level: accent, decay: 0.55, attack: 0.006, partials: []float64{1, 0.3, 0.08, 0.04}})
		}
	}
	wet := bell.echo(beatSamples*3/4, 0.35, 4)
	pcm := make([]int16, musicSamples)
	for i := range pcm {
		pcm[i] = clamp(math.Tanh((pad[i]+wet[i])*0.5) * (fullScale - 1))
	}
	Gain(pcm, min(musicLevel-Level(pcm), musicPeak-Peak(pcm)))
	return slices.Clip(EncodeULaw(make([]byte, 0, len(pcm)), pcm))
}

// voice is one note. Times are in seconds, hold in samples.
type voice struct {
	note     int
	detune   float64 // factor of the frequency, 0 for 1
	level    float64
	partials []float64 // amplitudes of the harmonics
	attack   float64
	hold     int     // of a sustained note
	release  float64 // of a sustained note
	decay    float64 // time constant of a struck note; 0 for a sustained one
}

// envelope returns the loudness i samples after the note's start.
func (v voice) envelope(i int) float64 {
	t := float64(i) / Rate
	rise := 1.0
	if t < v.attack {
		rise = 0.5 - 0.5*math.Cos(math.Pi*t/v.attack)
	}
	if v.decay > 0 {
		return rise * math.Exp(-t/v.decay)
	}
	if over := t - float64(v.hold)/Rate; over > 0 {
		return rise * (0.5 + 0.5*math.Cos(math.Pi*min(1, over/v.release)))
	}
	return rise
}

func (v voice) length() int {
	if v.decay > 0 {
		return int(7 * v.decay * Rate) // -60 dB
	}
	return v.hold + int(v.release*Rate)
}

// ring is a loop of sound: what is added past its end comes out at its beginning, which makes it seamless.
type ring []float64

func (r ring) add(at int, v voice) {
	freq := 440 * math.Pow(2, float64(v.note-69)/12)
	if v.detune > 0 {
		freq *= v.detune
	}
	n := v.length()
	for h, amp := range v.partials {
		f := freq * float64(h+1)
		if f > 0.42*Rate {
			break // telephone audio ends at 3,400 Hz
		}
		// each harmonic by the recursion of a rotating phasor: no sine per sample
		step, cur := math.Sincos(2 * math.Pi * f / Rate)
		sin, cos := 0.0, 1.0
		for i := range n {
			r[(at+i)%len(r)] += amp * v.level * v.envelope(i) * sin
			sin, cos = sin*cur+cos*step, cos*cur-sin*step
		}
	}
}

// echo returns the loop with n echoes, each delay samples after the one before and quieter by gain.
func (r ring) echo(delay int, gain float64, n int) ring {
	out := slices.Clone(r)
	g := 1.0
	for k := 1; k <= n; k++ {
		g *= gain
		for i, v := range r {
			out[(i+k*delay)%len(out)] += g * v
		}
	}
	return out
}

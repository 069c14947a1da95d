// Package audio holds what the hub does with sound itself: G.711, WAV files, resampling, levels, tones, spectra and the
// hold music. It knows no network and no codec licence; speech and telephony build on it.
//
// Samples are signed 16-bit linear PCM. Telephone audio is mono, 8,000 samples a second, one byte a sample in µ-law or
// A-law (ITU-T G.711). All functions are safe for concurrent use; none changes its input unless it says so.
package audio

import (
	"math"
	"time"
)

// Rate is the sampling rate of telephone audio, in samples a second.
const Rate = 8000

// PacketSamples is how many samples (and G.711 bytes) 20 ms of telephone audio have: one RTP packet.
const PacketSamples = Rate / 50

// fullScale is the amplitude that 0 dBFS stands for.
const fullScale = 32768

// Clip is linear PCM with its rate.
type Clip struct {
	// Samples are interleaved when Channels is 2: left, right, left, ...
	Samples []int16
	// Rate is in samples a second per channel.
	Rate int
	// Channels is 1 or 2.
	Channels int
}

// Duration returns how long the clip plays; 0 when Rate or Channels is not set.
func (c Clip) Duration() time.Duration {
	if c.Rate <= 0 || c.Channels <= 0 {
		return 0
	}
	frames := int64(len(c.Samples) / c.Channels)
	return time.Duration(frames * int64(time.Second) / int64(c.Rate))
}

// Mono returns the clip with its channels averaged into one. A mono clip comes back as it is, sharing its samples.
func (c Clip) Mono() Clip {
	if c.Channels <= 1 {
		return Clip{Samples: c.Samples, Rate: c.Rate, Channels: 1}
	}
	out := make([]int16, len(c.Samples)/c.Channels)
	for i := range out {
		sum := 0
		for ch := range c.Channels {
			sum += int(c.Samples[i*c.Channels+ch])
		}
		out[i] = int16(sum / c.Channels) //nolint:gosec // an average of int16s is one
	}
	return Clip{Samples: out, Rate: c.Rate, Channels: 1}
}

// Telephone turns a clip into telephone audio: mono, 8 kHz, µ-law. It fails for a rate that Resample refuses.
func (c Clip) Telephone() ([]byte, error) {
	mono := c.Mono()
	pcm, err := Resample(mono.Samples, mono.Rate, Rate)
	if err != nil {
		return nil, err
	}
	return EncodeULaw(make([]byte, 0, len(pcm)), pcm), nil
}

// FromULaw returns telephone audio as a clip.
func FromULaw(ulaw []byte) Clip {
	return Clip{Samples: DecodeULaw(make([]int16, 0, len(ulaw)), ulaw), Rate: Rate, Channels: 1}
}

// ULawDuration returns how long n bytes of telephone audio play.
func ULawDuration(n int) time.Duration { return time.Duration(n) * time.Second / Rate }

// Silence returns d of µ-law silence.
func Silence(d time.Duration) []byte {
	if d <= 0 {
		return nil
	}
	out := make([]byte, int(d*Rate/time.Second))
	for i := range out {
		out[i] = ULawSilence
	}
	return out
}

// Concat joins µ-law clips with gap of silence between two of them; empty clips are left out. The result is a new slice.
func Concat(gap time.Duration, clips ...[]byte) []byte {
	pause := Silence(gap)
	n := 0
	for _, c := range clips {
		n += len(c) + len(pause)
	}
	out := make([]byte, 0, n)
	for _, c := range clips {
		if len(c) == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, pause...)
		}
		out = append(out, c...)
	}
	return out
}

// TrimSilence returns the part of pcm between its first and last sample louder than floor (dBFS, e.g. -50), with keep
// samples left on each side. Pure silence gives an empty slice. The result shares pcm's memory.
func TrimSilence(pcm []int16, floor float64, keep int) []int16 {
	limit := int(Amplitude(floor) * fullScale)
	first, last := -1, -1
	for i, s := range pcm {
		if abs(s) <= limit {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	if first < 0 {
		return nil
	}
	return pcm[max(0, first-keep):min(len(pcm), last+keep+1)]
}

// Amplitude converts decibels to a linear factor: 0 dB is 1, -6.02 dB is 0.5.
func Amplitude(db float64) float64 { return math.Pow(10, db/20) }

// Decibels converts a linear factor to decibels; 0 gives negative infinity.
func Decibels(amplitude float64) float64 { return 20 * math.Log10(amplitude) }

// Gain changes pcm in place by db decibels and clips at full scale.
func Gain(pcm []int16, db float64) {
	f := Amplitude(db)
	for i, s := range pcm {
		pcm[i] = clamp(float64(s) * f)
	}
}

// Level returns the root mean square of pcm in dBFS, where a full-scale square wave is 0 and a full-scale sine -3.01.
// Silence, and an empty slice, give negative infinity.
func Level(pcm []int16) float64 {
	if len(pcm) == 0 {
		return math.Inf(-1)
	}
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return Decibels(math.Sqrt(sum/float64(len(pcm))) / fullScale)
}

// Peak returns the largest magnitude in pcm in dBFS; silence gives negative infinity.
func Peak(pcm []int16) float64 {
	peak := 0
	for _, s := range pcm {
		peak = max(peak, abs(s))
	}
	return Decibels(float64(peak) / fullScale)
}

// Normalize changes pcm in place so that its peak is at db dBFS; silence is left alone.
func Normalize(pcm []int16, db float64) {
	peak := Peak(pcm)
	if !math.IsInf(peak, -1) {
		Gain(pcm, db-peak)
	}
}

func abs(s int16) int {
	if s < 0 {
		return -int(s)
	}
	return int(s)
}

// clamp rounds to the nearest sample value, at most full scale.
func clamp(v float64) int16 {
	return int16(max(math.MinInt16, min(math.MaxInt16, math.RoundToEven(v))))
}

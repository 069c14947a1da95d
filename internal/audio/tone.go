package audio

import (
	"math"
	"math/cmplx"
	"time"
)

// Tone returns d of a sine of the given frequency (Hz) whose peak is at level dBFS, with 5 ms of fade at both ends so
// that it does not click. A frequency at or above half the rate gives silence.
func Tone(freq, level float64, d time.Duration, rate int) []int16 {
	return Tones(level, d, rate, freq)
}

// Tones returns d of several sines at once (dial tones, DTMF), each with its peak at level dBFS, with 5 ms of fade.
func Tones(level float64, d time.Duration, rate int, freqs ...float64) []int16 {
	n := int(int64(d) * int64(rate) / int64(time.Second))
	if n <= 0 {
		return nil
	}
	out := make([]int16, n)
	amp := Amplitude(level) * (fullScale - 1)
	fade := max(1, min(rate/200, n/2))
	for i := range out {
		sum := 0.0
		for _, f := range freqs {
			if f < float64(rate)/2 {
				sum += math.Sin(2 * math.Pi * f * float64(i) / float64(rate))
			}
		}
		edge := min(1, float64(min(i, n-1-i))/float64(fade))
		out[i] = clamp(sum * amp * edge)
	}
	return out
}

// Goertzel returns the amplitude of one frequency (Hz) in pcm as a share of full scale: a full-scale sine of that
// frequency gives 1. The band is about rate/len(pcm) wide.
func Goertzel(pcm []int16, rate int, freq float64) float64 {
	if len(pcm) == 0 || rate <= 0 {
		return 0
	}
	coeff := 2 * math.Cos(2*math.Pi*freq/float64(rate))
	var s1, s2 float64
	for _, s := range pcm {
		s1, s2 = float64(s)+coeff*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - coeff*s1*s2
	return 2 * math.Sqrt(math.Max(0, power)) / (float64(len(pcm)) * fullScale)
}

// maxFFT bounds DominantFrequency's work: 8 s of telephone audio.
const maxFFT = 1 << 16

// DominantFrequency returns the strongest frequency in pcm in Hz and its amplitude as a share of full scale. It looks at
// the largest power of two of samples that pcm has, at most the first 65,536, and interpolates between bins: the error
// for a steady tone of 0.1 s or more is below 1 Hz. Fewer than 16 samples, and silence, give 0, 0.
func DominantFrequency(pcm []int16, rate int) (freq, amplitude float64) {
	n := 16
	for n*2 <= len(pcm) && n < maxFFT {
		n *= 2
	}
	if len(pcm) < n || rate <= 0 {
		return 0, 0
	}
	x := make([]complex128, n)
	for i := range x {
		window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n)) // Hann
		x[i] = complex(float64(pcm[i])*window, 0)
	}
	fft(x)
	best, power := 0, 0.0
	for k := 1; k < n/2; k++ {
		if p := cmplx.Abs(x[k]); p > power {
			best, power = k, p
		}
	}
	if power == 0 {
		return 0, 0
	}
	offset := peakOffset(cmplx.Abs(x[best-1]), power, cmplx.Abs(x[best+1]))
	freq = (float64(best) + offset) * float64(rate) / float64(n)
	return freq, 4 * power / (float64(n) * fullScale) // the Hann window halves, the two-sided spectrum halves again
}

// peakOffset fits a parabola to the logarithms of three neighbouring bins and returns where its top lies, -0.5 to 0.5.
func peakOffset(left, mid, right float64) float64 {
	const tiny = 1e-9
	a, b, c := math.Log(left+tiny), math.Log(mid+tiny), math.Log(right+tiny)
	d := a - 2*b + c
	if d == 0 {
		return 0
	}
	return max(-0.5, min(0.5, 0.5*(a-c)/d))
}

// fft transforms x in place; len(x) must be a power of two.
func fft(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j |= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		step := cmplx.Rect(1, -2*math.Pi/float64(size))
		for start := 0; start < n; start += size {
			butterfly(x[start:start+size], step)
		}
	}
}

func butterfly(x []complex128, step complex128) {
	half := len(x) / 2
	w := complex(1, 0)
	for k := range half {
		a, b := x[k], x[k+half]*w
		x[k], x[k+half] = a+b, a-b
		w *= step
	}
}

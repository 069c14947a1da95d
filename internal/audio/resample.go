package audio

import (
	"fmt"
	"math"
)

// The rates Resample and ReadWAV take, in samples a second.
const (
	MinRate = 4000
	MaxRate = 192000
)

const (
	// zeroCrossings of the sinc on each side: with the window below the transition band is 600 Hz wide at 8 kHz.
	zeroCrossings = 32
	// passband is the cut-off as a share of the lower Nyquist frequency: 3,700 Hz for telephone audio, so that speech up
	// to 3,400 Hz is untouched and everything from 4,000 Hz, which would fold back, is gone.
	passband = 0.925
	// kaiserBeta puts the stop band at about -70 dB, below the noise of G.711.
	kaiserBeta = 7.0
	// maxTaps bounds the memory of the filter (64 MB) when the two rates have no common divisor.
	maxTaps = 8 << 20
)

// Resample converts mono pcm from one rate to another (samples a second) through a windowed-sinc low-pass. The result has
// len(pcm)*to/from samples, rounded up. Equal rates give pcm itself. It fails for rates outside MinRate to MaxRate and
// for pairs of rates without a usable common divisor (48,000 and 47,999).
func Resample(pcm []int16, from, to int) ([]int16, error) {
	for _, r := range []int{from, to} {
		if r < MinRate || r > MaxRate {
			return nil, fmt.Errorf("sampling rate %d is not supported: use %d to %d", r, MinRate, MaxRate)
		}
	}
	if from == to {
		return pcm, nil
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	cutoff := passband * math.Min(1, float64(to)/float64(from))
	half := int(math.Ceil(zeroCrossings / cutoff))
	if up > maxTaps/(2*half) {
		return nil, fmt.Errorf("cannot convert %d to %d samples a second: use a usual rate such as 8000, 16000, 22050, 44100 or 48000", from, to)
	}
	phases := make([][]float64, up)
	out := make([]int16, (len(pcm)*up+down-1)/down)
	for n := range out {
		pos := n * down
		phase, base := pos%up, pos/up-half+1
		if phases[phase] == nil {
			phases[phase] = kernel(float64(phase)/float64(up), cutoff, half)
		}
		out[n] = clamp(convolve(pcm, base, phases[phase]))
	}
	return out, nil
}

// convolve sums taps[k]*pcm[base+k]; samples outside pcm are silence.
func convolve(pcm []int16, base int, taps []float64) float64 {
	lo, hi := max(0, -base), min(len(taps), len(pcm)-base)
	sum := 0.0
	for k := lo; k < hi; k++ {
		sum += taps[k] * float64(pcm[base+k])
	}
	return sum
}

// kernel returns the 2*half filter taps for an output sample that lies frac after input sample half-1, normalised to
// unity gain so that a constant level stays constant in every phase.
func kernel(frac, cutoff float64, half int) []float64 {
	taps := make([]float64, 2*half)
	sum := 0.0
	for k := range taps {
		x := float64(k-half+1) - frac
		taps[k] = sinc(x*cutoff) * kaiser(x/float64(half))
		sum += taps[k]
	}
	for k := range taps {
		taps[k] /= sum
	}
	return taps
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the Kaiser window over -1 to 1.
func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(kaiserBeta*math.Sqrt(1-x*x)) / bessel0(kaiserBeta)
}

// bessel0 is the modified Bessel function of the first kind and order 0, by its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-15; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

package media

import "math"

// Silence is the µ-law code of zero.
const Silence = 0xFF

const (
	ulawBias = 0x84
	ulawClip = 32635
)

// EncodeULaw compresses one linear 16-bit sample (ITU-T G.711, µ-law).
func EncodeULaw(sample int16) byte {
	v := int(sample)
	sign := byte(0)
	if v < 0 {
		v = -v
		sign = 0x80
	}
	v = min(v, ulawClip) + ulawBias
	exponent := 7
	for mask := 0x4000; exponent > 0 && v&mask == 0; mask >>= 1 {
		exponent--
	}
	mantissa := (v >> (exponent + 3)) & 0x0F
	return ^(sign | byte(exponent<<4) | byte(mantissa)) //nolint:gosec // exponent ≤ 7, mantissa ≤ 15
}

// DecodeULaw expands one µ-law code to linear 16 bit.
func DecodeULaw(code byte) int16 {
	code = ^code
	v := (int(code&0x0F)<<3 + ulawBias) << ((code >> 4) & 7)
	v -= ulawBias
	if code&0x80 != 0 {
		v = -v
	}
	return int16(v) //nolint:gosec // |v| ≤ 32124
}

// AppendULaw appends samples, compressed, to dst.
func AppendULaw(dst []byte, samples []int16) []byte {
	for _, s := range samples {
		dst = append(dst, EncodeULaw(s))
	}
	return dst
}

// AppendLinear appends µ-law codes, expanded, to dst.
func AppendLinear(dst []int16, codes []byte) []int16 {
	for _, c := range codes {
		dst = append(dst, DecodeULaw(c))
	}
	return dst
}

// Tone returns a µ-law sine of n samples. level is its peak relative to full scale, 0 to 1. A clip meant to be looped
// should hold whole periods: n·hz divisible by SampleRate.
func Tone(hz, level float64, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		s := level * math.MaxInt16 * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)
		out[i] = EncodeULaw(int16(s))
	}
	return out
}

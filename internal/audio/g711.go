package audio

import (
	"math"
	"math/bits"
)

// The bytes that stand for silence in G.711.
const (
	ULawSilence = 0xFF
	ALawSilence = 0xD5
)

// Lookup tables of ITU-T G.711 (the bit-exact form of G.191, where a negative sample is folded by its one's complement).
// µ-law depends on the upper 14 bits of a sample, A-law on the upper 12; the tables are built once and never written again.
var (
	ulawLinear = buildULawLinear()
	alawLinear = buildALawLinear()
	ulawCode   = buildULawCode()
	alawCode   = buildALawCode()
	ulawToALaw = buildTranscode(&ulawLinear, ALaw)
	alawToULaw = buildTranscode(&alawLinear, ULaw)
)

// ULaw encodes one sample in µ-law.
func ULaw(s int16) byte { return ulawCode[uint16(s)>>2] } //nolint:gosec // the table is indexed by the sample's bits

// ALaw encodes one sample in A-law.
func ALaw(s int16) byte { return alawCode[uint16(s)>>4] } //nolint:gosec // the table is indexed by the sample's bits

// ULawSample decodes one µ-law byte.
func ULawSample(b byte) int16 { return ulawLinear[b] }

// ALawSample decodes one A-law byte.
func ALawSample(b byte) int16 { return alawLinear[b] }

// EncodeULaw appends pcm in µ-law to dst.
func EncodeULaw(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, ULaw(s))
	}
	return dst
}

// EncodeALaw appends pcm in A-law to dst.
func EncodeALaw(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, ALaw(s))
	}
	return dst
}

// DecodeULaw appends the samples of µ-law bytes to dst.
func DecodeULaw(dst []int16, ulaw []byte) []int16 {
	for _, b := range ulaw {
		dst = append(dst, ulawLinear[b])
	}
	return dst
}

// DecodeALaw appends the samples of A-law bytes to dst.
func DecodeALaw(dst []int16, alaw []byte) []int16 {
	for _, b := range alaw {
		dst = append(dst, alawLinear[b])
	}
	return dst
}

// ULawToALaw appends µ-law bytes re-coded in A-law to dst; dst may be ulaw[:0].
func ULawToALaw(dst, ulaw []byte) []byte {
	for _, b := range ulaw {
		dst = append(dst, ulawToALaw[b])
	}
	return dst
}

// ALawToULaw appends A-law bytes re-coded in µ-law to dst; dst may be alaw[:0].
func ALawToULaw(dst, alaw []byte) []byte {
	for _, b := range alaw {
		dst = append(dst, alawToULaw[b])
	}
	return dst
}

// GainULaw returns a copy of µ-law audio made louder by db decibels, or quieter when db is negative; what would be beyond full
// scale is clipped there. Silence stays silence, and 0 dB changes no byte. Each possible byte is computed once, so that a
// clip of any length costs one look-up a byte: use it when a clip is loaded, not while it is played. A gain that is no number counts as 0 dB.
func GainULaw(clip []byte, db float64) []byte {
	out := make([]byte, len(clip))
	if db == 0 || math.IsNaN(db) {
		copy(out, clip)
		return out
	}
	t := ulawGain(db)
	for i, b := range clip {
		out[i] = t[b]
	}
	return out
}

func ulawGain(db float64) (t [256]byte) {
	f := Amplitude(db)
	for i, s := range ulawLinear {
		if s != 0 { // 0 times an infinite factor would be no number
			t[i] = ULaw(clamp(float64(s) * f))
		} else {
			t[i] = byte(i)
		}
	}
	return t
}

func buildULawLinear() (t [256]int16) {
	for i := range t {
		code := ^byte(i)
		segment, mantissa := int(code>>4&7), int(code&15)
		magnitude := (mantissa<<3+0x84)<<segment - 0x84 // 0x84: the bias of 33 in 14-bit units
		if code&0x80 != 0 {
			magnitude = -magnitude
		}
		t[i] = int16(magnitude) //nolint:gosec // at most 32124
	}
	return t
}

func buildALawLinear() (t [256]int16) {
	for i := range t {
		code := byte(i) ^ 0x55
		segment, mantissa := int(code>>4&7), int(code&15)
		magnitude := mantissa<<4 + 8
		if segment > 0 {
			magnitude = (magnitude + 0x100) << (segment - 1)
		}
		if code&0x80 == 0 {
			magnitude = -magnitude
		}
		t[i] = int16(magnitude)
	}
	return t
}

func buildULawCode() (t [1 << 14]byte) {
	for i := range t {
		magnitude, sign := i, byte(0)
		if i >= 1<<13 {
			magnitude, sign = ^(i - 1<<14), 0x80
		}
		magnitude = min(magnitude+33, 0x1FFF)
		segment := bits.Len(uint(magnitude)) - 6
		code := segment<<4 | magnitude>>(segment+1)&15 // the mantissa follows the leading one
		t[i] = ^(sign | byte(code))                    //nolint:gosec // segment is 0 to 7
	}
	return t
}

func buildALawCode() (t [1 << 12]byte) {
	for i := range t {
		magnitude, sign := i, byte(0x80)
		if i >= 1<<11 {
			magnitude, sign = ^(i - 1<<12), 0
		}
		code := magnitude // the two lowest segments are linear
		if segment := bits.Len(uint(magnitude)) - 4; segment > 1 {
			code = segment<<4 | magnitude>>(segment-1)&15
		}
		t[i] = (sign | byte(code)) ^ 0x55 //nolint:gosec // code is below 128
	}
	return t
}

func buildTranscode(linear *[256]int16, encode func(int16) byte) (t [256]byte) {
	for i := range t {
		t[i] = encode(linear[i])
	}
	return t
}

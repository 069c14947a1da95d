package audio

import (
	"math"
	"testing"
	"time"
)

func TestG711KnownValues(t *testing.T) {
	t.Parallel()
	// ITU-T G.711 tables 1a to 2b: the first and last decision levels and the values around zero.
	for b, want := range map[byte]int16{0x00: -32124, 0x80: 32124, 0xFF: 0, 0x7F: 0, 0xFE: 8, 0x7E: -8, 0x8F: 16764, 0xEF: 132} {
		if got := ULawSample(b); got != want {
			t.Errorf("µ-law %#02x decodes to %d, want %d", b, got, want)
		}
	}
	for b, want := range map[byte]int16{0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xD4: 24, 0xC5: 264} {
		if got := ALawSample(b); got != want {
			t.Errorf("A-law %#02x decodes to %d, want %d", b, got, want)
		}
	}
	if ULaw(0) != ULawSilence || ALaw(0) != ALawSilence {
		t.Errorf("silence encodes to %#x and %#x", ULaw(0), ALaw(0))
	}
	if ULaw(math.MaxInt16) != 0x80 || ULaw(math.MinInt16) != 0x00 || ALaw(math.MaxInt16) != 0xAA || ALaw(math.MinInt16) != 0x2A {
		t.Error("full scale does not encode to the outermost codes")
	}
}

func TestG711EveryValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		encode func(int16) byte
		decode func(byte) int16
		clip   int
		twin   int // the code that decodes like another one
	}{{"µ-law", ULaw, ULawSample, 32635, 0x7F}, {"A-law", ALaw, ALawSample, 32767, -1}} {
		for b := range 256 {
			if got := c.encode(c.decode(byte(b))); got != byte(b) && b != c.twin {
				t.Errorf("%s %#02x comes back as %#02x", c.name, b, got)
			}
		}
		last := math.MinInt
		for s := math.MinInt16; s <= math.MaxInt16; s++ {
			v := int(c.decode(c.encode(int16(s))))
			if v < last {
				t.Fatalf("%s is not monotonic at %d", c.name, s)
			}
			last = v
			// half a step: 1/32 of the magnitude, and no more than 8 near zero
			if diff := math.Abs(float64(v - max(-c.clip, min(c.clip, s)))); diff > max(8, math.Abs(float64(s))/31+4) {
				t.Fatalf("%s turns %d into %d", c.name, s, v)
			}
		}
	}
}

func TestG711Slices(t *testing.T) {
	t.Parallel()
	tone := Tone(1004, -10, time.Second, Rate)
	for name, back := range map[string][]int16{
		"µ-law":           DecodeULaw(nil, EncodeULaw(nil, tone)),
		"A-law":           DecodeALaw(nil, EncodeALaw(nil, tone)),
		"µ-law to A-law":  DecodeALaw(nil, ULawToALaw(nil, EncodeULaw(nil, tone))),
		"A-law to µ-law":  DecodeULaw(nil, ALawToULaw(nil, EncodeALaw(nil, tone))),
		"a clip's µ-law":  FromULaw(must(Clip{Samples: tone, Rate: Rate, Channels: 1}.Telephone())).Samples,
		"clip over 16kHz": FromULaw(must(Clip{Samples: Tone(1004, -10, time.Second, 16000), Rate: 16000, Channels: 1}.Telephone())).Samples,
	} {
		noise, signal := 0.0, 0.0
		for i := range back {
			signal += float64(tone[i]) * float64(tone[i])
			noise += math.Pow(float64(tone[i]-back[i]), 2)
		}
		if snr := 10 * math.Log10(signal/noise); snr < 30 {
			t.Errorf("%s: %.1f dB of signal to noise, want 30 or more", name, snr)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestResample(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to int
		freq     float64
		want     float64 // dB of change
	}{
		{16000, 8000, 300, 0},
		{16000, 8000, 3400, 0},
		{22050, 8000, 1000, 0},
		{44100, 8000, 3000, 0},
		{48000, 8000, 440, 0},
		{8000, 16000, 3000, 0},
		{11025, 8000, 2000, 0},
		{16000, 8000, 4100, -60},
		{16000, 8000, 6000, -60},
		{48000, 8000, 15000, -60},
		{44100, 8000, 4500, -60},
	} {
		in := Tone(c.freq, -6, time.Second, c.from)
		out, err := Resample(in, c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != c.to {
			t.Errorf("%d to %d: %d samples a second", c.from, c.to, len(out))
		}
		mid := out[len(out)/8 : len(out)*7/8]
		change := Level(mid) - Level(in[len(in)/8:len(in)*7/8])
		switch {
		case c.want == 0 && math.Abs(change) > 0.2, c.want < 0 && change > c.want:
			t.Errorf("%d to %d changes %g Hz by %.2f dB, want %g", c.from, c.to, c.freq, change, c.want)
		}
		if c.want < 0 {
			continue
		}
		if f, _ := DominantFrequency(mid, c.to); math.Abs(f-c.freq) > 1 {
			t.Errorf("%d to %d moves %g Hz to %.1f", c.from, c.to, c.freq, f)
		}
		if d := math.Abs(float64(peakAt(in))/float64(c.from) - float64(peakAt(out))/float64(c.to)); d > 0.01 {
			t.Errorf("%d to %d shifts the sound by %.3f s", c.from, c.to, d)
		}
	}
}

// peakAt returns where a tone starts to be at full level.
func peakAt(pcm []int16) int {
	for i, s := range pcm {
		if abs(s) > 14000 {
			return i
		}
	}
	return -1
}

func TestResampleRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{0, 8000}, {8000, 0}, {-1, 8000}, {3999, 8000}, {8000, 192001}, {191999, 191998}} {
		if _, err := Resample(make([]int16, 10), c[0], c[1]); err == nil {
			t.Errorf("%d to %d is accepted", c[0], c[1])
		}
	}
	if out, err := Resample(nil, 44100, 8000); err != nil || len(out) != 0 {
		t.Errorf("no samples give %d, %v", len(out), err)
	}
}

func TestToneFrequencies(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{60, 440, 697, 1004.5, 1633, 3333} {
		pcm := Tone(f, -12, 300*time.Millisecond, Rate)
		got, amp := DominantFrequency(pcm, Rate)
		if math.Abs(got-f) > 1.5 {
			t.Errorf("%g Hz is found at %.2f", f, got)
		}
		if db := Decibels(amp); math.Abs(db+12) > 2 {
			t.Errorf("%g Hz at -12 dBFS is found at %.1f", f, db)
		}
		if db := Decibels(Goertzel(pcm, Rate, f)); math.Abs(db+12) > 1 {
			t.Errorf("Goertzel finds %g Hz at %.1f dBFS", f, db)
		}
		if db := Decibels(Goertzel(pcm, Rate, f+200)); db > -45 {
			t.Errorf("Goertzel finds %g Hz beside at %.1f dBFS", f, db)
		}
	}
	if f, a := DominantFrequency(make([]int16, 4000), Rate); f != 0 || a != 0 {
		t.Errorf("silence has %g Hz at %g", f, a)
	}
	two := Tones(-20, time.Second, Rate, 770, 1336)
	for _, f := range []float64{770, 1336} {
		if db := Decibels(Goertzel(two, Rate, f)); math.Abs(db+20) > 0.5 {
			t.Errorf("the %g Hz part is at %.1f dBFS", f, db)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	pcm := Tone(1000, 0, time.Second, Rate)
	if l := Level(pcm); math.Abs(l+3.05) > 0.1 {
		t.Errorf("a full-scale sine has %.2f dBFS", l)
	}
	Gain(pcm, -20)
	if p := Peak(pcm); math.Abs(p+20) > 0.1 {
		t.Errorf("peak after -20 dB: %.2f", p)
	}
	Gain(pcm, 100)
	if p := Peak(pcm); p > 0 {
		t.Errorf("clipping exceeds full scale: %.2f", p)
	}
	Normalize(pcm, -6)
	if p := Peak(pcm); math.Abs(p+6) > 0.1 {
		t.Errorf("peak after normalising: %.2f", p)
	}
	silence := make([]int16, 10)
	Normalize(silence, -6)
	if !math.IsInf(Level(silence), -1) || !math.IsInf(Level(nil), -1) {
		t.Error("silence has a level")
	}
}

func TestConcatAndTrim(t *testing.T) {
	t.Parallel()
	a, b := []byte{1, 2}, []byte{3}
	got := Concat(time.Millisecond, a, nil, b)
	if len(got) != 2+8+1 || got[0] != 1 || got[2] != ULawSilence || got[10] != 3 {
		t.Errorf("joined to %v", got)
	}
	if got := Concat(time.Second); len(got) != 0 {
		t.Errorf("nothing joined to %d bytes", len(got))
	}
	if d := ULawDuration(len(Silence(1500 * time.Millisecond))); d != 1500*time.Millisecond {
		t.Errorf("silence plays %v", d)
	}
	pcm := append(append(make([]int16, 100), 9000, 0, -9000), make([]int16, 50)...)
	if got := TrimSilence(pcm, -50, 2); len(got) != 7 || got[2] != 9000 {
		t.Errorf("trimmed to %v", got)
	}
	if got := TrimSilence(make([]int16, 9), -50, 2); got != nil {
		t.Errorf("silence trimmed to %v", got)
	}
	stereo := Clip{Samples: []int16{10, 20, math.MaxInt16, math.MaxInt16}, Rate: Rate, Channels: 2}
	if m := stereo.Mono(); m.Samples[0] != 15 || m.Samples[1] != math.MaxInt16 || m.Duration() != stereo.Duration() {
		t.Errorf("mono is %+v", m)
	}
}

func TestHoldMusic(t *testing.T) {
	t.Parallel()
	music := HoldMusic()
	if d := ULawDuration(len(music)); d != 24*time.Second {
		t.Fatalf("it plays %v", d)
	}
	pcm := FromULaw(music).Samples
	if l := Level(pcm); l < -28 || l > -22 {
		t.Errorf("level %.1f dBFS", l)
	}
	if p := Peak(pcm); p > -6 {
		t.Errorf("peak %.1f dBFS", p)
	}
	for at := 0; at+Rate/2 <= len(pcm); at += Rate / 2 {
		if l := Level(pcm[at : at+Rate/2]); l < -36 || l > -16 {
			t.Errorf("at %v the level is %.1f dBFS", ULawDuration(at), l)
		}
	}
	// Seamless: the step over the seam is an ordinary one.
	largest := 0
	for i := 1; i < len(pcm); i++ {
		largest = max(largest, step(pcm[i-1], pcm[i]))
	}
	if s := step(pcm[len(pcm)-1], pcm[0]); s > largest/2 {
		t.Errorf("the seam jumps by %d, the largest step inside is %d", s, largest)
	}
	// In tune: the first bar's strongest note belongs to its chord (pitch classes D, A, C sharp, F sharp, E).
	f, _ := DominantFrequency(pcm[Rate:3*Rate], Rate)
	class := int(math.Round(69+12*math.Log2(f/440))) % 12
	if class != 2 && class != 9 && class != 1 && class != 6 && class != 4 {
		t.Errorf("the first bar sounds at %.1f Hz, pitch class %d", f, class)
	}
}

func step(a, b int16) int { return int(math.Abs(float64(a) - float64(b))) }

func BenchmarkHoldMusic(b *testing.B) {
	for b.Loop() {
		renderHoldMusic()
	}
}

func BenchmarkResample16to8(b *testing.B) {
	in := Tone(440, -6, time.Second, 16000)
	for b.Loop() {
		_, _ = Resample(in, 16000, 8000)
	}
}

func BenchmarkEncodeULaw(b *testing.B) {
	in, out := Tone(440, -6, 20*time.Millisecond, Rate), make([]byte, 0, PacketSamples)
	for b.Loop() {
		EncodeULaw(out, in)
	}
}

package audio

import (
	"bytes"
	"math"
	"testing"
	"time"
)

func TestGainULawLevels(t *testing.T) {
	t.Parallel()
	clip := EncodeULaw(nil, Tone(440, -20, time.Second, Rate))
	before := Level(DecodeULaw(nil, clip))
	original := bytes.Clone(clip)
	for _, db := range []float64{-20, -6, -1, 3, 6, 16} {
		out := GainULaw(clip, db)
		// µ-law keeps 38 dB of distance to its own noise: the level is off by far less than a quarter of a decibel.
		if got := Level(DecodeULaw(nil, out)) - before; math.Abs(got-db) > 0.25 {
			t.Errorf("%v dB made it louder by %.2f", db, got)
		}
		if len(out) != len(clip) {
			t.Errorf("%v dB: %d bytes of %d", db, len(out), len(clip))
		}
	}
	if !bytes.Equal(clip, original) {
		t.Error("the clip was changed in place")
	}
}

func TestGainULawEveryByte(t *testing.T) {
	t.Parallel()
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	for _, db := range []float64{0, math.NaN()} {
		if out := GainULaw(all, db); !bytes.Equal(out, all) {
			t.Errorf("%v dB changed something", db)
		}
	}
	for _, db := range []float64{-96, -10, 10, 96, math.Inf(1), math.Inf(-1)} {
		for i, b := range GainULaw(all, db) {
			was, is := int(ULawSample(byte(i))), int(ULawSample(b))
			switch {
			case was == 0 && is != 0:
				t.Errorf("%v dB: silence %#x became %d", db, i, is)
			case was*is < 0:
				t.Errorf("%v dB: %d became %d", db, was, is)
			case db > 0 && max(was, -was) > max(is, -is), db < 0 && max(was, -was) < max(is, -is):
				t.Errorf("%v dB: %d became %d", db, was, is)
			}
		}
	}
	if out := GainULaw([]byte{ULaw(20000), ULaw(-20000)}, 40); out[0] != ULaw(math.MaxInt16) || out[1] != ULaw(math.MinInt16) {
		t.Errorf("full scale is not kept: %x", out)
	}
	if out := GainULaw(nil, 6); len(out) != 0 {
		t.Errorf("nothing became %x", out)
	}
}

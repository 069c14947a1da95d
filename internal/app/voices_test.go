package app

import (
	"testing"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/errs"
)

func TestVoices(t *testing.T) {
	v, err := newVoices(map[string]string{"Lupe": "AWB", "Joanna": "kal"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"": "", "slt": "slt", "RMS": "rms", "Matthew": "rms", " Amy ": "slt", "Joanna": "kal", "lupe": "awb", "Zeynep": "",
		"en-US-Standard-C": "slt", "en-US-Wavenet-D": "rms", "en-GB-Neural2-A": "slt", "de-DE-Standard-A": "", "en-US-Standard-Z": "",
	} {
		if got := v.find(name); got != want {
			t.Errorf("voice %q is spoken by %q, want %q", name, got, want)
		}
	}
	if _, err := newVoices(map[string]string{"Joanna": "nobody"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("an unknown voice of ours: %v", err)
	}
}

func TestLouder(t *testing.T) {
	clip := audio.EncodeULaw(nil, audio.Tone(440, -20, 1e8, audio.Rate))
	level := func(clip []byte) float64 { return audio.Level(audio.DecodeULaw(nil, clip)) }
	was := level(clip)
	for db, want := range map[float64]float64{6: 6, -12: -12, 400: 16} {
		if got := level(louder(clip, db)) - was; got < want-1.5 || got > want+0.5 {
			t.Errorf("%g dB change the level by %.1f dB, want about %g", db, got, want)
		}
	}
}

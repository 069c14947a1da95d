package app

import (
	"testing"

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

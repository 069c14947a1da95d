package flite

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/speech"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	head := []string{"flite", "-voice", "slt", "-o", "/out/speech.wav"}
	for _, c := range []struct {
		t    speech.Text
		v    speech.Voice
		want []string
	}{
		{speech.Text{Text: "Hello."}, speech.Voice{}, append(slices.Clone(head), "-t", "Hello.")},
		{speech.Text{Text: "-o /x --help 1", Language: "EN-us"}, speech.Voice{}, append(slices.Clone(head), "-t", "-o /x --help 1")},
		{speech.Text{Text: "Hi"}, speech.Voice{Name: "rms", Pace: 2, Pitch: 12}, []string{
			"flite", "-voice", "rms", "-o", "/out/speech.wav", "--setf", "duration_stretch=0.5000", "--setf", "f0_shift=2.0000", "-t", "Hi",
		}},
	} {
		got, err := arguments(c.t, c.v)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
	}
	nan := 0.0
	nan /= nan
	for _, c := range []struct {
		t speech.Text
		v speech.Voice
	}{
		{speech.Text{Text: "Bonjour", Language: "fr-FR"}, speech.Voice{}},
		{speech.Text{Text: "Hello"}, speech.Voice{Name: "awb_time"}},
		{speech.Text{Text: "Hello"}, speech.Voice{Name: "../slt"}},
		{speech.Text{Text: "Hello"}, speech.Voice{Pace: 0.4}},
		{speech.Text{Text: "Hello"}, speech.Voice{Pace: nan}},
		{speech.Text{Text: "Hello"}, speech.Voice{Pitch: 13}},
		{speech.Text{Text: ""}, speech.Voice{}},
		{speech.Text{Text: "お待ちください"}, speech.Voice{}},
		{speech.Text{Text: strings.Repeat("word ", 200)}, speech.Voice{}},
	} {
		if _, err := arguments(c.t, c.v); !errs.Is(err, errs.Invalid) {
			t.Errorf("%.20q %+v gives %v", c.t, c.v, err)
		}
	}
}

func TestASCII(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"María López – “Straße”": `Maria Lopez , "Strasse"`,
		"It’s 5€":                "It's 5 euros",
		"a\tb\x00c\x7fd":         "a b c d",
		"Øre, æon, ﬁve":          "ore, aeon, five",
		"日本 abc":                 "abc",
	} {
		if got := ascii(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func FuzzASCII(f *testing.F) {
	f.Add("María – ﬁ \xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range ascii(text) {
			if r < ' ' || r > '~' {
				t.Errorf("%q leaves %q", text, r)
			}
		}
	})
}

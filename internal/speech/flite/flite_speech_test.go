//go:build flite

package flite

import (
	"context"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/speech"
)

// started starts a synthesizer for one test.
func started(t testing.TB) *Synthesizer {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

const sentence = "My name is Maria Lopez and I want to cancel order four five six seven because it arrived broken."

func TestSpeakEveryVoice(t *testing.T) {
	s := started(t)
	for _, name := range Voices() {
		a, err := s.Speak(t.Context(), speech.Text{Text: sentence, Language: "en-GB"}, speech.Voice{Name: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := a.Duration(); d < 3*time.Second || d > 10*time.Second {
			t.Errorf("%s: %v of speech for 19 words", name, d)
		}
		if level := audio.Level(a.PCM); level < -40 || level > -5 {
			t.Errorf("%s: level %.1f dBFS", name, level)
		}
		t.Logf("%s: %v at %d, %.1f dBFS", name, a.Duration(), a.Rate, audio.Level(a.PCM))
	}
}

func TestSpeakPaceAndPitch(t *testing.T) {
	s := started(t)
	speak := func(v speech.Voice) speech.Audio {
		a, err := s.Speak(t.Context(), speech.Text{Text: sentence}, v)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	plain, fast := speak(speech.Voice{}), speak(speech.Voice{Pace: 1.5})
	if ratio := float64(plain.Duration()) / float64(fast.Duration()); ratio < 1.3 || ratio > 1.7 {
		t.Errorf("pace 1.5 made speech %.2f times as fast", ratio)
	}
	for _, name := range Voices() {
		if name == "rms" {
			continue // has one pitch
		}
		natural, raised := speak(speech.Voice{Name: name}), speak(speech.Voice{Name: name, Pitch: 4})
		low, high := fundamental(natural), fundamental(raised)
		t.Logf("%s: %.0f Hz, four semitones up %.0f Hz", name, low, high)
		if ratio := high / low; math.Abs(ratio-semitones(4)) > 0.1 {
			t.Errorf("%s: four semitones up made the pitch %.2f times as high", name, ratio)
		}
	}
}

// fundamental estimates the median pitch by the normalised autocorrelation of voiced 40 ms frames.
func fundamental(a speech.Audio) float64 {
	size := a.Rate / 25
	var found []float64
	for at := 0; at+2*size < len(a.PCM); at += size {
		frame := a.PCM[at : at+2*size]
		if audio.Level(frame[:size]) < -30 {
			continue
		}
		best, lag := 0.0, 0
		for l := a.Rate / 400; l < a.Rate/60; l++ {
			if c := similarity(frame[:size], frame[l:l+size]); c > best+0.02 {
				best, lag = c, l
			}
		}
		if best > 0.7 {
			found = append(found, float64(a.Rate)/float64(lag))
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return 0
	}
	return found[len(found)/2]
}

func similarity(a, b []int16) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb+1)
}

func TestSpeakStops(t *testing.T) {
	s := started(t)
	if _, err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err := s.Speak(ctx, speech.Text{Text: strings.Repeat("one two three four five ", 24)}, speech.Voice{Pace: 0.5})
	if !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if len(s.slots) != 1 {
		t.Error("Speak waited for the run, which takes more than a second")
	}
}

func TestSpeakConcurrently(t *testing.T) {
	s := started(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			a, err := s.Speak(t.Context(), speech.Text{Text: "Please hold the line."}, speech.Voice{Name: "rms"})
			if err != nil || a.Duration() < 500*time.Millisecond {
				t.Errorf("got %v, %v", a.Duration(), err)
			}
		})
	}
	wg.Wait()
}

func TestServiceOverFlite(t *testing.T) {
	s := started(t)
	svc, err := speech.New(speech.Options{Synthesizer: s, Engine: Version})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	clip, err := svc.Say(t.Context(), speech.Prompt{Fragments: []speech.Fragment{
		{Text: "Hello"}, {Text: "María López", Personal: true}, {Text: "you are number 3 in the queue."},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := audio.ULawDuration(len(clip)); d < 2*time.Second || d > 8*time.Second {
		t.Errorf("the prompt plays %v", d)
	}
	if level := audio.Level(audio.FromULaw(clip).Samples); level < -26 || level > -16 {
		t.Errorf("level %.1f dBFS, want about -20", level)
	}
}

// TestUtterancesAreAlone checks that nothing of one utterance is left in the memory that the next one gets.
func TestUtterancesAreAlone(t *testing.T) {
	s := started(t)
	speak := func(text string) []int16 {
		a, err := s.Speak(t.Context(), speech.Text{Text: text}, speech.Voice{})
		if err != nil {
			t.Fatal(err)
		}
		return a.PCM
	}
	first := speak("Please hold the line.")
	speak(sentence + " " + sentence)
	if again := speak("Please hold the line."); !slices.Equal(first, again) {
		t.Error("the same text sounds different after another one")
	}
}

func TestLicence(t *testing.T) {
	if !strings.Contains(Licence(), "Carnegie Mellon University") {
		t.Error("the licence is missing")
	}
}

func TestCompilationCache(t *testing.T) {
	dir := t.TempDir()
	var took [2]time.Duration
	var files [2]map[string]time.Time
	for i := range took {
		s, err := New(Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if took[i], err = s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		files[i] = map[string]time.Time{}
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Size() > 1<<20 {
				files[i][path] = info.ModTime()
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("compiled in %v, from the cache in %v", took[0], took[1])
	if len(files[0]) == 0 || !maps.Equal(files[0], files[1]) {
		t.Errorf("the compiled module was not kept, or was made again: %v, then %v", files[0], files[1])
	}
}

func TestDamagedCache(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"damaged files": func(dir string) error {
			return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				return os.WriteFile(path, []byte("WAZEVO\x06damaged"), 0o600)
			})
		},
		"no folder": func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		for i := range 2 {
			s, err := New(Options{CacheDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if a, err := s.Speak(t.Context(), speech.Text{Text: "Hello."}, speech.Voice{}); err != nil || len(a.PCM) == 0 {
				t.Errorf("%s, start %d: %v", name, i, err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkSpeak(b *testing.B) {
	s := started(b)
	if _, err := s.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	var sound time.Duration
	b.ReportAllocs()
	for b.Loop() {
		a, err := s.Speak(b.Context(), speech.Text{Text: sentence}, speech.Voice{})
		if err != nil {
			b.Fatal(err)
		}
		sound += a.Duration()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(sound.Seconds()/b.Elapsed().Seconds(), "x-realtime")
	b.ReportMetric(float64(m.Sys)/(1<<20), "MB-sys")
}

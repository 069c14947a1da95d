package speech

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
)

// Fake is a Synthesizer for tests. It speaks every text as a tone whose pitch is FakeFrequency(text), so that a test can
// tell from the sound on a line which prompt was played. The zero value works; set the fields before the first Speak.
type Fake struct {
	// Rate of the sound; 16,000 when zero.
	Rate int
	// PerRune is how long each character lasts; 20 ms when zero.
	PerRune time.Duration
	// Script has fixed sounds for some texts.
	Script map[string]Audio
	// Errors has the errors that some texts fail with.
	Errors map[string]error
	// Gate, when set, is received from before each text is spoken; close it to let all through.
	Gate chan struct{}

	mu    sync.Mutex // guards calls
	calls []Text
}

// Speak returns the tone of a text, its scripted sound or its scripted error.
func (f *Fake) Speak(ctx context.Context, t Text, v Voice) (Audio, error) {
	f.mu.Lock()
	f.calls = append(f.calls, t)
	f.mu.Unlock()
	if f.Gate != nil {
		select {
		case <-f.Gate:
		case <-ctx.Done():
			return Audio{}, context.Cause(ctx)
		}
	}
	if err := f.Errors[t.Text]; err != nil {
		return Audio{}, err
	}
	if a, ok := f.Script[t.Text]; ok {
		return a, nil
	}
	rate, per := orDefault(f.Rate, 16000), orDefault(f.PerRune, 20*time.Millisecond)
	d := time.Duration(len([]rune(t.Text))) * per
	if v.Pace > 0 {
		d = time.Duration(float64(d) / v.Pace)
	}
	return Audio{PCM: audio.Tone(FakeFrequency(t.Text), -12, d, rate), Rate: rate}, nil
}

// Calls returns the texts spoken so far, in order.
func (f *Fake) Calls() []Text {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// FakeFrequency returns the pitch that Fake gives a text: 400 to 2,400 Hz in steps of 20.
func FakeFrequency(text string) float64 {
	sum := uint32(2166136261) // FNV-1a
	for _, b := range []byte(text) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return 400 + 20*float64(sum%101)
}

package speech

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a Cache in a map.
type store struct {
	mu    sync.Mutex
	clips map[string][]byte
}

func (s *store) Get(_ context.Context, key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.clips[key]
	return c, ok
}

func (s *store) Put(_ context.Context, key string, ulaw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clips == nil {
		s.clips = map[string][]byte{}
	}
	s.clips[key] = ulaw
}

func service(t *testing.T, o Options) *Service {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func texts(f *Fake) []string {
	var out []string
	for _, c := range f.Calls() {
		out = append(out, c.Text)
	}
	return out
}

func TestSay(t *testing.T) {
	t.Parallel()
	f := &Fake{}
	s := service(t, Options{Synthesizer: f, Concurrency: 1})
	clip, err := s.Say(t.Context(), Plain("Welcome to the company."))
	if err != nil {
		t.Fatal(err)
	}
	pcm := audio.FromULaw(clip).Samples
	if got, _ := audio.DominantFrequency(pcm, audio.Rate); math.Abs(got-FakeFrequency("Welcome to the company.")) > 2 {
		t.Errorf("it sounds at %.1f Hz, want %.0f", got, FakeFrequency("Welcome to the company."))
	}
	if l := audio.Level(pcm); math.Abs(l-speechLevel) > 0.5 {
		t.Errorf("level %.1f dBFS", l)
	}
	if d := audio.ULawDuration(len(clip)); d < 400*time.Millisecond || d > 500*time.Millisecond {
		t.Errorf("it plays %v", d)
	}
	clip[0] ^= 0xFF // the slice is the caller's: the cache must not see this
	again, err := s.Say(t.Context(), Plain("Welcome to the company."))
	if err != nil || again[0] == clip[0] || len(f.Calls()) != 1 {
		t.Errorf("%v after %d syntheses", err, len(f.Calls()))
	}
}

func TestFragments(t *testing.T) {
	t.Parallel()
	f, st := &Fake{}, &store{}
	s := service(t, Options{Synthesizer: f, Cache: st, Concurrency: 1})
	say := func(name string) []byte {
		clip, err := s.Say(t.Context(), Prompt{Fragments: []Fragment{
			{Text: "Hello"}, {Text: name, Personal: true}, {Text: "Please hold. An agent, or two, will help."},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return clip
	}
	maria, bob := say("Maria"), say("Bob")
	if d := cmp.Diff([]string{"Hello", "Maria", "Please hold.", "An agent, or two, will help.", "Bob"}, texts(f)); d != "" {
		t.Errorf("spoken: %s", d)
	}
	if len(maria) <= len(bob) {
		t.Errorf("%d and %d bytes", len(maria), len(bob))
	}
	s.Close()
	if len(st.clips) != 3 {
		t.Errorf("%d clips are stored, want the three fixed ones", len(st.clips))
	}
	for key := range st.clips {
		if len(key) != 64 || strings.Contains(key, "Hello") {
			t.Errorf("key %q", key)
		}
	}
}

func TestCacheAcrossServices(t *testing.T) {
	t.Parallel()
	st := &store{}
	key := []byte("0123456789abcdef")
	for i, c := range []struct {
		o      Options
		p      Prompt
		spoken int
	}{
		{Options{Key: key}, Plain("Hello."), 1},
		{Options{Key: key}, Plain("Hello."), 0},
		{Options{Key: key}, Plain("  Hello.\n"), 0},
		{Options{Key: key, Engine: "v2"}, Plain("Hello."), 1},
		{Options{Key: []byte("another key 0123")}, Plain("Hello."), 1},
		{Options{Key: key}, Prompt{Fragments: Plain("Hello.").Fragments, Voice: Voice{Name: "rms"}}, 1},
		{Options{Key: key}, Prompt{Fragments: Plain("Hello.").Fragments, Voice: Voice{Pace: 1.5}}, 1},
		{Options{Key: key}, Prompt{Fragments: Plain("Hello.").Fragments, Voice: Voice{Pitch: 2}}, 1},
		{Options{Key: key}, Prompt{Fragments: Plain("Hello.").Fragments, Language: "en-GB"}, 1},
		{Options{Key: key}, Prompt{Fragments: Plain("Hello.").Fragments, Language: "EN-gb"}, 0},
	} {
		f := &Fake{}
		c.o.Synthesizer, c.o.Cache = f, st
		s := service(t, c.o)
		if _, err := s.Say(t.Context(), c.p); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if len(f.Calls()) != c.spoken {
			t.Errorf("row %d: spoken %d times, want %d", i, len(f.Calls()), c.spoken)
		}
	}
}

func TestIdenticalRequestsAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &Fake{Gate: make(chan struct{})}
		s := service(t, Options{Synthesizer: f})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if clip, err := s.Say(t.Context(), Plain("Hello.")); err != nil || len(clip) == 0 {
					t.Errorf("%d bytes, %v", len(clip), err)
				}
			})
		}
		synctest.Wait()
		close(f.Gate)
		wg.Wait()
		if len(f.Calls()) != 1 {
			t.Errorf("spoken %d times", len(f.Calls()))
		}
	})
}

func TestOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &Fake{Gate: make(chan struct{})}
		s := service(t, Options{Synthesizer: f, Concurrency: 2, Queue: 3, Timeout: time.Minute})
		results := make(chan error, 10)
		for text := range strings.SplitSeq("abcdefg", "") {
			go func() {
				_, err := s.Say(t.Context(), Plain("prompt "+text))
				results <- err
			}()
		}
		synctest.Wait()
		if st := s.Stats(); st.Waiting != 3 || st.Refused != 2 || len(f.Calls()) != 2 {
			t.Errorf("%+v with %d running", st, len(f.Calls()))
		}
		for range 2 {
			if err := <-results; !errs.Is(err, errs.Exhausted) {
				t.Errorf("got %v", err)
			}
		}
		close(f.Gate)
		for range 5 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCallerDoesNotWaitLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &Fake{Gate: make(chan struct{})}
		s := service(t, Options{Synthesizer: f, Timeout: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := s.Say(ctx, Plain("Hello."))
		if !errs.Is(err, errs.Unavailable) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		close(f.Gate) // the synthesis goes on, for the next caller
		synctest.Wait()
		if _, err := s.Say(t.Context(), Plain("Hello.")); err != nil || len(f.Calls()) != 1 {
			t.Errorf("%v after %d syntheses", err, len(f.Calls()))
		}
	})
	synctest.Test(t, func(t *testing.T) { // a synthesizer that hangs
		s := service(t, Options{Synthesizer: &Fake{Gate: make(chan struct{})}, Timeout: 3 * time.Second})
		began := time.Now()
		if _, err := s.Say(t.Context(), Plain("Hello.")); !errs.Is(err, errs.Unavailable) || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestSayErrors(t *testing.T) {
	t.Parallel()
	f := &Fake{
		Errors: map[string]error{"bad": errs.New(errs.Invalid, "no"), "odd": errors.New("odd")},
		Script: map[string]Audio{"rate": {PCM: make([]int16, 10), Rate: 1}, "silent": {PCM: make([]int16, 800), Rate: 8000}},
	}
	s := service(t, Options{Synthesizer: f, MaxText: 100})
	for text, code := range map[string]errs.Code{
		"bad": errs.Invalid, "odd": errs.Unavailable, "rate": errs.Internal, strings.Repeat("ä", 101): errs.Invalid,
	} {
		if _, err := s.Say(t.Context(), Plain(text)); !errs.Is(err, code) || strings.Contains(err.Error(), "ää") {
			t.Errorf("%.10s: got %v, want %s", text, err, code)
		}
	}
	for _, text := range []string{"", " \n", "...", "silent"} {
		if clip, err := s.Say(t.Context(), Plain(text)); err != nil || len(clip) != 0 {
			t.Errorf("%q gives %d bytes, %v", text, len(clip), err)
		}
	}
	if _, err := s.Say(t.Context(), Prompt{Fragments: make([]Fragment, 201)}); !errs.Is(err, errs.Invalid) {
		t.Errorf("201 fragments: %v", err)
	}
	if _, err := service(t, Options{}).Say(t.Context(), Plain("Hello.")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("without a synthesizer: %v", err)
	}
	s.Close()
	if _, err := s.Say(t.Context(), Plain("too late")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
	for _, o := range []Options{{Key: []byte("short")}, {Queue: -1}} {
		if _, err := New(o); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v gives %v", o, err)
		}
	}
}

func TestMemoryBound(t *testing.T) {
	t.Parallel()
	m := newMemory(10000)
	for i := range 100 {
		m.put(string(rune('A'+i)), make([]byte, 500))
		m.get("A") // stays in use
		if m.size() > 10000 {
			t.Fatalf("%d bytes", m.size())
		}
	}
	if _, ok := m.get("A"); !ok {
		t.Error("the one in use was dropped")
	}
	if _, ok := m.get("B"); ok {
		t.Error("the least used one was kept")
	}
	before := m.size()
	m.put("large", make([]byte, 2000))
	m.put("A", make([]byte, 500))
	if m.size() != before {
		t.Errorf("%d bytes, then %d", before, m.size())
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                   nil,
		"  \t ... !":                         nil,
		"Hello.":                             {"Hello."},
		"Hello. How are you? Fine!":          {"Hello.", "How are you?", "Fine!"},
		"Dr. Smith and J. Doe called.":       {"Dr. Smith and J. Doe called."},
		"It costs 3.50 today. Yes.":          {"It costs 3.50 today.", "Yes."},
		`He said "stop." Then he left.`:      {`He said "stop."`, "Then he left."},
		"Wait... what?! Really":              {"Wait...", "what?!", "Really"},
		"one two three four five six":        {"one two three", "four five six"},
		"one two, three four five":           {"one two,", "three four five"},
		"abcdefghijklmnopqrstuvwxyz":         {"abcdefghijklmno", "pqrstuvwxyz"},
		"line\none\u0000two":                 {"line one two"},
		"お待ちください。 次の方。":                      {"お待ちください。", "次の方。"},
		"Press 1 for sales. Press 2 for us.": {"Press 1 for", "sales.", "Press 2 for us."},
	} {
		limit := 300
		if !strings.ContainsAny(text, ".!。") || strings.HasPrefix(text, "Press") {
			limit = 15
		}
		got := Split(text, limit)
		if len(got) == 0 {
			got = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Hello. How are you?", 10)
	f.Add("Mr. X... \"what?\" a,b, c", 3)
	f.Add("\xff\xfe.", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		letters := func(s string) string {
			return strings.Map(func(r rune) rune {
				if spoken(r) {
					return r
				}
				return -1
			}, s)
		}
		parts := Split(text, limit)
		for _, p := range parts {
			if n := len([]rune(p)); n > max(limit, 1) {
				t.Errorf("a part of %d characters, at most %d", n, limit)
			}
		}
		if letters(strings.Join(parts, "")) != letters(text) {
			t.Errorf("%q lost letters: %q", text, parts)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := service(t, Options{Synthesizer: &Fake{}})
	reg := telemetry.NewRegistry("test")
	s.Register(reg)
	for range 2 {
		if _, err := s.Say(t.Context(), Plain("Hello.")); err != nil {
			t.Fatal(err)
		}
	}
	rec := httptest.NewRecorder()
	reg.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"tandem_speech_synthesized_total 1", "tandem_speech_memory_hits_total 1", "tandem_speech_waiting 0"} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

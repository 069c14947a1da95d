package speech

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/errs"
)

// Options build a Service. Zero values mean the defaults named at each field.
type Options struct {
	// Synthesizer makes the speech; nil makes every Say fail with Unavailable, for a hub without one.
	Synthesizer Synthesizer
	// Engine names the synthesizer with its version. It is part of every cache key, so that a new version speaks anew.
	Engine string
	// Key makes the cache keys; 16 bytes or more. Empty means a random key, which makes Cache useless after a restart.
	Key []byte
	// MemoryBytes bounds the clips in memory; 32 MiB, which is 70 minutes of speech.
	MemoryBytes int64
	// Cache keeps clips beyond the process; nil for none.
	Cache Cache
	// Concurrency is how many syntheses run at once; 2.
	Concurrency int
	// Queue is how many more may wait; further ones fail with Exhausted; 64.
	Queue int
	// MaxText bounds a prompt in characters over all its fragments; 4,000.
	MaxText int
	// Timeout bounds one synthesis with its wait; 10 s.
	Timeout time.Duration
}

// Fragment is a part of a prompt that is spoken and cached on its own.
type Fragment struct {
	Text string
	// Personal marks text that came from variables (a name, an order number): its clip is kept in memory only and never
	// in the Cache, so that erasing a person needs no search through sounds.
	Personal bool
}

// Prompt is a text to be spoken, in fragments: the fixed parts of a template and the values put into it.
type Prompt struct {
	Fragments []Fragment
	Language  string // BCP 47, empty for the voice's own
	Voice     Voice
}

// Plain returns a prompt of one fixed text.
func Plain(text string) Prompt { return Prompt{Fragments: []Fragment{{Text: text}}} }

const (
	maxFragments = 200
	// maxPiece is the longest run of characters that is synthesised at once: a long sentence.
	maxPiece = 300
	// speechLevel and speechPeak set every clip's loudness in dBFS, so that pieces and voices sound alike.
	speechLevel = -20.0
	speechPeak  = -1.0
	// trimFloor is the level in dBFS below which the edges of a clip are cut, with edge samples left on each side.
	trimFloor = -50.0
	trimEdge  = audio.Rate / 100
)

// Service turns prompts into 8 kHz µ-law. It is safe for concurrent use. Close must be called at the end.
type Service struct {
	o     Options
	key   []byte
	mem   *memory
	group singleflight.Group
	slots chan struct{} // one token per running synthesis

	// begun returns a context for work that outlives the call that asked first: it ends with the service or after Timeout.
	begun func() (context.Context, context.CancelFunc)
	stop  context.CancelFunc

	mu     sync.Mutex // guards closed and running.Add against Close
	closed bool
	// running counts the goroutines that Close waits for.
	running sync.WaitGroup

	waiting atomic.Int64
	stats   counters
}

// Stats are a service's counts since its start.
type Stats struct {
	MemoryHits  int64 // pieces found in memory
	CacheHits   int64 // pieces found in the Cache
	Synthesized int64 // pieces made
	Failed      int64 // pieces whose synthesis failed
	Refused     int64 // pieces refused because the queue was full
	Waiting     int64 // syntheses that wait now
	MemoryBytes int64 // bytes of clips in memory now
}

type counters struct{ memoryHits, cacheHits, synthesized, failed, refused atomic.Int64 }

// New returns a service. It fails when the key is too short or a limit is negative.
func New(o Options) (*Service, error) {
	if len(o.Key) == 0 {
		o.Key = make([]byte, 32)
		_, _ = rand.Read(o.Key) // never fails (crypto/rand)
	}
	if len(o.Key) < 16 {
		return nil, errs.New(errs.Invalid, "the speech cache key has %d bytes: give it 16 or more", len(o.Key))
	}
	if o.MemoryBytes < 0 || o.Concurrency < 0 || o.Queue < 0 || o.MaxText < 0 || o.Timeout < 0 {
		return nil, errs.New(errs.Invalid, "speech limits must not be negative")
	}
	o.MemoryBytes = orDefault(o.MemoryBytes, 32<<20)
	o.Concurrency = orDefault(o.Concurrency, 2)
	o.Queue = orDefault(o.Queue, 64)
	o.MaxText = orDefault(o.MaxText, 4000)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	life, stop := context.WithCancel(context.Background())
	return &Service{
		o: o, key: o.Key, mem: newMemory(o.MemoryBytes),
		slots: make(chan struct{}, o.Concurrency), stop: stop,
		begun: func() (context.Context, context.CancelFunc) { return context.WithTimeout(life, o.Timeout) },
	}, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Close cancels running syntheses and waits for them. Say fails afterwards.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
}

// Stats returns the service's counts.
func (s *Service) Stats() Stats {
	return Stats{
		MemoryHits: s.stats.memoryHits.Load(), CacheHits: s.stats.cacheHits.Load(),
		Synthesized: s.stats.synthesized.Load(), Failed: s.stats.failed.Load(), Refused: s.stats.refused.Load(),
		Waiting: s.waiting.Load(), MemoryBytes: s.mem.size(),
	}
}

// Say returns a prompt as 8 kHz µ-law; a prompt without text gives nil. The slice is the caller's. It returns when ctx
// ends at the latest; a synthesis that was begun goes on for the cache. Errors: Invalid for a text that is too long or
// cannot be spoken, Exhausted when too many wait, Unavailable when no synthesizer works or the time is up.
func (s *Service) Say(ctx context.Context, p Prompt) ([]byte, error) {
	pieces, err := s.pieces(p)
	if err != nil {
		return nil, err
	}
	clips := make([][]byte, len(pieces))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.o.Concurrency)
	for i, pc := range pieces {
		g.Go(func() error {
			clip, err := s.clip(gctx, pc, p)
			clips[i] = clip
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return join(pieces, clips), nil
}

// piece is the unit that is synthesised and cached.
type piece struct {
	text     string
	personal bool
}

func (s *Service) pieces(p Prompt) ([]piece, error) {
	if len(p.Fragments) > maxFragments {
		return nil, errs.New(errs.Invalid, "the prompt has %d fragments, %d are allowed: join some", len(p.Fragments), maxFragments)
	}
	total := 0
	var out []piece
	for _, f := range p.Fragments {
		if total += utf8.RuneCountInString(f.Text); total > s.o.MaxText {
			return nil, errs.New(errs.Invalid, "the prompt is longer than %d characters: shorten it or play a recording", s.o.MaxText)
		}
		for _, text := range Split(f.Text, maxPiece) {
			out = append(out, piece{text: text, personal: f.Personal})
		}
	}
	return out, nil
}

// join puts the pieces' clips together with the pauses that their punctuation asks for.
func join(pieces []piece, clips [][]byte) []byte {
	var out []byte
	var pause time.Duration
	for i, clip := range clips {
		if len(clip) == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, audio.Silence(pause)...)
		}
		out = append(out, clip...)
		pause = pauseAfter(pieces[i].text)
	}
	return out
}

func pauseAfter(text string) time.Duration {
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case strings.ContainsRune(sentenceEnds, last):
		return 300 * time.Millisecond
	case strings.ContainsRune(",;:–—", last):
		return 150 * time.Millisecond
	default:
		return 60 * time.Millisecond
	}
}

// clip returns one piece, from memory, from the cache or made now; identical pieces asked for at once are made once.
func (s *Service) clip(ctx context.Context, pc piece, p Prompt) ([]byte, error) {
	key := s.cacheKey(pc.text, p)
	if clip, ok := s.mem.get(key); ok {
		s.stats.memoryHits.Add(1)
		return clip, nil
	}
	if s.o.Synthesizer == nil {
		return nil, errs.New(errs.Unavailable, "this hub has no speech synthesizer: configure one, or play recordings")
	}
	group := key
	if pc.personal {
		group += "/personal" // so that a fixed piece in flight beside it still reaches the cache
	}
	// The work is not bound to ctx: others may wait for it, and the next caller finds its clip.
	done := s.group.DoChan(group, func() (any, error) { return s.produce(key, pc, p) }) //nolint:contextcheck // see above
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		clip, _ := r.Val.([]byte)
		return clip, nil
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, context.Cause(ctx), "the prompt was not ready in time")
	}
}

// begin registers a goroutine that Close waits for; false after Close.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Service) produce(key string, pc piece, p Prompt) ([]byte, error) {
	if !s.begin() {
		return nil, errs.New(errs.Unavailable, "the speech service is stopping")
	}
	defer s.running.Done()
	ctx, cancel := s.begun()
	defer cancel()
	useCache := s.o.Cache != nil && !pc.personal
	if useCache {
		if clip, ok := s.o.Cache.Get(ctx, key); ok {
			s.stats.cacheHits.Add(1)
			s.mem.put(key, clip)
			return clip, nil
		}
	}
	clip, err := s.synthesize(ctx, pc.text, p)
	if err != nil {
		return nil, err
	}
	s.mem.put(key, clip)
	if useCache && s.begin() {
		go func() { // callers need not wait for the store
			defer s.running.Done()
			ctx, cancel := s.begun()
			defer cancel()
			s.o.Cache.Put(ctx, key, clip)
		}()
	}
	return clip, nil
}

func (s *Service) synthesize(ctx context.Context, text string, p Prompt) ([]byte, error) {
	if err := s.acquire(ctx); err != nil {
		return nil, err
	}
	defer func() { <-s.slots }()
	sound, err := s.o.Synthesizer.Speak(ctx, Text{Text: text, Language: p.Language}, p.Voice)
	if err != nil {
		s.stats.failed.Add(1)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return nil, errs.Wrap(errs.Unavailable, err, "speech synthesis was not ready in time")
		}
		return nil, errs.Wrap(codeOr(err, errs.Unavailable), err, "speech synthesis failed")
	}
	s.stats.synthesized.Add(1)
	clip, err := telephone(sound)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "the synthesizer's sound cannot be used")
	}
	return clip, nil
}

// acquire takes a slot or a place in the queue for one.
func (s *Service) acquire(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	if s.waiting.Add(1) > int64(s.o.Queue) {
		s.waiting.Add(-1)
		s.stats.refused.Add(1)
		return errs.New(errs.Exhausted, "too many prompts wait for speech synthesis: try again, or use recordings for busy prompts")
	}
	defer s.waiting.Add(-1)
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		s.stats.refused.Add(1)
		return errs.Wrap(errs.Unavailable, context.Cause(ctx), "speech synthesis was not ready in time")
	}
}

func codeOr(err error, def errs.Code) errs.Code {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e.Code
	}
	return def
}

// telephone trims, levels and converts a synthesizer's sound.
func telephone(a Audio) ([]byte, error) {
	pcm, err := audio.Resample(a.PCM, a.Rate, audio.Rate)
	if err != nil {
		return nil, err
	}
	pcm = append([]int16(nil), audio.TrimSilence(pcm, trimFloor, trimEdge)...)
	if level := audio.Level(pcm); !math.IsInf(level, -1) {
		audio.Gain(pcm, min(speechLevel-level, speechPeak-audio.Peak(pcm)))
	}
	return audio.EncodeULaw(make([]byte, 0, len(pcm)), pcm), nil
}

// cacheKey is a keyed hash over everything that shapes the sound, each part with its length before it.
func (s *Service) cacheKey(text string, p Prompt) string {
	mac := hmac.New(sha256.New, s.key)
	part := func(b []byte) {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) //nolint:gosec // texts are bounded
		mac.Write(b)
	}
	part([]byte("tandem speech 1"))
	part([]byte(s.o.Engine))
	part([]byte(strings.ToLower(p.Language)))
	part([]byte(p.Voice.Name))
	part(binary.BigEndian.AppendUint64(nil, math.Float64bits(p.Voice.Pace)))
	part(binary.BigEndian.AppendUint64(nil, math.Float64bits(p.Voice.Pitch)))
	part([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

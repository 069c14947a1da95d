package app

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/speech"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

// prompts speaks and finds audio for calls.
type prompts struct {
	speech *speech.Service
	mute   bool // without a synthesizer texts are passed over: a caller must reach an agent all the same
	music  []byte
	voices voices
}

// Clip implements voice.Prompts.
func (p *prompts) Clip(ctx context.Context, tenant string, list []flow.Prompt) ([]byte, error) {
	var out []byte
	for _, pr := range list {
		clip, err := p.one(ctx, tenant, pr)
		if err != nil {
			return nil, err
		}
		out = append(out, clip...)
	}
	return out, nil
}

func (p *prompts) one(ctx context.Context, tenant string, pr flow.Prompt) ([]byte, error) {
	if pr.Kind == flow.PromptFile {
		return p.Music(ctx, tenant, pr.File)
	}
	if p.mute {
		return nil, nil
	}
	prompt := speech.Plain(pr.Text)
	prompt.Language = pr.Language
	prompt.Voice = speech.Voice{Name: p.voices.find(pr.Voice), Pace: pace(pr.Rate)}
	prompt.Fragments = []speech.Fragment{{Text: pr.Text, Personal: !pr.Fixed}}
	clip, err := p.speech.Say(ctx, prompt)
	if err != nil || pr.GainDB == 0 {
		return clip, err
	}
	// Flows may ask for -96 to 16 dB (Webex Contact Center, Play Message: volume gain).
	return audio.GainULaw(clip, min(max(pr.GainDB, -96), 16)), nil
}

// pace keeps a flow's speaking rate within what synthesizers take; 0 is the voice's own.
func pace(rate float64) float64 {
	if rate == 0 || math.IsNaN(rate) {
		return 0
	}
	return min(max(rate, 0.5), 2)
}

// Music implements voice.Prompts: a file named like a beep is an attention tone, every other name the hold music.
func (p *prompts) Music(_ context.Context, _, file string) ([]byte, error) {
	if strings.Contains(strings.ToLower(cmp.Or(file, "music")), "beep") {
		return beep(), nil
	}
	return p.music, nil
}

// beep is a short attention tone.
func beep() []byte {
	return audio.EncodeULaw(nil, audio.Tone(880, -12, 200*time.Millisecond, audio.Rate))
}

// clipCache keeps synthesised fixed prompts sealed in the database.
type clipCache struct {
	db     *sqlstore.DB
	ring   *keyring.Ring
	tenant string
	now    func() time.Time
	log    *slog.Logger
	as     caller.Principal
}

// Get implements speech.Cache.
func (c *clipCache) Get(ctx context.Context, key string) ([]byte, bool) {
	ctx = caller.With(ctx, c.as)
	sealed, ok, err := c.db.Clip(ctx, c.tenant, key)
	if err != nil || !ok {
		return nil, false
	}
	plain, err := c.ring.Open(ctx, c.tenant, sealed, []byte("clip/"+key))
	if err != nil {
		c.log.WarnContext(ctx, "opening a stored prompt", slog.Any("error", err))
		return nil, false
	}
	return plain, true
}

// Put implements speech.Cache.
func (c *clipCache) Put(ctx context.Context, key string, ulaw []byte) {
	ctx = caller.With(ctx, c.as)
	sealed, err := c.ring.Seal(ctx, c.tenant, keyring.Speech, "", []byte("clip/"+key), ulaw)
	if err == nil {
		err = c.db.PutClip(ctx, c.tenant, key, sealed, c.now())
	}
	if err != nil {
		c.log.WarnContext(ctx, "storing a prompt", slog.Any("error", err))
	}
}

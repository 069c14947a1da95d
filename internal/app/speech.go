package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/speech"
	"github.com/tandemcc/tandem/internal/speech/flite"
)

// buildSpeech makes the synthesizer of this build, if it has one, and the service before it.
func (h *Hub) buildSpeech(ctx context.Context) error {
	ctx = caller.With(ctx, service("speech"))
	h.speechName = "none"
	var err error
	if h.voices, err = newVoices(h.cfg.Speech.Voices); err != nil {
		return err
	}
	if flite.Available() {
		engine, err := flite.New(flite.Options{CacheDir: h.speechCache()})
		if err != nil {
			return fmt.Errorf("starting the synthesizer: %w", err)
		}
		h.engine, h.speechName = engine, flite.Version
	} else {
		h.log.WarnContext(ctx, "this build cannot speak: texts are passed over; build it with make", slog.String("speech", "none"))
	}
	key, err := h.sealed(ctx, keyring.Speech, "speech.key", func() (string, error) {
		raw := make([]byte, 32)
		_, err := rand.Read(raw)
		return base64.StdEncoding.EncodeToString(raw), err
	})
	if err != nil {
		return err
	}
	h.speech, err = speech.New(speech.Options{
		Synthesizer: h.engine, Engine: h.speechName, Key: []byte(key), Concurrency: 2, Queue: 256,
		Cache: &clipCache{db: h.db, ring: h.ring, tenant: Tenant, now: h.clock.Now, log: h.log, as: service("speech")},
	})
	return err
}

func (h *Hub) newPrompts() *prompts {
	return &prompts{speech: h.speech, mute: h.engine == nil, music: audio.HoldMusic(), voices: h.voices}
}

func (h *Hub) stopSpeech(ctx context.Context) error {
	h.speech.Close()
	if e, ok := h.engine.(*flite.Synthesizer); ok {
		return e.Close(ctx)
	}
	return nil
}

// sealed returns a stored secret of the installation, made once.
func (h *Hub) sealed(ctx context.Context, p keyring.Purpose, name string, create func() (string, error)) (string, error) {
	aad := []byte("setting/" + name)
	stored, ok, err := h.db.Setting(ctx, Tenant, name)
	if err != nil {
		return "", err
	}
	if ok {
		raw, err := base64.StdEncoding.DecodeString(stored)
		if err != nil {
			return "", fmt.Errorf("reading setting %s: %w", name, err)
		}
		plain, err := h.ring.Open(ctx, Tenant, raw, aad)
		return string(plain), err
	}
	value, err := create()
	if err != nil {
		return "", err
	}
	sealed, err := h.ring.Seal(ctx, Tenant, p, "", aad, []byte(value))
	if err != nil {
		return "", err
	}
	return value, h.db.PutSetting(ctx, Tenant, name, base64.StdEncoding.EncodeToString(sealed))
}

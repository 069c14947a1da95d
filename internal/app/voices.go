package app

import (
	"maps"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/speech/flite"
)

// The built-in voices that stand for a woman's and a man's.
const (
	female = "slt"
	male   = "rms"
)

// voices maps the names of voices that flows carry, in lower case, to those of this build's synthesizer.
type voices map[string]string

// newVoices returns the map: the synthesizer's own names, the English voices of Amazon Polly and Google that exported flows
// name, and what the operator has set, which comes first.
func newVoices(set map[string]string) (voices, error) {
	v := voices{}
	for _, name := range flite.Voices() {
		v[name] = name
	}
	for name := range strings.FieldsSeq(pollyWomen) {
		v[name] = female
	}
	for name := range strings.FieldsSeq(pollyMen) {
		v[name] = male
	}
	own := maps.Clone(v)
	for from, to := range set {
		voice, ok := own[strings.ToLower(to)]
		if !ok {
			return nil, errs.New(errs.Invalid, "speech.voices: there is no voice %q; use one of %s", to, strings.Join(flite.Voices(), ", "))
		}
		v[strings.ToLower(from)] = voice
	}
	return v, nil
}

// find returns our voice for a flow's; empty, the default voice, for one that nobody knows.
func (v voices) find(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if own, ok := v[name]; ok {
		return own
	}
	return google(name)
}

// google tells whether a voice such as en-US-Wavenet-D is a man's or a woman's. The letters differ by accent
// (Cloud Text-to-Speech, Supported voices and languages).
func google(name string) string {
	parts := strings.Split(name, "-")
	if len(parts) != 4 || parts[0] != "en" || len(parts[3]) != 1 {
		return ""
	}
	women := map[string]string{"us": "cefgh", "gb": "acf", "au": "ac", "in": "ade"}[parts[1]]
	switch {
	case women == "" || parts[3] < "a" || parts[3] > "j":
		return ""
	case strings.Contains(women, parts[3]):
		return female
	}
	return male
}

// The English voices of Amazon Polly (Amazon Polly Developer Guide, Available voices).
const (
	pollyWomen = "joanna salli kimberly kendra ivy ruth danielle amy emma nicole olivia aditi raveena kajal aria ayanda niamh jasmine"
	pollyMen   = "matthew joey justin kevin stephen gregory brian arthur russell geraint patrick"
)

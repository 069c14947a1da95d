package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/tandemcc/tandem/internal/speech/flite"
)

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// built is what is known of this binary.
type built struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Speech   string `json:"speech"` // the built-in synthesizer, or none
}

func build() built {
	b := built{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Speech: "none"}
	if flite.Available() {
		b.Speech = flite.Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Run prints the version.
func (c *versionCmd) Run(e *env) error {
	b := build()
	if c.JSON {
		return e.printJSON(b)
	}
	text := "tandem " + b.Version
	if b.Revision != "" {
		text += " (" + b.Revision[:min(len(b.Revision), 12)] + ")"
	}
	return e.printf("%s %s %s, speech: %s\n", text, b.Go, b.Platform, b.Speech)
}

package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func load(t *testing.T, flags map[string]any) (Config, error) {
	t.Helper()
	all := map[string]any{"data": t.TempDir()}
	maps.Copy(all, flags)
	return Load("", all)
}

// TestTrunkDefaults: there is no trunk unless one is named, and it takes telephone numbers only.
func TestTrunkDefaults(t *testing.T) {
	c, err := load(t, nil)
	if err != nil || c.Trunk.Address != "" || c.Trunk.MaxCalls != 100 {
		t.Fatalf("%+v %v", c.Trunk, err)
	}
	plan := regexp.MustCompile(`^(?:` + c.Trunk.Allow + `)$`)
	for number, want := range map[string]bool{
		"+14155550100": true, "110": true, "": false, "+": false, "1": false, "sip:a@b": false, "1;x=y": false, "*72": false, strings.Repeat("1", 21): false,
	} {
		if plan.MatchString(number) != want {
			t.Errorf("%q is allowed: %t", number, !want)
		}
	}
}

// TestTrunkSettings: what an operator may write, from the environment too, and where the password comes from.
func TestTrunkSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TANDEM_TRUNK_USER", "hub")
	t.Setenv("TANDEM_TRUNK_PASSWORD_FILE", file)
	c, err := load(t, map[string]any{"trunk.address": "sip:192.0.2.1:5060"})
	if err != nil || c.Trunk.Address != "192.0.2.1:5060" || c.Trunk.User != "hub" || c.Trunk.Password != "secret" {
		t.Fatalf("%+v %v", c.Trunk, err)
	}
	for name, flags := range map[string]map[string]any{
		"no port":    {"trunk.address": "192.0.2.1"},
		"no host":    {"trunk.address": ":5060"},
		"user":       {"trunk.address": "a@192.0.2.1:5060"},
		"parameters": {"trunk.address": "192.0.2.1:5060;transport=tcp"},
		"dial plan":  {"trunk.address": "192.0.2.1:5060", "trunk.allow": "("},
		"lines":      {"trunk.address": "192.0.2.1:5060", "trunk.max_calls": 0},
		"file":       {"trunk.address": "192.0.2.1:5060", "trunk.password_file": file + "x"},
	} {
		if c, err := load(t, flags); err == nil {
			t.Errorf("%s: %+v is taken", name, c.Trunk)
		}
	}
}

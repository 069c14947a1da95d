// Package config reads the hub's settings: flags over TANDEM_ environment variables over a YAML file over defaults.
package config

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/tandemcc/tandem/internal/errs"
)

// Config is everything an operator may set. Addresses are host:port; port 0 takes a free one; an empty address switches
// the listener off where that makes sense.
type Config struct {
	Data    string `koanf:"data"`    // directory of the database, the root key and ready.json
	DB      string `koanf:"db"`      // "sqlite" (a file in Data) or a postgres:// URL
	HTTP    string `koanf:"http"`    // console and API
	Sandbox string `koanf:"sandbox"` // stand-in Salesforce org; empty: none
	PubSub  string `koanf:"pubsub"`  // gRPC beside the sandbox, with TLS; empty: none; a free port by default where the sandbox has one
	SIP     string `koanf:"sip"`
	WebRTC  string `koanf:"webrtc"`  // the one UDP port of all browsers
	Metrics string `koanf:"metrics"` // Prometheus; empty: none
	Seed    string `koanf:"seed"`    // "small" or "none"; only for an empty database
	Node    string `koanf:"node"`    // name of this process among several
	Region  string `koanf:"region"`  // of ARNs and access keys
	Country string `koanf:"country"` // ISO code: region of numbers typed without a country code

	RootKey    string `koanf:"root_key"`   // file; empty: Data/root.key
	Passphrase string `koanf:"passphrase"` // seals the root key; empty: none

	Log struct {
		Level  string `koanf:"level"`
		Format string `koanf:"format"`
	} `koanf:"log"`
	Voice struct {
		Drain     time.Duration `koanf:"drain"`     // how long calls may go on after the first SIGTERM
		MaxCalls  int           `koanf:"max_calls"` // at once; more are refused with 503
		Advertise string        `koanf:"advertise"` // address written into SIP and SDP; empty: the one bound
		MediaLow  int           `koanf:"media_low"` // RTP ports; 0: the kernel chooses
		MediaHigh int           `koanf:"media_high"`
	} `koanf:"voice"`
	Speech struct {
		Voices map[string]string `koanf:"voices"` // voices that flows name, to ours: {"Joanna": "slt"}
	} `koanf:"speech"`
	Trunk     Trunk `koanf:"trunk"`
	Retention struct {
		Contacts time.Duration `koanf:"contacts"` // closed contacts and their keys
		Events   time.Duration `koanf:"events"`
		Jobs     time.Duration `koanf:"jobs"` // finished ones
	} `koanf:"retention"`
	Functions struct {
		// Commands are what flows may run on this machine as functions, by name: an absolute path and its arguments. Nothing
		// else is run, and nobody but who writes this file can add to it.
		Commands map[string][]string `koanf:"commands"`
	} `koanf:"functions"`
	Tracing struct {
		Endpoint string `koanf:"endpoint"` // OTLP/HTTP collector; empty: off
	} `koanf:"tracing"`
	Clock string `koanf:"clock"` // "system", or "controllable" for tests and drills
	Debug bool   `koanf:"debug"` // profiles on the metrics listener
}

const defaultPubSub = "127.0.0.1:7443"

// Trunk is where calls to the outside go: transfers to a number and callbacks. Without an address there are none.
type Trunk struct {
	Address      string `koanf:"address"`       // SIP over UDP, host:port
	From         string `koanf:"from"`          // number shown when a flow names none; empty: the number that was called
	User         string `koanf:"user"`          // digest credentials; empty: the trunk knows our address
	Password     string `koanf:"password"`      // better in password_file
	PasswordFile string `koanf:"password_file"` // read at start
	Allow        string `koanf:"allow"`         // regular expression that the whole of a destination must match
	MaxCalls     int    `koanf:"max_calls"`     // at once
}

// defaults are what `tandem up` starts with.
func defaults() map[string]any {
	return map[string]any{
		"data": "data", "db": "sqlite", "http": "127.0.0.1:8080", "sandbox": "127.0.0.1:8090", "pubsub": defaultPubSub, "sip": "127.0.0.1:5060",
		"webrtc": "127.0.0.1:8081", "metrics": "127.0.0.1:9090", "seed": "small", "node": "node-1", "region": "us-east-1",
		"country": "US", "log.level": "info", "log.format": "text", "voice.drain": "10m", "voice.max_calls": 2000,
		"trunk.address": "", "trunk.allow": `\+?[0-9]{2,20}`, "trunk.max_calls": 100,
		"retention.contacts": "9600h", "retention.events": "720h", "retention.jobs": "168h", "clock": "system",
	}
}

// Load merges the layers; path may be empty, flags holds what was given on the command line by key.
func Load(path string, flags map[string]any) (Config, error) {
	var c Config
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(defaults(), "."), nil); err != nil {
		return c, fmt.Errorf("reading defaults: %w", err)
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return c, errs.Wrap(errs.Invalid, err, "the configuration file %s cannot be read: %v", filepath.Base(path), err)
		}
	}
	known := k.Keys()
	if err := k.Load(env.Provider(".", env.Opt{Prefix: "TANDEM_", TransformFunc: func(name, value string) (string, any) {
		return envKey(known, name), value
	}}), nil); err != nil {
		return c, fmt.Errorf("reading the environment: %w", err)
	}
	if err := k.Load(confmap.Provider(flags, "."), nil); err != nil {
		return c, fmt.Errorf("reading flags: %w", err)
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, errs.Wrap(errs.Invalid, err, "the configuration cannot be read: %v", err)
	}
	if host, port, err := net.SplitHostPort(c.Sandbox); err == nil && port == "0" && c.PubSub == defaultPubSub {
		c.PubSub = net.JoinHostPort(host, "0") // several hubs of one machine must not meet on the default
	}
	return c, c.check()
}

// envKey turns TANDEM_VOICE_MAX_CALLS into voice.max_calls; names that are no setting are left out.
func envKey(known []string, name string) string {
	want := strings.ToLower(strings.TrimPrefix(name, "TANDEM_"))
	for _, k := range append(known, "root_key", "passphrase", "voice.advertise", "voice.media_low", "voice.media_high", "tracing.endpoint", "debug",
		"trunk.from", "trunk.user", "trunk.password", "trunk.password_file") {
		if strings.ReplaceAll(k, ".", "_") == want {
			return k
		}
	}
	return ""
}

func (c *Config) check() error {
	for name, addr := range map[string]string{"http": c.HTTP, "sandbox": c.Sandbox, "pubsub": c.PubSub, "sip": c.SIP, "webrtc": c.WebRTC, "metrics": c.Metrics} {
		if addr == "" && (name == "sandbox" || name == "pubsub" || name == "metrics") {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return errs.Wrap(errs.Invalid, err, "%s must be an address such as 127.0.0.1:8080, not %q", name, addr)
		}
	}
	return c.checkValues()
}

func (c *Config) checkValues() error {
	switch {
	case c.Data == "":
		return errs.New(errs.Invalid, "data must name a directory")
	case c.Seed != "small" && c.Seed != "none":
		return errs.New(errs.Invalid, "seed is small or none, not %q", c.Seed)
	case c.Clock != "system" && c.Clock != "controllable":
		return errs.New(errs.Invalid, "clock is system or controllable, not %q", c.Clock)
	case c.DB != "sqlite" && !strings.HasPrefix(c.DB, "sqlite:") && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://"):
		return errs.New(errs.Invalid, "db is sqlite or a postgres:// URL")
	case c.Node == "" || len(c.Node) > 64:
		return errs.New(errs.Invalid, "node is a name of 1 to 64 characters")
	case c.Voice.MaxCalls < 1:
		return errs.New(errs.Invalid, "voice.max_calls must be positive")
	}
	if err := c.checkCommands(); err != nil {
		return err
	}
	return c.Trunk.check()
}

// checkCommands refuses commands that would be looked for, or that cannot be named.
func (c *Config) checkCommands() error {
	for name, argv := range c.Functions.Commands {
		switch {
		case name == "" || len(name) > 100:
			return errs.New(errs.Invalid, "a command under functions.commands has a name of 1 to 100 characters")
		case len(argv) == 0 || !filepath.IsAbs(argv[0]):
			return errs.New(errs.Invalid, "functions.commands.%s must be a list that begins with the absolute path of a program", name)
		}
	}
	return nil
}

// maxSecret bounds a file that holds one secret, in bytes.
const maxSecret = 4096

func (t *Trunk) check() error {
	t.Address = strings.TrimPrefix(t.Address, "sip:")
	if t.Address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(t.Address)
	switch {
	case err != nil || host == "" || strings.ContainsAny(t.Address, "@;?<> \t\r\n"):
		return errs.New(errs.Invalid, "trunk.address must be host:port, not %q", t.Address)
	case t.MaxCalls < 1:
		return errs.New(errs.Invalid, "trunk.max_calls must be positive")
	}
	if _, err := regexp.Compile(t.Allow); err != nil {
		return errs.Wrap(errs.Invalid, err, "trunk.allow is no regular expression: %v", err)
	}
	if t.PasswordFile == "" {
		return nil
	}
	raw, err := os.ReadFile(t.PasswordFile)
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "trunk.password_file cannot be read")
	}
	if len(raw) > maxSecret {
		return errs.New(errs.Invalid, "trunk.password_file is longer than %d bytes", maxSecret)
	}
	t.Password = strings.TrimRight(string(raw), "\r\n")
	return nil
}

// DSN is the database's address.
func (c *Config) DSN() string {
	if c.DB == "sqlite" {
		return "sqlite:" + filepath.Join(c.Data, "tandem.db")
	}
	return c.DB
}

// RootKeyFile is where the root key lies.
func (c *Config) RootKeyFile() string { return cmp.Or(c.RootKey, filepath.Join(c.Data, "root.key")) }

// Prepare makes the data directory.
func (c *Config) Prepare() error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return errs.Wrap(errs.Invalid, err, "the data directory %s cannot be made", c.Data)
	}
	return nil
}

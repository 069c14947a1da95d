package cli

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/errs"
)

// settings are the flags of every command that needs the hub's configuration. A flag that is not given leaves the setting to
// the environment, the file and the defaults, in that order.
type settings struct {
	File string  `short:"c" name:"config" help:"Configuration file (YAML)." placeholder:"FILE"`
	Data *string `help:"Directory of the database, the root key and ready.json." placeholder:"DIR"`
	DB   *string `name:"db" help:"sqlite (a file in the data directory) or a postgres:// URL." placeholder:"URL"`
}

// listeners are the flags of the commands that run the hub.
type listeners struct {
	HTTP      *string `name:"http" help:"Console and API." placeholder:"ADDR"`
	Sandbox   *string `help:"Stand-in Salesforce org; empty: none." placeholder:"ADDR"`
	PubSub    *string `name:"pubsub" help:"Pub/Sub API of the stand-in org (gRPC with TLS); empty: none." placeholder:"ADDR"`
	SIP       *string `name:"sip" help:"Telephone calls." placeholder:"ADDR"`
	WebRTC    *string `name:"webrtc" help:"Browsers' audio (one UDP port)." placeholder:"ADDR"`
	Metrics   *string `help:"Prometheus; empty: none." placeholder:"ADDR"`
	Trunk     *string `help:"SIP trunk for calls to the outside (transfers, callbacks); empty: none." placeholder:"ADDR"`
	Seed      *string `help:"Sample data for an empty database: small or none." placeholder:"WHAT"`
	Clock     *string `help:"system, or controllable for tests and drills." placeholder:"WHAT"`
	LogLevel  *string `help:"debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat *string `help:"text or json." placeholder:"FORMAT"`
}

func (s *settings) flags() map[string]any {
	return given(map[string]*string{"data": s.Data, "db": s.DB})
}

func (l *listeners) flags() map[string]any {
	return given(map[string]*string{
		"http": l.HTTP, "sandbox": l.Sandbox, "pubsub": l.PubSub, "sip": l.SIP, "webrtc": l.WebRTC, "metrics": l.Metrics, "trunk.address": l.Trunk, "seed": l.Seed, "clock": l.Clock,
		"log.level": l.LogLevel, "log.format": l.LogFormat,
	})
}

func given(flags map[string]*string) map[string]any {
	out := map[string]any{}
	for name, v := range flags {
		if v != nil {
			out[name] = *v
		}
	}
	return out
}

func (s *settings) load(more map[string]any) (config.Config, error) {
	flags := s.flags()
	maps.Copy(flags, more)
	return config.Load(s.File, flags)
}

// sets reports whether the environment or the file says something about a setting at the top level.
func (s *settings) sets(e *env, name string) (bool, error) {
	if _, ok := e.vars["TANDEM_"+strings.ToUpper(name)]; ok {
		return true, nil
	}
	if s.File == "" {
		return false, nil
	}
	data, err := os.ReadFile(s.File)
	if err != nil {
		return false, unreadable(s.File, err)
	}
	var top map[string]any
	if err := yaml.Unmarshal(data, &top); err != nil {
		return false, errs.Wrap(errs.Invalid, err, "the configuration file %s cannot be read", s.File)
	}
	_, ok := top[name]
	return ok, nil
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say whether the configuration can be used."`
	Print configPrintCmd `cmd:"" help:"Print the configuration in force, secrets masked."`
}

type configCheckCmd struct {
	Settings settings `embed:""`
}

// Run loads the configuration and says what is wrong with it.
func (c *configCheckCmd) Run(e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	if err := unknownKeys(c.Settings.File, cfg); err != nil {
		return err
	}
	return e.printf("the configuration is good\n")
}

type configPrintCmd struct {
	Settings settings `embed:""`
	JSON     bool     `help:"Print JSON rather than YAML."`
}

// Run prints the merged configuration.
func (c *configPrintCmd) Run(e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	tree := masked(cfg)
	if c.JSON {
		return e.printJSON(tree)
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	return e.printf("%s", text)
}

const mask = "********"

// secret are the settings that are never printed.
func secret(name string) bool { return name == "passphrase" || name == "password" }

// masked is the configuration as it would stand in a file, without its secrets.
func masked(cfg config.Config) map[string]any {
	tree := asTree(reflect.ValueOf(cfg))
	if db, ok := tree["db"].(string); ok {
		tree["db"] = maskURL(db)
	}
	return tree
}

func asTree(v reflect.Value) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("koanf")
		if name == "" {
			continue
		}
		switch f := v.Field(i).Interface().(type) {
		case time.Duration:
			out[name] = f.String()
		default:
			switch {
			case v.Field(i).Kind() == reflect.Struct:
				out[name] = asTree(v.Field(i))
			case secret(name) && !v.Field(i).IsZero():
				out[name] = mask
			default:
				out[name] = f
			}
		}
	}
	return out
}

// maskURL hides the password of a database URL; a URL that cannot be read is hidden whole, since it may hold one.
func maskURL(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return mask
	}
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, "xxxxx")
		}
	}
	u.RawQuery = q.Encode()
	return u.Redacted()
}

// unknownKeys finds what a file sets that is no setting: a misspelt name would otherwise be passed over in silence.
func unknownKeys(file string, cfg config.Config) error {
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return unreadable(file, err)
	}
	var top map[string]any
	if err := yaml.Unmarshal(data, &top); err != nil {
		return errs.Wrap(errs.Invalid, err, "the configuration file %s cannot be read", file)
	}
	unknown := strangers("", top, asTree(reflect.ValueOf(cfg)))
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return errs.New(errs.Invalid, "%s sets what is no setting: %s; tandem config print lists them all", file, strings.Join(unknown, ", "))
}

func strangers(prefix string, have, known map[string]any) (out []string) {
	for name, v := range have {
		is, ok := known[name]
		if !ok {
			out = append(out, prefix+name)
			continue
		}
		inner, innerOK := v.(map[string]any)
		group, groupOK := is.(map[string]any)
		if innerOK && groupOK {
			out = append(out, strangers(prefix+name+".", inner, group)...)
		}
	}
	return out
}

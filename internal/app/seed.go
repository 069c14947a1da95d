package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	examples "github.com/tandemcc/tandem/examples/flows"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/registry"
)

// Ready is what ready.json tells scripts and people: where everything answers and how to sign in.
type Ready struct {
	HTTP     string      `json:"http"`
	Sandbox  string      `json:"sandbox"`
	PubSub   string      `json:"pubsub"` // empty: none
	SIP      string      `json:"sip"`
	WebRTC   string      `json:"webrtc"`
	Metrics  string      `json:"metrics"`
	Users    []ReadyUser `json:"users"`
	APIToken string      `json:"api_token"`
	AWS      ReadyAWS    `json:"aws"`
	Org      ReadyOrg    `json:"org"`
	Number   string      `json:"number"`
}

// ReadyUser is one sample login.
type ReadyUser struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

// ReadyAWS is the access key for the Amazon dialects.
type ReadyAWS struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	Region          string `json:"region"`
}

// ReadyOrg is how to sign in to the sandbox org.
type ReadyOrg struct {
	ClientID      string `json:"client_id"`
	ClientSecret  string `json:"client_secret"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	SecurityToken string `json:"security_token"`
}

// sample is what the first seed has made and every start shows again.
type sample struct {
	Users    []ReadyUser `json:"users"`
	APIToken string      `json:"apiToken"`
	KeyID    string      `json:"keyId"`
	Secret   string      `json:"secret"`
}

const (
	settingSample  = "sample"
	settingOrg     = "sample.org"
	sampleNumber   = "1000"
	menuNumber     = "1001"
	sampleQueue    = "Support"
	salesQueue     = "Sales" // of the sample menu
	sampleCRM      = "salesforce"
	sampleFlowName = "Salesforce data dip"
	menuFlowName   = "Menu"
)

// seed makes the sample tenant once; each step looks first, so that a start that was killed half way goes on.
func (h *Hub) seed(ctx context.Context) error {
	if h.cfg.Seed == "none" {
		return h.firstAdmin(ctx)
	}
	raw, err := h.sealed(ctx, keyring.Identity, settingSample, h.planSample)
	if err != nil {
		return fmt.Errorf("making sample logins: %w", err)
	}
	var s sample
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return fmt.Errorf("reading sample logins: %w", err)
	}
	for _, step := range []func(context.Context, *sample) error{
		h.seedUsers, h.seedCodes, h.seedQueue, h.seedConnector, h.seedFlows, h.seedCredentials,
	} {
		if err := step(ctx, &s); err != nil {
			return err
		}
	}
	h.ready.Users, h.ready.APIToken, h.ready.Number = s.Users, s.APIToken, sampleNumber
	h.ready.AWS = ReadyAWS{AccessKeyID: s.KeyID, SecretAccessKey: s.Secret, Region: h.cfg.Region}
	return nil
}

// firstAdmin makes an administrator for an empty production hub, with the password in ready.json.
func (h *Hub) firstAdmin(ctx context.Context) error {
	raw, err := h.sealed(ctx, keyring.Identity, "first.admin", func() (string, error) { return password(), nil })
	if err != nil {
		return err
	}
	created, err := h.identity.Bootstrap(ctx, Tenant, identity.NewUser{Login: "admin", Name: "Administrator", Password: raw})
	if err == nil && created {
		h.ready.Users = []ReadyUser{{Login: "admin", Password: raw, Role: identity.Admin}}
	}
	return err
}

// password makes one that people can type: 16 letters and digits without those that look alike.
func password() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // it never fails since Go 1.24
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return string(raw)
}

func (h *Hub) planSample() (string, error) {
	s := sample{Users: []ReadyUser{
		{Login: "admin", Role: identity.Admin},
		{Login: "sam", Role: identity.Supervisor},
		{Login: "ada", Role: identity.Agent},
		{Login: "ben", Role: identity.Agent},
		{Login: "cleo", Role: identity.Agent},
	}}
	for i := range s.Users {
		s.Users[i].Password = password()
	}
	raw, err := json.Marshal(s) //nolint:gosec // it is sealed before it is stored
	return string(raw), err
}

var sampleNames = map[string]string{
	"admin": "Alex Administrator", "sam": "Sam Supervisor", "ada": "Ada Bell", "ben": "Ben Okafor", "cleo": "Cleo Marchetti",
}

func (h *Hub) seedUsers(ctx context.Context, s *sample) error {
	for _, u := range s.Users {
		in := identity.NewUser{Login: u.Login, Name: sampleNames[u.Login], Roles: []string{u.Role}, Password: u.Password}
		var err error
		if u.Role == identity.Admin {
			_, err = h.identity.Bootstrap(ctx, Tenant, in)
		} else {
			_, err = h.identity.CreateUser(ctx, in)
		}
		if err != nil && !errs.Is(err, errs.Conflict) {
			return fmt.Errorf("making sample user %s: %w", u.Login, err)
		}
	}
	return nil
}

func create[T any](ctx context.Context, c *registry.Collection[T], o registry.Object[T]) (registry.Object[T], error) {
	have, err := c.Named(ctx, Tenant, o.Name)
	if errs.Is(err, errs.NotFound) {
		return c.Create(ctx, Tenant, o)
	}
	return have, err
}

func (h *Hub) seedCodes(ctx context.Context, _ *sample) error {
	lists := map[string][]string{
		"reasons": {"Break", "Lunch", "Meeting", "Training"},
		"wrapup":  {"Resolved", "Follow-up needed", "Escalated", "Wrong number"},
	}
	for name, codes := range lists {
		spec := registry.Codes{}
		for _, c := range codes {
			spec.Items = append(spec.Items, registry.Code{Name: c})
		}
		if _, err := create(ctx, h.codes, registry.Object[registry.Codes]{Name: name, Spec: spec}); err != nil {
			return fmt.Errorf("making the list %s: %w", name, err)
		}
	}
	return nil
}

func (h *Hub) seedQueue(ctx context.Context, _ *sample) error {
	users, err := h.identity.Users(ctx, "", identity.MaxPage)
	if err != nil {
		return err
	}
	q := registry.Queue{RingSeconds: 20, WrapUpSeconds: 60}
	for _, u := range users {
		if has(u.Roles, identity.Agent) {
			q.AgentIDs = append(q.AgentIDs, u.ID)
		}
	}
	for _, name := range []string{sampleQueue, salesQueue} {
		if _, err := create(ctx, h.queues, registry.Object[registry.Queue]{Name: name, Spec: q}); err != nil {
			return fmt.Errorf("making the queue %s: %w", name, err)
		}
	}
	return nil
}

// seedConnector makes the connector to the sandbox org and keeps its address true when the org's port has changed.
func (h *Hub) seedConnector(ctx context.Context, _ *sample) error {
	if h.org == nil {
		return nil
	}
	cred := h.org.Credentials()
	h.ready.Org = ReadyOrg(cred)
	base := "http://" + addr(h.listeners.sandbox)
	spec := registry.Connector{
		Type: "salesforce", BaseURL: base, Grant: "client_credentials", ClientID: cred.ClientID, ClientSecret: cred.ClientSecret, AllowPrivate: true,
		Streams: "off",
	}
	if h.pubsub != nil { // its address and certificate are new at each start
		spec.Streams, spec.StreamsCA = h.pubsub.Addr(), h.pubsub.Certificate()
	}
	o, err := create(ctx, h.connectors, registry.Object[registry.Connector]{Name: sampleCRM, Spec: spec})
	if err != nil {
		return err
	}
	last, _, err := h.db.Setting(ctx, Tenant, settingOrg)
	if err != nil {
		return err
	}
	ours := o.Spec.BaseURL == base || o.Spec.BaseURL == last // nobody has pointed it elsewhere
	if ours && (o.Spec.BaseURL != base || o.Spec.Streams != spec.Streams || o.Spec.StreamsCA != spec.StreamsCA) && o.Spec.Streams != "off" {
		o.Spec.BaseURL, o.Spec.Streams, o.Spec.StreamsCA = base, spec.Streams, spec.StreamsCA
		if _, err := h.connectors.Update(ctx, Tenant, o, 0); err != nil {
			return err
		}
	}
	return h.db.PutSetting(ctx, Tenant, settingOrg, base)
}

func (h *Hub) seedFlows(ctx context.Context, _ *sample) error {
	for _, s := range []struct{ name, file, number string }{
		{sampleFlowName, "data-dip.json", sampleNumber}, {menuFlowName, "menu.json", menuNumber},
	} {
		id, err := h.library.FindID(ctx, Tenant, s.name)
		if errs.Is(err, errs.NotFound) {
			id, err = h.importSample(ctx, s.name, s.file)
		}
		if err != nil {
			return fmt.Errorf("making the flow %q: %w", s.name, err)
		}
		point := registry.Object[registry.EntryPoint]{Name: s.name, Spec: registry.EntryPoint{Number: s.number, FlowID: id}}
		if _, err := create(ctx, h.points, point); err != nil {
			return fmt.Errorf("making the entry point %s: %w", s.number, err)
		}
	}
	return nil
}

func (h *Hub) importSample(ctx context.Context, name, file string) (string, error) {
	data, err := examples.Files.ReadFile(file)
	if err != nil {
		return "", err
	}
	d, err := h.library.Import(ctx, Tenant, "", name, data)
	if err != nil {
		return "", err
	}
	_, err = h.library.Publish(ctx, Tenant, d.ID, d.Version)
	return d.ID, err
}

// seedCredentials makes the sample API token and access key and keeps them with the logins.
func (h *Hub) seedCredentials(ctx context.Context, s *sample) error {
	const name = "sample.credentials"
	raw, err := h.sealed(ctx, keyring.Identity, name, func() (string, error) {
		_, token, err := h.identity.CreateAPIToken(ctx, "Sample token", []string{identity.Admin}, time.Time{})
		if err != nil {
			return "", err
		}
		key, secret, err := h.identity.CreateAccessKey(ctx, "Sample key")
		if err != nil {
			return "", err
		}
		raw, err := json.Marshal(sample{APIToken: token, KeyID: key.ID, Secret: secret}) //nolint:gosec // it is sealed before it is stored
		return string(raw), err
	})
	if err != nil {
		return fmt.Errorf("making sample credentials: %w", err)
	}
	var c sample
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return err
	}
	s.APIToken, s.KeyID, s.Secret = c.APIToken, c.KeyID, c.Secret
	return nil
}

func (h *Hub) readyFile() string { return filepath.Join(h.cfg.Data, "ready.json") }

// forgetReady removes an old ready.json: who waits for it must not find one that tells of the former process.
func (h *Hub) forgetReady() { _ = os.Remove(h.readyFile()) }

// writeReady writes ready.json for the owner's eyes, in one step.
func (h *Hub) writeReady() error {
	h.ready.HTTP, h.ready.Sandbox, h.ready.Metrics = addr(h.listeners.http), addr(h.listeners.sandbox), addr(h.listeners.metrics)
	h.ready.SIP, h.ready.WebRTC, h.ready.PubSub = h.listeners.sip, h.listeners.webrtc, h.listeners.pubsub
	if h.ready.Users == nil {
		h.ready.Users = []ReadyUser{}
	}
	raw, err := json.MarshalIndent(h.ready, "", "  ") //nolint:gosec // for the owner, in a file of mode 0600
	if err != nil {
		return err
	}
	name := h.readyFile()
	if err := os.WriteFile(name+".new", append(raw, '\n'), 0o600); err != nil {
		return errs.Wrap(errs.Unavailable, err, "ready.json cannot be written into %s", h.cfg.Data)
	}
	return os.Rename(name+".new", name)
}

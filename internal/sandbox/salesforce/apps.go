package salesforce

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// App is a connected app, or an external client app: what a client program signs in as.
type App struct {
	ClientID     string `json:"client_id"`     // made up when empty
	ClientSecret string `json:"client_secret"` // made up when empty
	Name         string `json:"name"`
	// Username is whom the client credentials flow acts for. Empty: that flow is refused.
	Username string `json:"username"`
	// CallbackURLs are the only addresses authorize goes back to. Empty: any.
	CallbackURLs []string `json:"callback_urls"`
	// PublicKeys check JWT assertions: certificates, PKIX or PKCS #1 RSA public keys in PEM form.
	PublicKeys []string `json:"public_keys"`
	// Scopes are the OAuth scopes that may be asked for, and that a token has when none are. Empty: any.
	Scopes []string `json:"scopes,omitempty"`
	// PermittedUsers is PermitAll, PermitSelf or PermitAdmin; with the last, users of these profiles and permission sets.
	PermittedUsers string   `json:"permitted_users,omitempty"`
	Profiles       []string `json:"profiles,omitempty"`
	PermissionSets []string `json:"permission_sets,omitempty"`
	// RequirePKCE refuses an authorization request without a code challenge.
	RequirePKCE bool `json:"require_pkce,omitempty"`
	// RequireSecretWeb and RequireSecretRefresh ("Require Secret for Web Server Flow", "... for Refresh Token Flow") ask for the
	// secret where a code verifier or the refresh token itself would do.
	RequireSecretWeb     bool `json:"require_secret_web_server,omitempty"`
	RequireSecretRefresh bool `json:"require_secret_refresh_token,omitempty"`
	// RelaxIP lets users sign in by this app from outside their profile's login IP ranges ("Relax IP restrictions").
	RelaxIP bool `json:"relax_ip,omitempty"`
	// RefreshTokenPolicy is RefreshUntilRevoked, RefreshImmediately, RefreshUnused or RefreshAfter.
	RefreshTokenPolicy string `json:"refresh_token_policy,omitempty"`
	RefreshTokenHours  int    `json:"refresh_token_hours,omitempty"`
	// RotateRefreshTokens gives a new refresh token at each use and ends the old one, as the org's switch does for all apps.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens,omitempty"`
}

// Limits of connected apps.
const (
	maxApps    = 200
	maxAppKeys = 20
	maxKeyText = 16 << 10 // bytes of one PEM block
	minKeyBits = 1024
)

// ErrTooManyApps is returned by AddApp when the org has as many as it takes.
var ErrTooManyApps = errors.New("the org has 200 connected apps: delete some first")

// platformCLI is the app of the platform's own command line, which every org has: it signs people in by the browser, at the
// addresses the CLI listens on (1717 unless its project says otherwise), with PKCE in the place of a secret.
func platformCLI() App { return App{ClientID: "PlatformCLI", Name: "Salesforce CLI"} }

// apps keeps the connected apps, in memory with the store behind them.
type apps struct {
	mu   sync.RWMutex // guards byID
	byID map[string]*registered
}

// registered is an app with its keys parsed. It is never changed, only replaced.
type registered struct {
	App
	keys []*rsa.PublicKey
}

func (a *apps) find(clientID string) *registered {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[clientID]
}

// Apps returns the connected apps by name.
func (o *Org) Apps() []App {
	o.apps.mu.RLock()
	defer o.apps.mu.RUnlock()
	out := make([]App, 0, len(o.apps.byID))
	for _, a := range o.apps.byID {
		out = append(out, a.App)
	}
	slices.SortFunc(out, func(a, b App) int { return strings.Compare(a.Name+a.ClientID, b.Name+b.ClientID) })
	return out
}

// AddApp registers a connected app, or replaces the one with the same client id, and returns it with what was made up.
func (o *Org) AddApp(ctx context.Context, a App) (App, error) {
	a.ClientID = orElse(a.ClientID, "3MVG9"+randomText(80))
	a.ClientSecret = orElse(a.ClientSecret, strings.ToUpper(randomText(64)))
	a.Name = orElse(a.Name, "App "+a.ClientID[:min(len(a.ClientID), 8)])
	r, err := newRegistered(a)
	if err != nil {
		return App{}, err
	}
	if o.apps.find(a.ClientID) == nil && len(o.Apps()) >= maxApps {
		return App{}, ErrTooManyApps
	}
	raw, err := json.Marshal(a) //nolint:gosec // kept so that a second start has the same apps
	if err != nil {
		return App{}, fmt.Errorf("encoding an app: %w", err)
	}
	err = o.store.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO app (client_id, data) VALUES (?, ?) ON CONFLICT (client_id) DO UPDATE SET data = excluded.data", a.ClientID, string(raw))
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return App{}, fmt.Errorf("storing an app: %w", err)
	}
	o.apps.mu.Lock()
	defer o.apps.mu.Unlock()
	o.apps.byID[a.ClientID] = r
	return a, nil
}

// AddPublicKey registers a certificate or RSA public key (PEM) with an app, whose JWT assertions it then checks. An empty
// clientID means the org's own app, that of Credentials.
func (o *Org) AddPublicKey(ctx context.Context, clientID, text string) error {
	r := o.apps.find(orElse(clientID, o.creds.ClientID))
	if r == nil {
		return fmt.Errorf("there is no connected app with the client id %s", shorten(clientID))
	}
	text = strings.TrimSpace(text)
	if slices.Contains(r.PublicKeys, text) {
		return nil
	}
	a := r.App
	a.PublicKeys = append(slices.Clone(a.PublicKeys), text)
	_, err := o.AddApp(ctx, a)
	return err
}

func newRegistered(a App) (*registered, error) {
	if len(a.PublicKeys) > maxAppKeys {
		return nil, fmt.Errorf("an app takes %d keys: delete some first", maxAppKeys)
	}
	if err := a.checkPolicies(); err != nil {
		return nil, err
	}
	r := &registered{App: a}
	for _, text := range a.PublicKeys {
		key, err := parsePublicKey(text)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, key)
	}
	return r, nil
}

// parsePublicKey reads a certificate or an RSA public key in PEM form.
func parsePublicKey(text string) (*rsa.PublicKey, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("the key is longer than %d bytes: give one PEM block", maxKeyText)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is not in PEM form: give a certificate or an RSA public key that starts with -----BEGIN")
	}
	var key any
	switch block.Type {
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		key = cert.PublicKey
	case "RSA PUBLIC KEY":
		k, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the public key: %w", err)
		}
		key = k
	case "PUBLIC KEY":
		k, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the public key: %w", err)
		}
		key = k
	default:
		return nil, fmt.Errorf("a %s cannot check signatures: give a certificate or a public key", shorten(block.Type))
	}
	pub, isRSA := key.(*rsa.PublicKey)
	if !isRSA || pub.N.BitLen() < minKeyBits {
		return nil, fmt.Errorf("only RSA keys of %d bits or more are taken: assertions are signed by RS256", minKeyBits)
	}
	return pub, nil
}

// loadApps reads the apps of an earlier run, makes the org's own on the first, and takes in the certificates of the
// options and of Dir/certificates: `{client_id}.pem` is for that app, any other name for the org's own.
func (o *Org) loadApps(ctx context.Context) error {
	cli := platformCLI()
	o.apps = &apps{byID: map[string]*registered{cli.ClientID: {App: cli}}}
	rows, err := o.store.read.QueryContext(ctx, "SELECT data FROM app")
	if err != nil {
		return fmt.Errorf("reading the apps: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading the apps: %w", err)
	}
	for _, row := range raw {
		var a App
		text, _ := row[0].(string)
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return fmt.Errorf("reading an app: %w", err)
		}
		if o.apps.byID[a.ClientID], err = newRegistered(a); err != nil {
			return fmt.Errorf("reading the app %s: %w", a.Name, err)
		}
	}
	if o.apps.find(o.creds.ClientID) == nil {
		own := App{ClientID: o.creds.ClientID, ClientSecret: o.creds.ClientSecret, Name: "Sandbox App", Username: o.creds.Username}
		if _, err := o.AddApp(ctx, own); err != nil {
			return err
		}
	}
	for _, key := range o.opts.PublicKeys {
		if err := o.AddPublicKey(ctx, "", key); err != nil {
			return fmt.Errorf("reading the public keys of the options: %w", err)
		}
	}
	return o.loadCertificates(ctx)
}

func (o *Org) loadCertificates(ctx context.Context) error {
	if o.opts.Dir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(o.opts.Dir, "certificates", "*.pem"))
	if err != nil {
		return fmt.Errorf("listing the certificates: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of the org's own folder
		if err != nil {
			return fmt.Errorf("reading a certificate: %w", err)
		}
		client := strings.TrimSuffix(filepath.Base(file), ".pem")
		if o.apps.find(client) == nil {
			client = ""
		}
		if err := o.AddPublicKey(ctx, client, string(text)); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return nil
}

// allowsCallback reports whether authorize may go back to an address.
func (a *registered) allowsCallback(target string) bool {
	return len(a.CallbackURLs) == 0 || slices.Contains(a.CallbackURLs, target)
}

// Package salesforce is a stand-in Salesforce org: the OAuth and REST surface real clients use, over a database of its
// own, with SOQL and SOSL that mean what they mean on the platform, pages for people, and faults on demand.
//
// It covers sign-in (OAuth by password, client credentials, authorization code with PKCE, refresh token, JWT bearer, token
// exchange, device and user agent, each of which can be switched off, policies of connected apps, login IP ranges, security
// tokens and lock-out, OpenID Connect, SCIM, and SOAP login), queries, search, describe, records, collections, composite
// requests, conditional requests, updated and deleted lists and limits, for API versions 31.0 to 68.0, in JSON and XML; Bulk
// API 2.0 both ways, and 1.0 with batches of CSV and JSON; PushTopics, generic streaming, change events and platform events
// over CometD and the Pub/Sub API; and custom objects with validation and duplicate rules. Of the Connect API it takes
// uploads of conversations, and Apex REST answers what it was told to. It has no Metadata API and no SOAP beyond signing in;
// those paths answer NOT_FOUND. Users may read and write everything unless their profile is restricted; there is no sharing
// of single records. Query locators live in memory and end with the process.
package salesforce

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Seeds for Options.
const (
	SeedSmall   = "small"  // 200 accounts, 1,000 contacts and 500 cases
	SeedNone    = "none"   // users, and the setup of presence and routing
	SeedMedium  = "medium" // 10 times the small one
	SeedMillion = "1m"     // 1,000 times the small one: a million contacts, which takes a minute or two to make
)

// Options configures an org. The zero value is a small org in a temporary folder.
type Options struct {
	// Dir is the data folder, made if absent. Empty: a temporary one that Close removes.
	Dir string
	// Seed says what a new org holds, SeedSmall by default. An existing org keeps its data.
	Seed string
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Logger takes internal faults, nil: none.
	Logger *slog.Logger
	// Credentials of a new org; what is empty is made up at random. An existing org keeps its own.
	Credentials Credentials
	// SessionTTL is how long an access token is good for; 2 hours if 0.
	SessionTTL time.Duration
	// DailyRequests is the number of API requests a day before REQUEST_LIMIT_EXCEEDED; 15,000,000 if 0.
	DailyRequests int
	// TrustLoopback accepts the bare password, without the security token, from this machine: what a trusted IP range does.
	TrustLoopback bool
	// DisablePasswordFlow turns the OAuth password flow off, as new orgs of the platform have it.
	DisablePasswordFlow bool
	// DisabledFlows are closed from the start; SetFlow opens and closes them later.
	DisabledFlows []Flow
	// PublicKeys check JWT assertions of the org's own app: certificates or RSA public keys, each a PEM text.
	PublicKeys []string
	// Custom are objects and fields besides the standard ones; Dir/custom/*.json and *.yaml add more.
	Custom []CustomObject
	// RotateRefreshTokens gives a new refresh token at each use and ends the old one.
	RotateRefreshTokens bool
	// BaseURL is the org's address as clients see it; empty: taken from each request.
	BaseURL string
	// Remote lets other machines open the pages and switches below /sandbox. Off by default: they need no sign-in.
	Remote bool

	upgrade upgrade // of an older file; for tests
	begin   []byte  // the file of an org to begin with where Dir is empty, nil: a new one; for tests
}

// Credentials is all a client needs to connect.
type Credentials struct {
	ClientID      string `json:"client_id"`
	ClientSecret  string `json:"client_secret"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	SecurityToken string `json:"security_token"`
}

// Org is a running stand-in. It is safe for concurrent use.
type Org struct {
	opts     Options
	schema   *schema
	store    *store
	log      *slog.Logger
	now      func() time.Time
	creds    Credentials
	plans    *cache[*plan]
	regions  *cache[region] // by user id; dropped when a user changes
	sessions *sessions
	apps     *apps
	settings settings
	signer   signer
	topics   topics
	channels channels
	access   access
	bulk     *bulk
	comet    *comet
	events   *eventSchemas
	codes    *authCodes
	devices  *devices
	apex     apexAnswers
	uploads  uploads
	recent   recents
	// described is when the definitions last changed; set at the start.
	described time.Time
	cors      corsList
	rules     map[string]*entityRules // by entity; never changed once the org runs
	locators  *locators
	faults    *kit.Faults
	metadata  atomic.Bool  // the rows of needMetadata are there
	skew      atomic.Int64 // nanoseconds the clock is ahead
	cuts      bell         // rings when all streams are to end
	requests  *kit.Log
	site      *site
	used      atomic.Int64 // API requests of the day
	day       atomic.Int64 // days since 1970 the counter is for
	admin     string       // id of the administrator
	closing   sync.Once
	closeErr  error
}

const (
	defaultTTL     = 2 * time.Hour
	defaultRequest = 15_000_000
	logSize        = 500
	orgID          = "00D000000000001EAA"
)

// New opens the org in opts.Dir, making and seeding it when it is new.
func New(opts Options) (*Org, error) {
	o := &Org{opts: opts, log: opts.Logger, faults: &kit.Faults{}}
	o.plans, o.regions = newCache[*plan](maxQueryCache), newCache[region](maxQueryCache)
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	clock := opts.Now
	if clock == nil {
		clock = time.Now
	}
	o.now = func() time.Time { return clock().Add(o.Skew()) }
	if o.opts.SessionTTL <= 0 {
		o.opts.SessionTTL = defaultTTL
	}
	if o.opts.DailyRequests <= 0 {
		o.opts.DailyRequests = defaultRequest
	}
	if s := opts.Seed; !slices.Contains([]string{"", SeedSmall, SeedNone, SeedMedium, SeedMillion}, s) {
		return nil, fmt.Errorf("seed %q is unknown: use %s, %s, %s or %s", s, SeedNone, SeedSmall, SeedMedium, SeedMillion)
	}
	o.requests, o.locators, o.codes = kit.NewLog(logSize), newLocators(o.now), newCodes(o.now)
	o.devices = newDevices(o.now)
	o.site = &site{org: o, html: templates()}
	custom, err := loadCustom(opts.Dir)
	if err != nil {
		return nil, err
	}
	custom = append(slices.Clone(opts.Custom), custom...)
	if o.schema, err = newSchema(custom...); err != nil {
		return nil, err
	}
	if err := o.loadRules(custom); err != nil {
		return nil, err
	}
	o.events, o.comet = newEventSchemas(o.schema), newComet(o)
	ctx := context.Background()
	if o.store, err = openStore(ctx, opts.Dir, opts.begin, o.schema, opts.upgrade); err != nil {
		return nil, err
	}
	o.store.rolledBack = o.topics.clear
	if err := o.start(ctx); err != nil {
		return nil, errors.Join(err, o.store.close())
	}
	return o, nil
}

func (o *Org) start(ctx context.Context) error {
	if err := o.openLog(ctx); err != nil {
		return err
	}
	if _, err := o.store.meta(ctx, "seed"); err != nil {
		if err := o.seed(ctx); err != nil {
			return fmt.Errorf("seeding the org: %w", err)
		}
	}
	if err := o.noteDefinitions(ctx); err != nil {
		return fmt.Errorf("noting the definitions: %w", err)
	}
	if err := o.loadCredentials(ctx); err != nil {
		return err
	}
	if err := errors.Join(o.loadSettings(ctx), o.loadApps(ctx), o.mirrorAll(ctx), o.loadChannels(ctx)); err != nil {
		return err
	}
	if err := o.loadAccess(ctx); err != nil {
		return err
	}
	o.sessions, o.bulk = newSessions(o.store, o.now), newBulk(o)
	if err := o.ensureLogins(ctx); err != nil {
		return err
	}
	return errors.Join(o.sessions.load(ctx), o.bulk.load(ctx))
}

// Close ends the org. It may be called more than once.
func (o *Org) Close() error {
	o.closing.Do(func() {
		o.comet.end()
		o.bulk.close()
		o.closeErr = o.store.close()
	})
	return o.closeErr
}

// Credentials returns what a client needs to sign in as the administrator.
func (o *Org) Credentials() Credentials { return o.creds }

// Requests returns the newest n requests, newest first, and how many there were in all.
func (o *Org) Requests(n int) (entries []kit.Entry, total int) { return o.requests.Newest(n) }

// fail turns any error into the API's form; what is not meant for clients is logged and hidden.
func (o *Org) fail(ctx context.Context, err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault(http.StatusRequestEntityTooLarge, "REQUEST_ENTITY_TOO_LARGE", "the request is larger than %d bytes: split it", large.Limit)
	}
	if errors.Is(err, context.Canceled) {
		return fault(http.StatusServiceUnavailable, "SERVER_UNAVAILABLE", "the request was given up")
	}
	o.log.LogAttrs(ctx, slog.LevelError, "the org failed", slog.String("error", err.Error()))
	return fault(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "An unexpected error occurred: see the log of the sandbox org")
}

// randomText returns n characters of A-Z, a-z and 0-9 from the system's secure source.
func randomText(n int) string {
	buf := make([]byte, n)
	for i := 0; i < n; {
		var raw [64]byte
		_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
		for _, b := range raw {
			// 248 is the greatest multiple of 62 in a byte: what is above would make some characters likelier.
			if b < 248 && i < n {
				buf[i] = base62[b%62]
				i++
			}
		}
	}
	return string(buf)
}

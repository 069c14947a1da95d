package registry

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// The kinds of objects.
const (
	KindQueue      = "queue"
	KindEntryPoint = "entryPoint"
	KindConnector  = "connector"
	KindCodes      = "codes"
)

// Queue is a line of waiting contacts and the agents that serve it.
type Queue struct {
	RingSeconds    int      `json:"ringSeconds"`    // 5 to 120; default 20
	WrapUpSeconds  int      `json:"wrapUpSeconds"`  // 0 (none) to 3600; default 60
	MaxWaitSeconds int      `json:"maxWaitSeconds"` // 0 means the longest, 86,400
	AgentIDs       []string `json:"agentIds"`
	WrapUpCodes    []string `json:"wrapUpCodes"` // ids; empty means all
	AutoAccept     bool     `json:"autoAccept"`
	HoursID        string   `json:"hoursId"` // its hours of operation, which flows ask for; empty: none
	Record         bool     `json:"record"`  // conversations with its agents are recorded
}

// CheckQueue fills defaults in and refuses what cannot be.
func CheckQueue(_ string, q *Queue) error {
	if q.RingSeconds == 0 {
		q.RingSeconds = 20
	}
	if q.MaxWaitSeconds == 0 {
		q.MaxWaitSeconds = 86_400
	}
	switch {
	case q.RingSeconds < 5 || q.RingSeconds > 120:
		return errs.New(errs.Invalid, "an agent's ring time is 5 to 120 seconds")
	case q.WrapUpSeconds < 0 || q.WrapUpSeconds > 3600:
		return errs.New(errs.Invalid, "wrap-up lasts 0 to 3600 seconds")
	case q.MaxWaitSeconds < 1 || q.MaxWaitSeconds > 86_400:
		return errs.New(errs.Invalid, "the longest wait is 1 to 86400 seconds")
	case len(q.AgentIDs) > 5000 || len(q.WrapUpCodes) > 200:
		return errs.New(errs.Invalid, "a queue has at most 5000 agents and 200 wrap-up codes")
	}
	return nil
}

// EntryPoint maps a dialled number to a flow.
type EntryPoint struct {
	Number string `json:"number"` // as it arrives in the request URI: digits, maybe with +
	FlowID string `json:"flowId"`
}

// CheckEntryPoint refuses what cannot be dialled.
func CheckEntryPoint(_ string, e *EntryPoint) error {
	e.Number = strings.TrimSpace(e.Number)
	if e.Number == "" || len(e.Number) > 64 || strings.ContainsAny(e.Number, " \t\r\n@;<>\"") {
		return errs.New(errs.Invalid, "the number is what callers dial, such as 1000 or +18005550100, at most 64 characters without spaces")
	}
	if e.FlowID == "" {
		return errs.New(errs.Invalid, "choose the flow that answers calls to this number")
	}
	return nil
}

// SameNumber returns a check that refuses two entry points for one number, however it is written; e164 normalises one.
func SameNumber(e164 func(string) string) func(o, other Object[EntryPoint]) error {
	return func(o, other Object[EntryPoint]) error {
		if o.Spec.Number == other.Spec.Number || e164(o.Spec.Number) == e164(other.Spec.Number) {
			return errs.New(errs.Conflict, "the entry point %q has this number already", other.Name)
		}
		return nil
	}
}

// Connector reaches a foreign system with credentials that never leave the hub. The secrets are write-only.
type Connector struct {
	Type         string `json:"kind"`    // "salesforce" or "http"
	BaseURL      string `json:"baseUrl"` // of a Salesforce org: its login or My Domain URL
	Grant        string `json:"grant"`   // jwt_bearer, client_credentials, refresh_token, password, soap_login; none, basic, bearer
	ClientID     string `json:"clientId"`
	Username     string `json:"username"`
	AllowPrivate bool   `json:"allowPrivate"` // may be on a private or loopback address

	// These are of Salesforce connectors; empty texts mean the defaults.
	Region     string `json:"region,omitempty"`     // of numbers without a country code: "US"; the installation's
	PhoneField string `json:"phoneField,omitempty"` // external id field with numbers in E.164 form: Phone_E164__c; "off" for none
	Marker     string `json:"marker,omitempty"`     // word of the marks of writes: ref; "off" for none
	Streams    string `json:"streams,omitempty"`    // host:port of the Pub/Sub API; the platform's; "off" for none
	StreamsCA  string `json:"streamsCa,omitempty"`  // certificate in PEM form that the Pub/Sub API's is checked by, where it is of one's own

	ClientSecret  string `json:"clientSecret"`
	Password      string `json:"password"`
	SecurityToken string `json:"securityToken"`
	RefreshToken  string `json:"refreshToken"`
	Token         string `json:"token"`
	PrivateKey    string `json:"privateKey,omitempty"` // of the grant jwt_bearer, PEM
}

// KeepSecrets takes over from old the secrets that c leaves empty, so that a form can be saved without typing them again.
func (c *Connector) KeepSecrets(old Connector) {
	keep := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	keep(&c.ClientSecret, old.ClientSecret)
	keep(&c.Password, old.Password)
	keep(&c.SecurityToken, old.SecurityToken)
	keep(&c.RefreshToken, old.RefreshToken)
	keep(&c.Token, old.Token)
	keep(&c.PrivateKey, old.PrivateKey)
}

// CheckConnector refuses what cannot work.
func CheckConnector(_ string, c *Connector) error {
	u, err := url.Parse(c.BaseURL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return errs.New(errs.Invalid, "the base URL must look like https://host, without credentials in it")
	}
	grants := map[string][]string{
		"salesforce": {"jwt_bearer", "client_credentials", "refresh_token", "password", "soap_login"},
		"http":       {"none", "basic", "bearer"},
	}
	list, ok := grants[c.Type]
	if !ok {
		return errs.New(errs.Invalid, "a connector is of kind salesforce or http")
	}
	if !slices.Contains(list, c.Grant) {
		return errs.New(errs.Invalid, "a connector of kind %s signs in with one of: %s", c.Type, strings.Join(list, ", "))
	}
	return c.checkSalesforce()
}

// checkSalesforce refuses settings of Salesforce connectors that cannot be.
func (c *Connector) checkSalesforce() error {
	c.Region = strings.ToUpper(strings.TrimSpace(c.Region))
	switch {
	case c.Region != "" && !regionPattern.MatchString(c.Region):
		return errs.New(errs.Invalid, "the region of numbers is a country's two letters, such as US")
	case c.PhoneField != "" && !fieldPattern.MatchString(c.PhoneField):
		return errs.New(errs.Invalid, "the field for numbers is a field's API name, such as Phone_E164__c, or off")
	case c.Marker != "" && !markerPattern.MatchString(c.Marker):
		return errs.New(errs.Invalid, "the word of the marks is 1 to 20 letters, digits, dots or hyphens, or off")
	}
	if c.Streams != "" && c.Streams != "off" {
		if host, port, err := net.SplitHostPort(c.Streams); err != nil || host == "" || port == "" {
			return errs.New(errs.Invalid, "the address of the Pub/Sub API is host:port, such as api.pubsub.salesforce.com:7443, or off")
		}
	}
	return nil
}

var (
	regionPattern = regexp.MustCompile(`^[A-Z]{2}$`)
	fieldPattern  = regexp.MustCompile(`^[A-Za-z]\w{0,79}$`)
	markerPattern = regexp.MustCompile(`^[A-Za-z0-9.-]{1,20}$`)
)

// Code is one entry of a list: a reason for being idle, or a wrap-up code (disposition).
type Code struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Codes is a named list of codes; the lists are "reasons" and "wrapup".
type Codes struct {
	Items []Code `json:"items"`
}

// CheckCodes refuses empty or doubled codes.
func CheckCodes(_ string, c *Codes) error {
	seen := map[string]bool{}
	for i := range c.Items {
		it := &c.Items[i]
		it.Name = strings.TrimSpace(it.Name)
		if it.ID == "" {
			it.ID = strings.ToLower(strings.Join(strings.Fields(it.Name), "-"))
		}
		if it.Name == "" || len(it.Name) > 100 || len(it.ID) > 100 || seen[it.ID] {
			return errs.New(errs.Invalid, "each code needs a name of its own, 1 to 100 characters")
		}
		seen[it.ID] = true
	}
	if len(c.Items) > 200 {
		return errs.New(errs.Invalid, "a list has at most 200 codes")
	}
	return nil
}

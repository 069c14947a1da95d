package registry

import (
	"net/url"
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
	Grant        string `json:"grant"`   // password, client_credentials, refresh_token; none, basic, bearer
	ClientID     string `json:"clientId"`
	Username     string `json:"username"`
	AllowPrivate bool   `json:"allowPrivate"` // may be on a private or loopback address

	ClientSecret  string `json:"clientSecret"`
	Password      string `json:"password"`
	SecurityToken string `json:"securityToken"`
	RefreshToken  string `json:"refreshToken"`
	Token         string `json:"token"`
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
}

// CheckConnector refuses what cannot work.
func CheckConnector(_ string, c *Connector) error {
	u, err := url.Parse(c.BaseURL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return errs.New(errs.Invalid, "the base URL must look like https://host, without credentials in it")
	}
	grants := map[string][]string{
		"salesforce": {"password", "client_credentials", "refresh_token"},
		"http":       {"none", "basic", "bearer"},
	}
	list, ok := grants[c.Type]
	if !ok {
		return errs.New(errs.Invalid, "a connector is of kind salesforce or http")
	}
	if !slices.Contains(list, c.Grant) {
		return errs.New(errs.Invalid, "a connector of kind %s signs in with one of: %s", c.Type, strings.Join(list, ", "))
	}
	return nil
}

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

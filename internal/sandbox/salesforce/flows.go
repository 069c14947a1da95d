package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Flow is a way to sign in, which the org can be told to refuse.
type Flow string

// The flows.
const (
	FlowPassword          Flow = "password"
	FlowClientCredentials Flow = "client_credentials"
	FlowRefreshToken      Flow = "refresh_token"
	FlowAuthorizationCode Flow = "authorization_code"
	FlowJWTBearer         Flow = "jwt_bearer"
	FlowSOAPLogin         Flow = "soap_login"
	FlowTokenExchange     Flow = "token_exchange"
	FlowDevice            Flow = "device"     // closed in a new org, as on the platform
	FlowUserAgent         Flow = "user_agent" // closed in a new org, as on the platform
)

// Flows lists all flows.
func Flows() []Flow {
	return []Flow{
		FlowPassword, FlowClientCredentials, FlowRefreshToken, FlowAuthorizationCode, FlowJWTBearer, FlowSOAPLogin, FlowTokenExchange, FlowDevice, FlowUserAgent,
	}
}

// settings are switches that can be thrown while the org runs; they outlive a restart.
type settings struct {
	mu sync.RWMutex // guards all below

	Off    []Flow `json:"off"`
	Rotate bool   `json:"rotate"`

	Known    int       `json:"known"`              // how many flows there were when it was kept
	Security *Security `json:"security,omitempty"` // nil: the defaults
}

// FlowEnabled reports whether a flow is open.
func (o *Org) FlowEnabled(f Flow) bool {
	o.settings.mu.RLock()
	defer o.settings.mu.RUnlock()
	return !slices.Contains(o.settings.Off, f)
}

func (o *Org) rotates() bool {
	o.settings.mu.RLock()
	defer o.settings.mu.RUnlock()
	return o.settings.Rotate
}

// SetFlow opens or closes a flow.
func (o *Org) SetFlow(ctx context.Context, f Flow, enabled bool) error {
	if !slices.Contains(Flows(), f) {
		return fmt.Errorf("flow %q is unknown: use one of %v", f, Flows())
	}
	return o.changeSettings(ctx, func(s *settings) {
		s.Off = slices.DeleteFunc(s.Off, func(x Flow) bool { return x == f })
		if !enabled {
			s.Off = append(s.Off, f)
		}
	})
}

// SetRotation says whether each use of a refresh token ends it and gives another.
func (o *Org) SetRotation(ctx context.Context, on bool) error {
	return o.changeSettings(ctx, func(s *settings) { s.Rotate = on })
}

func (o *Org) changeSettings(ctx context.Context, fn func(s *settings)) error {
	o.settings.mu.Lock()
	defer o.settings.mu.Unlock()
	fn(&o.settings)
	o.settings.Known = len(Flows())
	raw, err := json.Marshal(&o.settings)
	if err != nil {
		return fmt.Errorf("encoding the settings: %w", err)
	}
	return o.store.update(ctx, func(tx *sql.Tx) error { return setMeta(ctx, tx, "settings", string(raw)) })
}

// loadSettings reads the switches of an earlier run; what the options close stays closed.
func (o *Org) loadSettings(ctx context.Context) error {
	if raw, err := o.store.meta(ctx, "settings"); err == nil {
		if err := json.Unmarshal([]byte(raw), &o.settings); err != nil {
			return fmt.Errorf("reading the settings: %w", err)
		}
		if o.settings.Known == 0 { // by a version before the user-agent flow, which is closed unless somebody opens it
			o.settings.Off = append(o.settings.Off, FlowUserAgent)
		}
	} else {
		o.settings.Off = []Flow{FlowDevice, FlowUserAgent}
	}
	off := o.opts.DisabledFlows
	if o.opts.DisablePasswordFlow {
		off = append(slices.Clone(off), FlowPassword)
	}
	for _, f := range off {
		if !slices.Contains(Flows(), f) {
			return fmt.Errorf("flow %q is unknown: use one of %v", f, Flows())
		}
		if !slices.Contains(o.settings.Off, f) {
			o.settings.Off = append(o.settings.Off, f)
		}
	}
	o.settings.Rotate = o.settings.Rotate || o.opts.RotateRefreshTokens
	return nil
}

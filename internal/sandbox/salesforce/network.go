package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Where users may come from, as the platform has it in Setup: a profile's login IP ranges, outside of which its users cannot
// sign in; the org's trusted ranges (Network Access), within which no security token is asked for, as within a profile's;
// and the switch that holds every request to a profile's ranges, not just signing in (Session Settings, "Enforce login IP
// ranges on every request").

const maxRanges = 100

// addrRange is the addresses from one to another, both included and of one family.
type addrRange struct{ from, to netip.Addr }

// parseRange reads "first-last", a CIDR prefix or one address.
func parseRange(text string) (addrRange, error) {
	text = strings.TrimSpace(text)
	if p, err := netip.ParsePrefix(text); err == nil {
		return addrRange{p.Masked().Addr(), lastOf(p)}, nil
	}
	first, last, isPair := strings.Cut(text, "-")
	if !isPair {
		last = first
	}
	from, err := netip.ParseAddr(strings.TrimSpace(first))
	if err == nil {
		var to netip.Addr
		if to, err = netip.ParseAddr(strings.TrimSpace(last)); err == nil {
			if from, to = from.Unmap().WithZone(""), to.Unmap().WithZone(""); from.BitLen() == to.BitLen() && !to.Less(from) {
				return addrRange{from, to}, nil
			}
			err = fmt.Errorf("%s does not come after %s", to, from)
		}
	}
	return addrRange{}, fmt.Errorf("IP range %s: write 203.0.113.0-203.0.113.255, 203.0.113.0/24 or one address: %w", shorten(text), err)
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(raw) // as long as it was
	return last
}

func parseRanges(list []string) ([]addrRange, error) {
	if len(list) > maxRanges {
		return nil, fmt.Errorf("more than %d IP ranges", maxRanges)
	}
	out := make([]addrRange, 0, len(list))
	for _, text := range list {
		r, err := parseRange(text)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// within reports whether an address, given as host:port or alone, is in one of the ranges.
func within(ranges []addrRange, remote string) bool {
	at, err := netip.ParseAddr(remote)
	if pair, pairErr := netip.ParseAddrPort(remote); pairErr == nil {
		at, err = pair.Addr(), nil
	}
	if err != nil {
		return false
	}
	at = at.Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(r addrRange) bool { return !at.Less(r.from) && !r.to.Less(at) && at.BitLen() == r.from.BitLen() })
}

// SetLoginRanges sets the login IP ranges of a profile, each written as first-last, a prefix or one address; none lifts them.
// It grants and takes nothing else. The administrator's own profile has none, so that there is always a way back in.
func (o *Org) SetLoginRanges(ctx context.Context, profile string, ranges []string) error {
	if profile == adminProfile && len(ranges) > 0 {
		return fmt.Errorf("the profile %s has no login IP ranges: put the user into another", adminProfile)
	}
	if _, err := parseRanges(ranges); err != nil {
		return err
	}
	return o.changeRules(ctx, func(_ *sql.Tx, rules *accessRules) error {
		if len(ranges) == 0 {
			delete(rules.Ranges, profile)
			return nil
		}
		if rules.Ranges == nil {
			rules.Ranges = map[string][]string{}
		}
		rules.Ranges[profile] = slices.Clone(ranges)
		if len(rules.Ranges) > maxGrants {
			return fmt.Errorf("more than %d profiles with login IP ranges", maxGrants)
		}
		return nil
	})
}

// LoginRanges are the login IP ranges of a profile, as they were written; none: its users come from anywhere.
func (o *Org) LoginRanges(profile string) []string {
	o.access.mu.RLock()
	defer o.access.mu.RUnlock()
	return slices.Concat(o.access.rules.Profiles[profile].LoginRanges, o.access.rules.Ranges[profile])
}

// rangesOf are the login IP ranges of a user's profile. The second is false when they cannot be read: nobody is let in then.
func (o *Org) rangesOf(ctx context.Context, user string) ([]addrRange, bool) {
	o.access.mu.RLock()
	none := len(o.access.rules.Profiles) == 0 && len(o.access.rules.Ranges) == 0
	o.access.mu.RUnlock()
	if none {
		return nil, true
	}
	var profile, name string
	if err := o.store.read.QueryRowContext(ctx, qProfileOf, user).Scan(&profile, &name); err != nil {
		return nil, false
	}
	ranges, err := parseRanges(o.LoginRanges(profile))
	return ranges, err == nil
}

// mayCome reports whether a user may sign in from an address, given as host:port.
func (o *Org) mayCome(ctx context.Context, user, remote string) bool {
	ranges, known := o.rangesOf(ctx, user)
	return known && (len(ranges) == 0 || within(ranges, remote))
}

// trusts reports whether a user who comes from an address needs no security token: it is in the org's trusted ranges or in
// those of the user's profile.
func (o *Org) trusts(r *http.Request, user string) bool {
	if o.opts.TrustLoopback && kit.FromLoopback(r) {
		return true
	}
	if ranges, err := parseRanges(o.Security().TrustedRanges); err == nil && within(ranges, r.RemoteAddr) {
		return true
	}
	own, _ := o.rangesOf(r.Context(), user)
	return within(own, r.RemoteAddr)
}

// sessionOf is the live session of an access token that comes from an address, nil when there is none, or when every
// request is held to the login IP ranges and this one is outside of them.
func (o *Org) sessionOf(ctx context.Context, token, remote string) *session {
	s := o.sessions.find(token, false)
	o.settings.mu.RLock()
	free := o.settings.Security == nil || !o.settings.Security.EnforceRanges
	o.settings.mu.RUnlock()
	if s == nil || free {
		return s
	}
	if app := o.apps.find(s.client); app != nil && app.RelaxIP || o.mayCome(ctx, s.user, remote) {
		return s
	}
	return nil
}

// Security is what Setup says about signing in: Network Access, Session Settings and Password Policies.
type Security struct {
	// TrustedRanges are the addresses that need no security token.
	TrustedRanges []string `json:"trusted_ranges"`
	// EnforceRanges holds every request to the login IP ranges of the user's profile.
	EnforceRanges bool `json:"enforce_login_ranges"`
	// MaxAttempts is how many wrong passwords in a row lock a user out; 0: any number.
	MaxAttempts int `json:"max_login_attempts"`
	// LockoutMinutes is how long a user stays locked out; 0: until an administrator unlocks.
	LockoutMinutes int `json:"lockout_minutes"`
}

// The platform's own defaults (Salesforce Help, "Set Password Policies").
const (
	defaultAttempts = 10
	defaultLockout  = 15
	maxLockout      = 60 * 24
)

// Security returns the settings.
func (o *Org) Security() Security {
	o.settings.mu.RLock()
	defer o.settings.mu.RUnlock()
	if o.settings.Security == nil {
		return Security{TrustedRanges: []string{}, MaxAttempts: defaultAttempts, LockoutMinutes: defaultLockout}
	}
	s := *o.settings.Security
	s.TrustedRanges = slices.Clone(s.TrustedRanges)
	return s
}

// SetSecurity changes the settings; they outlive a restart.
func (o *Org) SetSecurity(ctx context.Context, s Security) error {
	if _, err := parseRanges(s.TrustedRanges); err != nil {
		return err
	}
	if s.MaxAttempts < 0 || s.MaxAttempts > 100 || s.LockoutMinutes < 0 || s.LockoutMinutes > maxLockout {
		return fmt.Errorf("max_login_attempts is 0 to 100, lockout_minutes 0 to %d", maxLockout)
	}
	s.TrustedRanges = append([]string{}, s.TrustedRanges...)
	return o.changeSettings(ctx, func(all *settings) { all.Security = &s })
}

// getSecurity and putSecurity answer /sandbox/api/security.
func (o *Org) getSecurity(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, o.Security())
}

// putSecurity changes what is given.
func (o *Org) putSecurity(w http.ResponseWriter, r *http.Request) {
	s := o.Security()
	err := strict(r, &s)
	if err == nil {
		err = o.SetSecurity(r.Context(), s)
	}
	if err != nil {
		writeFault(w, badRequest("INVALID_INPUT", "%s", err))
		return
	}
	o.getSecurity(w, r)
}

// putLoginRanges answers /sandbox/api/profiles/{name}/login-ranges.
func (o *Org) putLoginRanges(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Ranges []string `json:"ranges"`
	}
	err := strict(r, &in)
	if err == nil {
		err = o.SetLoginRanges(r.Context(), r.PathValue("name"), in.Ranges)
	}
	if err != nil {
		writeFault(w, badRequest("INVALID_INPUT", "%s", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

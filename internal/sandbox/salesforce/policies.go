package salesforce

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// What a connected app's policies allow, as the platform has them under Manage Connected Apps.

// Who may use an app (Permitted Users).
const (
	// PermitAll lets every user in, and takes consent for given where nobody can be asked.
	PermitAll = ""
	// PermitSelf is "All users may self-authorize": where nobody can be asked, the user must have let the app in before.
	PermitSelf = "self_authorize"
	// PermitAdmin is "Admin approved users are pre-authorized": users of the app's profiles and permission sets.
	PermitAdmin = "admin_approved"
)

// How long a refresh token lives (Refresh Token Policy).
const (
	RefreshUntilRevoked = ""
	RefreshImmediately  = "expire_immediately"   // it is dead when it is given
	RefreshUnused       = "expire_if_not_used"   // for RefreshTokenHours
	RefreshAfter        = "expire_after_a_while" // RefreshTokenHours
)

const (
	untilRevoked    = 100 * 365 * 24 * time.Hour
	maxRefreshHours = 24 * 365 * 10
	maxAppNames     = 100
)

// knownScopes are the OAuth scopes an app can ask for (Salesforce Help, "OAuth Tokens and Scopes").
func knownScopes() []string {
	return []string{
		"address", "api", "cdp_api", "cdp_calculated_insight_api", "cdp_identityresolution_api", "cdp_ingest_api", "cdp_profile_api",
		"cdp_query_api", "cdp_segment_api", "chatbot_api", "chatter_api", "content", "custom_permissions", "eclair_api", "einstein_gpt_api",
		"email", "forgot_password", "full", "id", "interaction_api", "introspect_all_tokens", "lightning", "mcp_api", "offline_access", "openid",
		"phone", "profile", "pardot_api", "pwdless_login_api", "refresh_token", "scrt_api", "sfap_api", "user_registration_api", "visualforce",
		"wave_api", "web",
	}
}

// checkPolicies refuses policies that cannot be kept.
func (a *App) checkPolicies() error {
	switch {
	case !slices.Contains([]string{PermitAll, PermitSelf, PermitAdmin}, a.PermittedUsers):
		return fmt.Errorf("permitted_users %q is unknown: use %s or %s, or leave it out", shorten(a.PermittedUsers), PermitSelf, PermitAdmin)
	case !slices.Contains([]string{RefreshUntilRevoked, RefreshImmediately, RefreshUnused, RefreshAfter}, a.RefreshTokenPolicy):
		return fmt.Errorf("refresh_token_policy %q is unknown: use %s, %s or %s, or leave it out", shorten(a.RefreshTokenPolicy), RefreshImmediately, RefreshUnused, RefreshAfter)
	case (a.RefreshTokenPolicy == RefreshUnused || a.RefreshTokenPolicy == RefreshAfter) && (a.RefreshTokenHours < 1 || a.RefreshTokenHours > maxRefreshHours):
		return fmt.Errorf("refresh_token_hours is 1 to %d with this policy", maxRefreshHours)
	case len(a.Profiles) > maxAppNames, len(a.PermissionSets) > maxAppNames:
		return fmt.Errorf("an app names at most %d profiles and permission sets", maxAppNames)
	}
	for _, s := range a.Scopes {
		if !slices.Contains(knownScopes(), s) {
			return fmt.Errorf("the scope %q is unknown: use %s", shorten(s), strings.Join(knownScopes(), ", "))
		}
	}
	return nil
}

// refreshTTL is how long a refresh token that is given now lives.
func (a *App) refreshTTL() time.Duration {
	switch a.RefreshTokenPolicy {
	case RefreshImmediately:
		return 0
	case RefreshUnused, RefreshAfter:
		return time.Duration(min(a.RefreshTokenHours, math.MaxInt32)) * time.Hour
	}
	return untilRevoked
}

// allowsScope reports whether all scopes that are asked for exist and are among the app's.
func (a *App) allowsScope(asked string) bool {
	for s := range strings.FieldsSeq(asked) {
		if !slices.Contains(knownScopes(), s) || len(a.Scopes) > 0 && !slices.Contains(a.Scopes, s) && !impliedScope(a.Scopes, s) {
			return false
		}
	}
	return true
}

// impliedScope reports whether a scope comes with others: refresh_token and offline_access are one, and everything but
// these and openid is within full.
func impliedScope(has []string, s string) bool {
	switch s {
	case "refresh_token":
		return slices.Contains(has, "offline_access")
	case "offline_access":
		return slices.Contains(has, "refresh_token")
	case "id":
		return true
	case "openid", "introspect_all_tokens":
		return false
	}
	return slices.Contains(has, "full")
}

func disallowedScope() *oauthError {
	return &oauthError{"invalid_scope", "the requested scope is not allowed"}
}

// scope is what a token is given for: what is asked for, or all of the app's.
func (a *App) scope(asked string) string {
	if s := strings.Join(strings.Fields(asked), " "); s != "" {
		return s
	}
	return orElse(strings.Join(a.Scopes, " "), fullScope)
}

// scopeWithout is the app's scopes for a flow that gives no refresh token.
func (a *App) scopeWithout(otherwise string) string {
	kept := slices.DeleteFunc(slices.Clone(a.Scopes), func(s string) bool { return s == "refresh_token" || s == "offline_access" })
	return orElse(strings.Join(kept, " "), otherwise)
}

// mayUse refuses a user whom an administrator would have to let in.
func (o *Org) mayUse(ctx context.Context, app *registered, user string) error {
	if app.PermittedUsers != PermitAdmin {
		return nil
	}
	allowed, err := o.preAuthorized(ctx, app, user)
	if err == nil && !allowed {
		return &oauthError{"invalid_app_access", "user is not admin approved to access this app"}
	}
	return err
}

// hasApproved refuses a flow without a person when the user has not let the app in, and nobody has for the user.
func (o *Org) hasApproved(ctx context.Context, app *registered, user string) error {
	if app.PermittedUsers == PermitSelf && !o.sessions.approved(user, app.ClientID) {
		return invalidGrant("user hasn't approved this consumer")
	}
	return o.mayUse(ctx, app, user)
}

const qSetsOf = `SELECT p."Name" FROM "PermissionSetAssignment" a JOIN "PermissionSet" p ON p."Id" = a."PermissionSetId"
WHERE a."AssigneeId" = ? AND a."IsDeleted" = 0 AND p."IsDeleted" = 0`

// preAuthorized reports whether a user's profile, or a permission set the user is assigned to, is one of the app's.
func (o *Org) preAuthorized(ctx context.Context, app *registered, user string) (bool, error) {
	var profile, name string
	if err := o.store.read.QueryRowContext(ctx, qProfileOf, user).Scan(&profile, &name); err != nil {
		return false, fmt.Errorf("reading the profile of a user: %w", err)
	}
	if slices.ContainsFunc(app.Profiles, func(p string) bool { return strings.EqualFold(p, profile) }) {
		return true, nil
	}
	if len(app.PermissionSets) == 0 {
		return false, nil
	}
	rows, err := o.store.QueryContext(ctx, qSetsOf, user)
	if err != nil {
		return false, fmt.Errorf("reading the permission sets of a user: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return false, fmt.Errorf("reading the permission sets of a user: %w", err)
	}
	return slices.ContainsFunc(raw, func(row []any) bool {
		return slices.ContainsFunc(app.PermissionSets, func(p string) bool { return strings.EqualFold(p, text(row[0])) })
	}), nil
}

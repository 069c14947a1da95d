package salesforce

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// signer is the key id tokens are signed with. Making one takes a moment, so it is made when first asked for.
type signer struct {
	mu  sync.Mutex // guards key
	key *rsa.PrivateKey
}

const signingBits = 2048

func (o *Org) signingKey(ctx context.Context) (*rsa.PrivateKey, error) {
	o.signer.mu.Lock()
	defer o.signer.mu.Unlock()
	if o.signer.key != nil {
		return o.signer.key, nil
	}
	if text, err := o.store.meta(ctx, "signing_key"); err == nil {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("reading the signing key: %w", err)
		}
		if o.signer.key, err = x509.ParsePKCS1PrivateKey(raw); err != nil {
			return nil, fmt.Errorf("reading the signing key: %w", err)
		}
		return o.signer.key, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, signingBits)
	if err != nil {
		return nil, fmt.Errorf("making the signing key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key))
	if err := o.store.update(ctx, func(tx *sql.Tx) error { return setMeta(ctx, tx, "signing_key", text) }); err != nil {
		return nil, err
	}
	o.signer.key = key
	return key, nil
}

func keyID(key *rsa.PublicKey) string {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// keys answers /id/keys: the JWK set of the org (RFC 7517).
func (o *Org) keys(w http.ResponseWriter, r *http.Request) {
	key, err := o.signingKey(r.Context())
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	var e [4]byte
	binary.BigEndian.PutUint32(e[:], uint32(key.E)) //nolint:gosec // 65537
	exponent := strings.TrimLeft(string(e[:]), "\x00")
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID(&key.PublicKey),
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString([]byte(exponent)),
	}}})
}

// discovery answers /.well-known/openid-configuration (OpenID Connect Discovery 1.0).
func (o *Org) discovery(w http.ResponseWriter, r *http.Request) {
	base := o.base(r)
	oauth := base + "/services/oauth2/"
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": base, "authorization_endpoint": oauth + "authorize", "token_endpoint": oauth + "token",
		"revocation_endpoint": oauth + "revoke", "userinfo_endpoint": oauth + "userinfo", "introspection_endpoint": oauth + "introspect",
		"device_authorization_endpoint": oauth + "token",
		"jwks_uri":                      base + "/id/keys", "response_types_supported": []string{responseCode, responseToken}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      strings.Fields(fullScope + " openid profile email address phone offline_access introspect_all_tokens"),
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic", "private_key_jwt"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token", "client_credentials", "password", grantJWT, grantExchange, grantDevice},
		"code_challenge_methods_supported":      []string{"S256"}, "display_values_supported": []string{"page"},
		"claims_supported": []string{
			"active", "address", "email", "email_verified", "family_name", "given_name", "is_app_installed", "language", "locale", "name",
			"nickname", "organization_id", "phone_number", "picture", "preferred_username", "profile", "sub", "updated_at", "urls", "user_id",
			"user_type", "zoneinfo",
		},
	})
}

// idToken signs what an application that asked for openid learns of the user.
func (o *Org) idToken(r *http.Request, client, user, nonce, accessToken string) (string, error) {
	key, err := o.signingKey(r.Context())
	if err != nil {
		return "", err
	}
	half := sha256.Sum256([]byte(accessToken))
	now := o.now().Unix()
	claims := map[string]any{
		"iss": o.base(r), "sub": o.base(r) + "/id/" + orgID + "/" + user, "aud": client, "iat": now, "exp": now + 120,
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:sha256.Size/2]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the id token: %w", err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT","kid":"`+keyID(&key.PublicKey)+`"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	mac, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing the id token: %w", err)
	}
	return signed + "." + enc.EncodeToString(mac), nil
}

// introspect answers POST /services/oauth2/introspect (RFC 7662).
func (o *Org) introspect(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		writeOAuthError(w, r, &oauthError{"invalid_request", "must use HTTP POST with a form"})
		return
	}
	form := r.PostForm
	basicInto(r, form)
	if _, err := o.client(form, true); err != nil {
		o.refuseToken(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	s, kind := o.sessions.find(form.Get("token"), false), "access_token"
	if s == nil {
		s, kind = o.sessions.find(form.Get("token"), true), "refresh_token"
	}
	if s == nil || s.client != form.Get("client_id") {
		writeJSON(w, http.StatusOK, map[string]bool{"active": false})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"active": true, "scope": s.scope, "client_id": s.client, "username": s.name, "sub": o.base(r) + "/id/" + orgID + "/" + s.user,
		"token_type": kind, "exp": s.expires.Unix(), "iat": s.created.Unix(), "nbf": s.created.Unix(),
	})
}

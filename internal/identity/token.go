package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"hash/crc32"
	"math/big"
	"strings"
)

const (
	apiTokenPrefix = "tdm_"
	apiSecretLen   = 43 // base62 digits of 256 bits
	apiCheckLen    = 6  // base62 digits of a CRC-32
	accessPrefix   = "TDIA"
	base62Digits   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// newSessionToken returns 256 random bits as text.
func newSessionToken() string { return base64.RawURLEncoding.EncodeToString(randomBytes(32)) }

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// validSessionToken spares the store lookups of what cannot be a token.
func validSessionToken(token string) bool {
	if len(token) != 43 {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil
}

// csrfToken is bound to the session: who cannot read the session's cookie cannot compute it.
func csrfToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write([]byte("tandem csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckCSRF reports whether csrf is the token of the session, in constant time.
func CheckCSRF(session, csrf string) bool {
	return session != "" && subtle.ConstantTimeCompare([]byte(csrfToken(session)), []byte(csrf)) == 1
}

// newAPIToken returns "tdm_", 43 random digits and 6 digits of their checksum, so that a scanner of leaked secrets can tell a
// token from other text without asking the hub.
func newAPIToken() string {
	secret := base62(new(big.Int).SetBytes(randomBytes(32)), apiSecretLen)
	return apiTokenPrefix + secret + apiChecksum(secret)
}

func apiChecksum(secret string) string {
	sum := crc32.ChecksumIEEE([]byte(apiTokenPrefix + secret))
	return base62(new(big.Int).SetUint64(uint64(sum)), apiCheckLen)
}

// ValidAPIToken reports whether text has the form of an API token and its checksum fits.
func ValidAPIToken(text string) bool {
	body, ok := strings.CutPrefix(text, apiTokenPrefix)
	if !ok || len(body) != apiSecretLen+apiCheckLen {
		return false
	}
	for i := range len(body) {
		if strings.IndexByte(base62Digits, body[i]) < 0 {
			return false
		}
	}
	return apiChecksum(body[:apiSecretLen]) == body[apiSecretLen:]
}

func base62(n *big.Int, width int) string {
	out := make([]byte, width)
	mod, base := new(big.Int), big.NewInt(int64(len(base62Digits)))
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, mod)
		out[i] = base62Digits[mod.Int64()]
	}
	return string(out)
}

// newAccessKey returns an ID of 20 characters and a secret of 40, the lengths Amazon's clients expect.
func newAccessKey() (id, secret string) {
	return accessPrefix + base32.StdEncoding.EncodeToString(randomBytes(10)), base64.StdEncoding.EncodeToString(randomBytes(30))
}

func validAccessKeyID(id string) bool {
	if len(id) != 20 || !strings.HasPrefix(id, accessPrefix) {
		return false
	}
	_, err := base32.StdEncoding.DecodeString(id[4:])
	return err == nil
}

package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/tandemcc/tandem/internal/errs"
)

// Hashing are the parameters of argon2id (RFC 9106).
type Hashing struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultHashing is what new hashes are made with: the OWASP Password Storage Cheat Sheet's 19 MiB, 2 passes. A stored hash with
// other parameters is replaced at the next login.
func DefaultHashing() Hashing { return Hashing{Memory: 19 << 10, Time: 2, Threads: 1} }

const (
	saltLen     = 16
	hashLen     = 32
	maxPassword = 256 // bytes; longer ones only cost time
	// MinPassword is the default least length of a password in characters.
	MinPassword = 10
)

// hash returns the PHC string of a password.
func (h Hashing) hash(password string) string {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, h.Time, h.Memory, h.Threads, hashLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.Memory, h.Time, h.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

type phc struct {
	Hashing
	salt, key []byte
}

// parsePHC reads what hash wrote, within bounds that keep a hostile database from taking all memory.
func parsePHC(s string) (phc, error) {
	bad := errs.New(errs.Internal, "the stored password hash is damaged: have an administrator set the password")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || len(s) > 512 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, bad
	}
	params, ok := parseHashing(parts[3])
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if !ok || err1 != nil || err2 != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 {
		return phc{}, bad
	}
	return phc{params, salt, key}, nil
}

// parseHashing reads "m=19456,t=2,p=1".
func parseHashing(s string) (Hashing, bool) {
	params := strings.Split(s, ",")
	if len(params) != 3 {
		return Hashing{}, false
	}
	var n [3]uint32
	for i, want := range []struct {
		name        string
		least, most uint64
	}{{"m=", 8, 1 << 20}, {"t=", 1, 64}, {"p=", 1, 64}} {
		text, ok := strings.CutPrefix(params[i], want.name)
		v, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || v < want.least || v > want.most {
			return Hashing{}, false
		}
		n[i] = uint32(v)
	}
	return Hashing{n[0], n[1], uint8(n[2])}, true //nolint:gosec // at most 64
}

func (p phc) matches(password string) bool {
	key := argon2.IDKey([]byte(password), p.salt, p.Time, p.Memory, p.Threads, uint32(len(p.key))) //nolint:gosec // at most 64
	return subtle.ConstantTimeCompare(key, p.key) == 1
}

// hasher bounds how many passwords are hashed at once, as each takes memory and a core.
type hasher struct {
	params Hashing
	slots  chan struct{}
	dummy  string // hash of no password, checked when there is no user, so that both take the same time
}

func newHasher(params Hashing, slots int) *hasher {
	return &hasher{params: params, slots: make(chan struct{}, slots), dummy: params.hash(string(randomBytes(32)))}
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.Wrap(errs.Unavailable, context.Cause(ctx), "too many logins at once; try again")
	}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	return h.params.hash(password), nil
}

// verify reports whether the password fits the stored hash, "" for a user that does not exist, and whether the hash should be
// made anew with the present parameters.
func (h *hasher) verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	exists := stored != ""
	if !exists {
		stored = h.dummy
	}
	p, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer func() { <-h.slots }()
	ok = p.matches(password) && exists
	return ok, ok && p.Hashing != h.params, nil
}

// checkPassword applies the rules: length, not the login, not one character only.
func checkPassword(password, login string, least int) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return errs.New(errs.Invalid, "the password is not valid text")
	case n < least:
		return errs.New(errs.Invalid, "the password has %d characters: use at least %d", n, least)
	case len(password) > maxPassword:
		return errs.New(errs.Invalid, "the password is longer than %d bytes: use a shorter one", maxPassword)
	case login != "" && strings.Contains(strings.ToLower(password), login) && n < 2*utf8.RuneCountInString(login)+4:
		return errs.New(errs.Invalid, "the password is too close to the login: choose another one")
	case strings.Count(password, password[:1]) == len(password):
		return errs.New(errs.Invalid, "the password is one character repeated: choose another one")
	}
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

package identity

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestPasswordRules(t *testing.T) {
	for _, c := range []struct {
		password, login string
		ok              bool
	}{
		{"correct horse", "ann", true},
		{"short", "ann", false},
		{"ünïcödé10!", "ann", true},
		{"ünïcödé9!", "ann", false},
		{"aaaaaaaaaaaa", "ann", false},
		{"annabel.lee", "annabel.lee", false},
		{"ANNABEL.LEE1", "annabel.lee", false},
		{"annabel.lee likes her coffee black", "annabel.lee", true},
		{strings.Repeat("ab", 129), "ann", false},
		{"bad \xff text 123", "ann", false},
		{"", "", false},
	} {
		err := checkPassword(c.password, c.login, MinPassword)
		if (err == nil) != c.ok || err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%q for %s: %v", c.password, c.login, err)
		}
	}
}

func TestHashing(t *testing.T) {
	h := newHasher(Hashing{Memory: 64, Time: 1, Threads: 1}, 2)
	one, err := h.hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := h.hash(t.Context(), "secret"); one == two {
		t.Error("two hashes of one password are equal: no salt")
	}
	for _, c := range []struct {
		stored, password string
		ok, stale        bool
	}{
		{one, "secret", true, false},
		{one, "Secret", false, false},
		{"", "secret", false, false},
		{Hashing{Memory: 32, Time: 1, Threads: 1}.hash("secret"), "secret", true, true},
		{Hashing{Memory: 32, Time: 1, Threads: 1}.hash("secret"), "other", false, false},
	} {
		ok, stale, err := h.verify(t.Context(), c.stored, c.password)
		if err != nil || ok != c.ok || stale != c.stale {
			t.Errorf("%+v: %v %v %v", c, ok, stale, err)
		}
	}
	if _, _, err := h.verify(t.Context(), "$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "x"); !errs.Is(err, errs.Internal) {
		t.Errorf("a hash that asks for all memory: %v", err)
	}
	// The reference implementation's vector: echo -n "password" | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32
	p, err := parsePHC("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil || !p.matches("password") {
		t.Errorf("the reference vector does not match: %v", err)
	}
}

func TestDefaultHashingIsPinned(t *testing.T) {
	if DefaultHashing() != (Hashing{Memory: 19456, Time: 2, Threads: 1}) {
		t.Errorf("the parameters of stored passwords changed to %+v", DefaultHashing())
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(Hashing{Memory: 64, Time: 1, Threads: 1}.hash("x"))
	f.Add("$argon2id$v=19$m=0,t=0,p=0$$")
	f.Add("$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err == nil && (p.Memory > 1<<20 || p.Time > 64 || p.Threads > 64 || p.Threads == 0 || len(p.key) < 16) {
			t.Fatalf("%q gives %+v", s, p.Hashing)
		}
	})
}

func TestTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		tok, sess := newAPIToken(), newSessionToken()
		id, secret := newAccessKey()
		if !ValidAPIToken(tok) || !validSessionToken(sess) || !validAccessKeyID(id) || len(secret) != 40 || !strings.HasPrefix(tok, "tdm_") {
			t.Fatalf("%s %s %s %s", tok, sess, id, secret)
		}
		if seen[tok] || seen[sess] || seen[id] {
			t.Fatal("a token came twice")
		}
		seen[tok], seen[sess], seen[id] = true, true, true
	}
	rapid.Check(t, func(rt *rapid.T) {
		tok := []byte(newAPIToken())
		i := rapid.IntRange(0, len(tok)-1).Draw(rt, "at")
		c := rapid.SampledFrom([]byte(base62Digits+"_- ")).Draw(rt, "char")
		changed := tok[i] != c
		tok[i] = c
		if ValidAPIToken(string(tok)) == changed {
			rt.Fatalf("%s: one character changed (%v) is valid (%v)", tok, changed, !changed)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add(newAPIToken())
	f.Add(newSessionToken())
	f.Add("TDIAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if ValidAPIToken(s) && len(s) != len(apiTokenPrefix)+apiSecretLen+apiCheckLen {
			t.Fatal("length")
		}
		if validAccessKeyID(s) && strings.ToUpper(s) != s {
			t.Fatal("case")
		}
		if validSessionToken(s) && !CheckCSRF(s, csrfToken(s)) {
			t.Fatal("csrf")
		}
		if CheckCSRF(s, "") || CheckCSRF("", s) {
			t.Fatal("empty csrf")
		}
	})
}

func TestSources(t *testing.T) {
	s := newSources()
	now := time.Unix(1_790_000_000, 0)
	for i := range 3 * maxSources {
		s.allow(fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), now)
	}
	if len(s.m) > maxSources {
		t.Errorf("%d sources are held", len(s.m))
	}
	for addr, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1/32",
		"192.0.2.1:80":           "192.0.2.1/32",
		"::ffff:192.0.2.1":       "192.0.2.1/32",
		"[2001:db8::5]:80":       "2001:db8::/64",
		"fe80::1%eth0":           "fe80::/64",
		"@":                      netip.Prefix{}.String(),
		"2001:db8:0:0:ffff::1":   "2001:db8::/64",
		"2001:db8:0:1:ffff::1":   "2001:db8:0:1::/64",
		"[::ffff:192.0.2.9]:443": "192.0.2.9/32",
	} {
		if got := sourceKey(addr).String(); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
	used := 0
	for range 100 {
		if s.allow("203.0.113.9", now) {
			used++
		}
	}
	if used != sourceBurst {
		t.Errorf("%d at once, want %d", used, sourceBurst)
	}
	if !s.allow("203.0.113.9", now.Add(2*time.Second)) || s.allow("203.0.113.9", now.Add(2*time.Second)) {
		t.Error("one more is to be allowed every two seconds")
	}
}

func TestKeyCache(t *testing.T) {
	c := newKeyCache()
	now := time.Unix(1_790_000_000, 0)
	_, gen := c.get("a", now)
	c.drop("a") // deleted while it was read
	c.put("a", keyEntry{secret: "s", until: now.Add(time.Minute)}, gen)
	if e, _ := c.get("a", now); e.secret != "" {
		t.Error("a deleted key came back")
	}
	_, gen = c.get("a", now)
	c.put("a", keyEntry{secret: "s", until: now.Add(time.Minute)}, gen)
	if e, _ := c.get("a", now); e.secret != "s" {
		t.Error("a key was not kept")
	}
	if e, _ := c.get("a", now.Add(time.Minute)); e.secret != "" {
		t.Error("an old key was kept")
	}
	for i := range 5000 {
		c.put(fmt.Sprint(i), keyEntry{secret: "s", until: now.Add(time.Minute)}, gen)
	}
	if len(c.m) > maxKeyCache {
		t.Errorf("%d keys are held", len(c.m))
	}
}

func BenchmarkLoginHash(b *testing.B) {
	stored := DefaultHashing().hash("correct horse")
	p, err := parsePHC(stored)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.matches("correct horse")
	}
}

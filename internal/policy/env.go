package policy

import "strings"

// maxSlots is how many keys of a Set an env remembers; others are searched for each time.
const maxSlots = 64

// contextKey is a condition key a Set asks for.
type contextKey struct {
	name    string // lower case
	derived derived
}

// derived marks keys whose value the request itself gives.
type derived uint8

const (
	given derived = iota
	derivedPrincipalARN
	derivedPrincipalAccount
	derivedIsService
	derivedServiceName
	derivedResourceAccount
)

func derivedKey(lower string) derived {
	switch lower {
	case "aws:principalarn":
		return derivedPrincipalARN
	case "aws:principalaccount":
		return derivedPrincipalAccount
	case "aws:principalisawsservice":
		return derivedIsService
	case "aws:principalservicename":
		return derivedServiceName
	case "aws:resourceaccount":
		return derivedResourceAccount
	default:
		return given
	}
}

// env is one request seen by one Set: it finds each condition key once. It lives on the stack.
type env struct {
	req   *Request
	set   *Set
	slots [maxSlots]int16 // 0 not searched, -1 absent, else index+1
	extra Attr            // holds a derived value

	conditions, resources memo
}

// memo remembers the outcome of the first 64 of something.
type memo struct{ known, truth uint64 }

func (m *memo) get(i int) (truth, known bool) {
	if i >= 64 || m.known>>i&1 == 0 {
		return false, false
	}
	return m.truth>>i&1 == 1, true
}

func (m *memo) put(i int, truth bool) bool {
	if i < 64 {
		m.known |= 1 << i
		if truth {
			m.truth |= 1 << i
		}
	}
	return truth
}

// covers reports whether a Resource or NotResource element of the Set matches.
func (e *env) covers(list int) bool {
	if truth, known := e.resources.get(list); known {
		return truth
	}
	return e.resources.put(list, e.set.resources[list].match(e))
}

// holds reports whether a condition of the Set does.
func (e *env) holds(condition int) bool {
	if truth, known := e.conditions.get(condition); known {
		return truth
	}
	return e.conditions.put(condition, e.set.conditions[condition].match(e))
}

// lookup returns the attribute for a key, nil if the request has none. A derived value is good until the next lookup.
func (e *env) lookup(key int) *Attr {
	if key < maxSlots {
		switch n := e.slots[key]; {
		case n > 0:
			return &e.req.Context[n-1]
		case n < 0:
			return nil
		}
	}
	k := &e.set.keys[key]
	if k.derived != given {
		text, ok := e.derive(k.derived)
		if !ok {
			return nil
		}
		e.extra.text = text
		return &e.extra
	}
	found := -1
	for i := range e.req.Context {
		if equalFold(e.req.Context[i].Key, k.name) {
			found = i
			break
		}
	}
	if key < maxSlots && found < 1<<15-1 {
		e.slots[key] = int16(max(found+1, 0))
		if found < 0 {
			e.slots[key] = -1
		}
	}
	if found < 0 {
		return nil
	}
	return &e.req.Context[found]
}

func (e *env) derive(d derived) (string, bool) {
	p := &e.req.Principal
	switch d {
	case derivedPrincipalARN:
		return p.keyARN(), p.ownsPolicies()
	case derivedPrincipalAccount:
		return p.account, p.account != "" && p.ownsPolicies()
	case derivedIsService:
		if p.kind == servicePrincipal {
			return "true", true
		}
		return "false", true
	case derivedServiceName:
		return p.arn, p.kind == servicePrincipal
	default:
		return e.req.Resource.account, e.req.Resource.account != ""
	}
}

// resolve returns the value of a policy variable: that of a key with one value, or the default.
func (e *env) resolve(t *token) (string, bool) {
	if d := e.set.keys[t.key].derived; d != given {
		if text, ok := e.derive(d); ok {
			return text, true
		}
		return t.def, t.hasDef
	}
	if a := e.lookup(t.key); a != nil {
		if text, ok := a.single(); ok {
			return text, true
		}
	}
	return t.def, t.hasDef
}

// equalFold compares a key with a lower-case name. Lengths differ for most pairs, which settles them at once.
func equalFold(key, lower string) bool {
	if len(key) != len(lower) {
		return strings.EqualFold(key, lower) && !isASCII(key)
	}
	for i := range len(key) {
		if key[i] != lower[i] && lowerByte(key[i]) != lower[i] {
			return key[i] >= 0x80 && strings.EqualFold(key, lower)
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

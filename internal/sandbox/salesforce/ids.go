package salesforce

import "strings"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// suffixAlphabet spells the check characters: bit i of the index is set when character i of a group of five is upper case.
const suffixAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// makeID returns the 18-character id number n of a key prefix.
func makeID(prefix string, n int64) string {
	var buf [15]byte
	copy(buf[:], prefix)
	for i := len(buf) - 1; i >= len(prefix); i-- {
		buf[i] = base62[n%62]
		n /= 62
	}
	id := string(buf[:])
	return id + idSuffix(id)
}

// idSuffix returns the three check characters of a 15-character id.
func idSuffix(id string) string {
	var out [3]byte
	for group := range 3 {
		bits := 0
		for i, c := range []byte(id[group*5 : group*5+5]) {
			if c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		out[group] = suffixAlphabet[bits]
	}
	return string(out[:])
}

// normalID returns the 18-character form of an id. A 15-character id is taken as it is; in an 18-character one the check
// characters restore the case, which is what they are for.
func normalID(id string) (string, bool) {
	for i := range len(id) {
		if !isAlnum(id[i]) {
			return "", false
		}
	}
	switch len(id) {
	case 15:
		return id + idSuffix(id), true
	case 18:
		return restoreCase(id)
	}
	return "", false
}

func restoreCase(id string) (string, bool) {
	out := []byte(id[:15])
	for group := range 3 {
		bits := strings.IndexByte(suffixAlphabet, upper(id[15+group]))
		if bits < 0 {
			return "", false
		}
		for i := range 5 {
			c := &out[group*5+i]
			if bits&(1<<i) != 0 {
				*c = upper(*c)
				if *c < 'A' {
					return "", false
				}
			} else if *c >= 'A' && *c <= 'Z' {
				*c += 'a' - 'A'
			}
		}
	}
	s := string(out)
	return s + idSuffix(s), true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

package policy

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
)

// operator is a condition operator taken apart.
type operator struct {
	base     string // canonical name without set prefix and IfExists
	family   family
	cmp      comparison
	negated  bool
	ifExists bool
	set      quantifier
}

type family uint8

const (
	familyString family = iota
	familyFold
	familyLike
	familyNumeric
	familyDate
	familyBool
	familyBinary
	familyIP
	familyARN
	familyNull
)

// readsText reports whether the operators compare text, which Number, Time and IP attributes have to be turned into.
func (f family) readsText() bool {
	switch f {
	case familyString, familyFold, familyLike, familyARN, familyBinary:
		return true
	default:
		return false
	}
}

type comparison uint8

const (
	equal comparison = iota
	less
	lessEqual
	greater
	greaterEqual
)

func (c comparison) holds(sign int) bool {
	switch c {
	case less:
		return sign < 0
	case lessEqual:
		return sign <= 0
	case greater:
		return sign > 0
	case greaterEqual:
		return sign >= 0
	default:
		return sign == 0
	}
}

type quantifier uint8

const (
	one quantifier = iota
	forAnyValue
	forAllValues
)

// operators are those of the IAM User Guide, "Condition operators".
var operators = [...]operator{
	{base: "StringEquals", family: familyString},
	{base: "StringNotEquals", family: familyString, negated: true},
	{base: "StringEqualsIgnoreCase", family: familyFold},
	{base: "StringNotEqualsIgnoreCase", family: familyFold, negated: true},
	{base: "StringLike", family: familyLike},
	{base: "StringNotLike", family: familyLike, negated: true},
	{base: "NumericEquals", family: familyNumeric},
	{base: "NumericNotEquals", family: familyNumeric, negated: true},
	{base: "NumericLessThan", family: familyNumeric, cmp: less},
	{base: "NumericLessThanEquals", family: familyNumeric, cmp: lessEqual},
	{base: "NumericGreaterThan", family: familyNumeric, cmp: greater},
	{base: "NumericGreaterThanEquals", family: familyNumeric, cmp: greaterEqual},
	{base: "DateEquals", family: familyDate},
	{base: "DateNotEquals", family: familyDate, negated: true},
	{base: "DateLessThan", family: familyDate, cmp: less},
	{base: "DateLessThanEquals", family: familyDate, cmp: lessEqual},
	{base: "DateGreaterThan", family: familyDate, cmp: greater},
	{base: "DateGreaterThanEquals", family: familyDate, cmp: greaterEqual},
	{base: "Bool", family: familyBool},
	{base: "BinaryEquals", family: familyBinary},
	{base: "IpAddress", family: familyIP},
	{base: "NotIpAddress", family: familyIP, negated: true},
	{base: "ArnEquals", family: familyARN},
	{base: "ArnLike", family: familyARN},
	{base: "ArnNotEquals", family: familyARN, negated: true},
	{base: "ArnNotLike", family: familyARN, negated: true},
	{base: "Null", family: familyNull},
}

// parseOperator reads an operator without regard to case; fix is what to do if there is none of that name.
func parseOperator(s string) (op operator, fix string) {
	base, set := s, one
	if prefix, rest, ok := strings.Cut(s, ":"); ok {
		switch {
		case strings.EqualFold(prefix, "ForAnyValue"):
			set = forAnyValue
		case strings.EqualFold(prefix, "ForAllValues"):
			set = forAllValues
		default:
			return operator{}, "the prefix is ForAnyValue: or ForAllValues:"
		}
		base = rest
	}
	const suffix = "IfExists"
	ifExists := len(base) > len(suffix) && strings.EqualFold(base[len(base)-len(suffix):], suffix)
	if ifExists {
		base = base[:len(base)-len(suffix)]
	}
	for _, o := range operators {
		if !strings.EqualFold(o.base, base) {
			continue
		}
		if o.family == familyNull && (ifExists || set != one) {
			return operator{}, "Null takes neither IfExists nor a set prefix: write Null"
		}
		o.ifExists, o.set = ifExists, set
		return o, ""
	}
	return operator{}, suggestOperator(base)
}

// suggestOperator guesses what was meant from the words in an unknown name.
func suggestOperator(base string) string {
	lower := strings.ToLower(base)
	for _, o := range operators {
		name := strings.ToLower(o.base)
		if strings.HasPrefix(lower, name) || strings.HasPrefix(name, lower) && len(lower) > 3 {
			return "write " + o.base
		}
	}
	return "use one of StringEquals, StringLike, NumericEquals, DateLessThan, Bool, IpAddress, ArnLike, Null or their kin"
}

// takesVariables reports whether values may hold policy variables (IAM User Guide, "Where you can use policy variables").
func (o operator) takesVariables() bool {
	switch o.family {
	case familyString, familyFold, familyLike, familyARN:
		return true
	default:
		return false
	}
}

// operand is a compiled value of a condition.
type operand struct {
	never  bool // an unfilled placeholder where a typed value should be: matches nothing
	text   pattern
	arn    arnPattern
	number float64
	at     instant
	net    netip.Prefix
	truth  bool
}

// compileValue reads a value for the operator. The variables in it still lack their key numbers.
func (o operator) compileValue(s string, vars bool) (operand, error) {
	var v operand
	var ok bool
	switch o.family {
	case familyString, familyFold, familyLike:
		tokens, err := parseTemplate(s, vars, o.family == familyLike)
		v.text = newPattern(tokens)
		return v, err
	case familyARN:
		var err error
		v.arn, err = newARNPattern(s, vars, func([]token) {})
		return v, err
	case familyNumeric:
		v.number, ok = parseNumber(s)
		return v, wants(ok, "write a decimal number, such as 3600")
	case familyDate:
		v.at, ok = parseInstant(s)
		return v, wants(ok, "write an ISO 8601 time such as 2026-01-31T00:00:00Z, or Unix seconds")
	case familyBinary:
		raw, err := base64.StdEncoding.DecodeString(s)
		v.text = pattern{text: base64.StdEncoding.EncodeToString(raw)}
		return v, wants(err == nil, "write base64 with padding")
	case familyIP:
		v.net, ok = parseNet(s)
		return v, wants(ok, "write an address or a CIDR block, such as 203.0.113.0/24 or 2001:db8::/32")
	default:
		v.truth = strings.EqualFold(s, "true")
		return v, wants(v.truth || strings.EqualFold(s, "false"), `write "true" or "false"`)
	}
}

func wants(ok bool, fix string) error {
	if ok {
		return nil
	}
	return errors.New(fix)
}

// parseNet reads an address or a CIDR block.
//
// The IPv4 block of length 0 covers its own address only: so reads it the independent evaluator whose decisions are the
// reference for this package. By the arithmetic of RFC 4632 §3.1 0.0.0.0/0 is every address, and a Deny that means it so
// does not deny here; Lint therefore reports every such block as an Error (rule cidr-zero). zeroBlockIsHost is the one
// place to change the reading.
func parseNet(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		addr, ok := parseAddr(s)
		return netip.PrefixFrom(addr, addr.BitLen()), ok
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if zeroBlockIsHost && p.Bits() == 0 && p.Addr().Is4() {
		return netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), true
	}
	return p.Masked(), true
}

const zeroBlockIsHost = true

package policy

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Request is one question: may Principal do Action to Resource, given Context? It is read, never kept or changed.
type Request struct {
	Principal Principal
	Action    string // "service:Operation"; compared without regard to case
	Resource  Resource
	Context   Context
}

// Resource is what a request acts on. Make it with NewResource.
type Resource struct {
	// PolicyRequired makes the resource's own policy the gate, as with KMS keys: unless it allows the principal, or the
	// principal's account as a whole, nothing else can. Roles are gated so for the actions of sts without it.
	PolicyRequired bool

	arn     string
	account string
	ends    [5]uint16 // offsets of the first five colons
	isARN   bool
	isRole  bool
}

// NewResource reads the ARN of a resource, or "*" for an action on no particular resource. account is the account that
// owns it; "" takes it from the ARN. Bucket ARNs carry none: give it, since a resource whose account is unknown counts as
// foreign. KMS keys come out with PolicyRequired set. NewResource does not allocate.
func NewResource(arn, account string) Resource {
	r := Resource{arn: arn, account: account}
	n, from := 0, 0
	for n < len(r.ends) {
		i := strings.IndexByte(arn[from:], ':')
		if i < 0 || from+i > math.MaxUint16 {
			break
		}
		r.ends[n] = uint16(from + i) //nolint:gosec // checked above
		from += i + 1
		n++
	}
	r.isARN = n == len(r.ends) && strings.HasPrefix(arn, "arn:")
	if !r.isARN {
		return r
	}
	if r.account == "" {
		r.account = r.segment(4)
	}
	r.PolicyRequired = r.segment(2) == "kms" && strings.HasPrefix(r.segment(5), "key/")
	r.isRole = r.segment(2) == "iam" && strings.HasPrefix(r.segment(5), "role/")
	return r
}

// String returns the ARN.
func (r Resource) String() string { return r.arn }

// Account returns the owning account, "" if it is unknown.
func (r Resource) Account() string { return r.account }

// segment returns one of the six parts of an ARN.
func (r *Resource) segment(i int) string {
	start := 0
	if i > 0 {
		start = int(r.ends[i-1]) + 1
	}
	if i == len(r.ends) {
		return r.arn[start:]
	}
	return r.arn[start:r.ends[i]]
}

// Context holds the condition keys of a request. Keys are compared without regard to case; where a key occurs twice the
// first entry counts. The list is searched from the front: keep it short.
//
// aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalIsAWSService, aws:PrincipalServiceName and aws:ResourceAccount are
// taken from the request itself and cannot be set here.
type Context []Attr

// Attr is one condition key with its value. Make it with String, Strings, Bool, Number, Time or IP; a key without a value
// is left out of the Context.
type Attr struct {
	Key  string
	kind attrKind
	num  float64
	text string
	list []string
	nano int64
	sec  int64
	addr netip.Addr
}

type attrKind uint8

const (
	attrString attrKind = iota
	attrList
	attrBool
	attrNumber
	attrTime
	attrIP
)

// String returns a key with one text value. Every operator reads it: "300", "true" and "10.0.0.1" are converted as needed.
func String(key, value string) Attr { return Attr{Key: key, kind: attrString, text: value} }

// Strings returns a key with any number of values, even none or one. Only ForAnyValue, ForAllValues and Null read it.
func Strings(key string, values ...string) Attr { return Attr{Key: key, kind: attrList, list: values} }

// Bool returns a key that is true or false.
func Bool(key string, value bool) Attr {
	text := "false"
	if value {
		text = "true"
	}
	return Attr{Key: key, kind: attrBool, text: text}
}

// Number returns a numeric key. String operators see its shortest decimal form, at the cost of an allocation.
func Number(key string, value float64) Attr { return Attr{Key: key, kind: attrNumber, num: value} }

// Time returns a key that is an instant. String operators see it in RFC 3339, at the cost of an allocation.
func Time(key string, value time.Time) Attr {
	return Attr{Key: key, kind: attrTime, sec: value.Unix(), nano: int64(value.Nanosecond())}
}

// IP returns a key that is an address. String operators see its text, at the cost of an allocation.
func IP(key string, value netip.Addr) Attr { return Attr{Key: key, kind: attrIP, addr: value.Unmap()} }

// single returns the value as text; ok is false for a key of several values.
func (a *Attr) single() (text string, ok bool) {
	if a.kind == attrString || a.kind == attrBool {
		return a.text, true
	}
	return a.render()
}

func (a *Attr) render() (text string, ok bool) {
	switch a.kind {
	case attrList:
		return "", false
	case attrNumber:
		return strconv.FormatFloat(a.num, 'f', -1, 64), true
	case attrTime:
		return time.Unix(a.sec, a.nano).UTC().Format(time.RFC3339Nano), true
	case attrIP:
		return a.addr.String(), true
	default:
		return a.text, true
	}
}

// values returns all values as text, for Explain.
func (a *Attr) values() []string {
	if a.kind == attrList {
		return append([]string{}, a.list...)
	}
	text, _ := a.single()
	return []string{text}
}

// isBool reports whether the value is the given truth value. Text counts in any case, as with AWS.
func (a *Attr) isBool(want bool) bool {
	text, name := a.text, "false"
	if want {
		name = "true"
	}
	return text == name || (a.kind == attrString || a.kind == attrBool) && strings.EqualFold(text, name)
}

// number converts the value for a numeric operator.
func (a *Attr) number() (float64, bool) {
	switch a.kind {
	case attrNumber:
		return a.num, true
	case attrString:
		return parseNumber(a.text)
	default:
		return 0, false
	}
}

// instant is a point in time, comparable by fields.
type instant struct{ sec, nano int64 }

func (a *Attr) instant() (instant, bool) {
	switch a.kind {
	case attrTime:
		return instant{a.sec, a.nano}, true
	case attrString:
		return parseInstant(a.text)
	case attrNumber:
		return instant{sec: int64(a.num)}, true
	default:
		return instant{}, false
	}
}

func (a *Attr) ip() (netip.Addr, bool) {
	switch a.kind {
	case attrIP:
		return a.addr, a.addr.IsValid()
	case attrString:
		return parseAddr(a.text)
	default:
		return netip.Addr{}, false
	}
}

// parseNumber reads a decimal number. Hexadecimal, infinities and underscores, which strconv would take, are refused.
func parseNumber(s string) (float64, bool) {
	if s == "" || len(s) > 64 {
		return 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// parseAddr refuses zones: they have no meaning in a policy, and interning them would allocate.
func parseAddr(s string) (netip.Addr, bool) {
	if len(s) > 64 || strings.IndexByte(s, '%') >= 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap(), err == nil
}

// parseInstant reads the W3C profile of ISO 8601 or Unix seconds (IAM User Guide, "Date condition operators"). Four digits
// alone are a year.
func parseInstant(s string) (instant, bool) {
	if len(s) > 40 || len(s) < 1 {
		return instant{}, false
	}
	if allDigits(s) && len(s) != 4 {
		n, err := strconv.ParseInt(s, 10, 64)
		return instant{sec: n}, err == nil
	}
	layouts := [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}
	for _, layout := range layouts {
		if !dateShape(s, layout) {
			continue
		}
		if t, err := time.Parse(layout, s); err == nil {
			return instant{t.Unix(), int64(t.Nanosecond())}, true
		}
	}
	return instant{}, false
}

// dateShape spares time.Parse, whose errors allocate, the layouts that cannot fit.
func dateShape(s, layout string) bool {
	switch layout {
	case time.RFC3339Nano:
		return len(s) >= 20 && s[16] == ':'
	case "2006-01-02T15:04Z07:00":
		return len(s) >= 17 && s[16] != ':'
	default:
		return len(s) == len(layout)
	}
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

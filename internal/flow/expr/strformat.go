package expr

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// verb is one conversion of java.util.Formatter: %[index$][flags][width][.precision]conversion.
type verb struct {
	index     int // from 1, 0 for the next argument
	flags     string
	width     int
	precision int // -1 where absent
	conv      byte
}

// filterFormat is String.format with the input as the format.
func filterFormat(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	next := 0
	for i := 0; i < len(s); {
		if s[i] != '%' {
			b.WriteByte(s[i])
			i++
			continue
		}
		v, n, err := parseVerb(s[i:])
		if err != nil {
			return nil, err
		}
		i += n
		if err := r.build(v.width + max(v.precision, 0)); err != nil {
			return nil, err
		}
		out, err := r.formatVerb(v, &next, a.vals)
		if err != nil {
			return nil, err
		}
		b.WriteString(out)
	}
	return r.built(b.String())
}

func parseVerb(s string) (verb, int, error) {
	v := verb{precision: -1}
	i := 1
	if n, end := leadingInt(s, i); end > i && end < len(s) && s[end] == '$' && n > 0 {
		v.index, i = n, end+1
	}
	start := i
	for i < len(s) && strings.IndexByte("-#+ 0,(", s[i]) >= 0 {
		i++
	}
	v.flags = s[start:i]
	v.width, i = leadingInt(s, i)
	if i < len(s) && s[i] == '.' {
		n, end := leadingInt(s, i+1)
		if end == i+1 {
			return v, 0, fail("the format needs digits after the point")
		}
		v.precision, i = n, end
	}
	if i >= len(s) || strings.IndexByte("sSdoxXfeEgbBcCn%hH", s[i]) < 0 {
		return v, 0, failFix("Unknown format conversion", "write %% for a percent sign")
	}
	v.conv = s[i]
	return v, i + 1, nil
}

func leadingInt(s string, i int) (n, end int) {
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = min(n*10+int(s[i]-'0'), 1<<30)
	}
	return n, i
}

func (v verb) has(flag byte) bool { return strings.IndexByte(v.flags, flag) >= 0 }

func (r *run) formatVerb(v verb, next *int, args []any) (string, error) {
	switch v.conv {
	case 'n':
		return "\n", nil
	case '%':
		return v.padded("%"), nil
	}
	i := v.index - 1
	if v.index == 0 {
		i = *next
		*next++
	}
	if i >= len(args) {
		return "", failFix("Missing format argument", "give one argument for each % in the format")
	}
	body, err := r.formatArg(v, args[i])
	if err != nil {
		return "", err
	}
	if v.conv >= 'A' && v.conv <= 'Z' {
		body = javaUpper(body)
	}
	return v.padded(body), nil
}

func (v verb) padded(s string) string {
	n := v.width - units(s)
	if n <= 0 {
		return s
	}
	if v.has('-') {
		return s + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + s
}

func (r *run) formatArg(v verb, arg any) (string, error) {
	switch v.conv | 0x20 {
	case 's', 'b', 'h':
		return r.formatText(v, arg)
	case 'c':
		return formatChar(arg)
	}
	if arg == nil {
		return r.formatText(v, nil)
	}
	f, ok := number(arg)
	_, isDouble := arg.(float64)
	if wantsDouble := strings.IndexByte("feg", v.conv|0x20) >= 0; !ok || wantsDouble != isDouble {
		return "", failFix("the format %"+string(v.conv)+" cannot write "+kindName(arg),
			"write %d for an integer, %f for a decimal and %s for anything")
	}
	if isDouble {
		return v.formatDouble(f)
	}
	i, _ := integral(arg)
	return v.formatWhole(arg, i)
}

func (r *run) formatText(v verb, arg any) (string, error) {
	var s string
	switch v.conv | 0x20 {
	case 'b':
		b, isBool := arg.(bool)
		s = strconv.FormatBool(isBool && b || !isBool && arg != nil)
	case 'h':
		s = "null"
		if arg != nil {
			s = strconv.FormatUint(uint64(uint32(javaHash(arg))), 16) //nolint:gosec // bits of a hash
		}
	default:
		if arg == nil {
			arg = "null"
		}
		var err error
		if s, err = r.str(arg); err != nil {
			return "", err
		}
	}
	if v.precision >= 0 && units(s) > v.precision {
		s = unitSlice(s, 0, v.precision)
	}
	return s, nil
}

func formatChar(arg any) (string, error) {
	switch x := arg.(type) {
	case nil:
		return "null", nil
	case char:
		return text(x), nil
	case int32:
		if x < 0 || x > utf8.MaxRune {
			return "", fail("%c takes the code of a character")
		}
		return string(x), nil
	}
	return "", fail("the format %c cannot write " + kindName(arg))
}

func (v verb) formatWhole(arg any, i int64) (string, error) {
	if v.precision >= 0 {
		return "", fail("the format %" + string(v.conv) + " takes no precision")
	}
	base := map[byte]int{'d': 10, 'o': 8, 'x': 16}[v.conv|0x20]
	if base != 10 {
		u := uint64(i) //nolint:gosec // two's complement, as Java writes it
		if _, ok := arg.(int32); ok {
			u &= math.MaxUint32
		}
		return v.signed(strconv.FormatUint(u, base), false), nil
	}
	digits := strings.TrimPrefix(strconv.FormatInt(i, 10), "-")
	if v.has(',') {
		digits = grouped(digits, 3)
	}
	return v.signed(digits, i < 0), nil
}

// signed adds the sign and the zeros that the flags ask for.
func (v verb) signed(digits string, neg bool) string {
	before, after := "", ""
	switch {
	case neg && v.has('('):
		before, after = "(", ")"
	case neg:
		before = "-"
	case v.has('+'):
		before = "+"
	case v.has(' '):
		before = " "
	}
	if n := v.width - len(before) - len(digits) - len(after); n > 0 && v.has('0') {
		digits = strings.Repeat("0", n) + digits
	}
	return before + digits + after
}

func (v verb) formatDouble(f float64) (string, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return javaDouble(f), nil
	}
	prec := v.precision
	if prec < 0 {
		prec = 6
	}
	if prec > 400 {
		return "", fail("the precision of a format is 400 at most")
	}
	abs := math.Abs(f)
	form := v.conv | 0x20
	if form == 'g' {
		prec = max(prec, 1)
		if abs != 0 && (abs < 1e-4 || abs >= math.Pow10(prec)) {
			form, prec = 'e', prec-1
		} else {
			form, prec = 'f', max(prec-wholeDigits(abs), 0)
		}
	}
	var digits string
	if form == 'f' {
		digits = halfUp(abs, prec)
	} else {
		digits = strconv.FormatFloat(abs, 'e', prec, 64)
	}
	if v.has(',') {
		whole, frac, point := strings.Cut(digits, ".")
		digits = grouped(whole, 3)
		if point {
			digits += "." + frac
		}
	}
	return v.signed(digits, math.Signbit(f)), nil
}

func wholeDigits(f float64) int {
	if f == 0 {
		return 1
	}
	return int(math.Floor(math.Log10(f))) + 1
}

// halfUp writes a decimal as Formatter does: the shortest decimal of the double, rounded half up.
func halfUp(f float64, prec int) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) <= prec {
		s = whole
		if prec > 0 {
			s += "." + frac + strings.Repeat("0", prec-len(frac))
		}
		return s
	}
	digits := []byte(whole + frac[:prec])
	if frac[prec] >= '5' {
		i := len(digits) - 1
		for ; i >= 0 && digits[i] == '9'; i-- {
			digits[i] = '0'
		}
		if i < 0 {
			digits = append([]byte{'1'}, digits...)
		} else {
			digits[i]++
		}
	}
	if prec == 0 {
		return string(digits)
	}
	return string(digits[:len(digits)-prec]) + "." + string(digits[len(digits)-prec:])
}

package expr

import (
	"math"
	"strconv"
	"strings"
)

// decimalPattern is a compiled pattern of java.text.DecimalFormat.
type decimalPattern struct {
	prefix, suffix       string
	negPrefix, negSuffix string
	minInt, maxInt       int
	minFrac, maxFrac     int
	group                int // digits between separators, 0 for none
	point                bool
	exponent             int // digits of the exponent at least, 0 for none
	factor               float64
}

// digitCounts are what the number part of a pattern holds.
type digitCounts struct {
	left, zero, right int
	point, group      int // -1 where absent
}

func filterNumberFormat(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	if _, ok := number(in); !ok {
		return nil, failFix("The input for the 'NumberFormat' filter has to be a number, not "+kindName(in),
			"make a number of a string of digits by subtracting 0: (value - 0)")
	}
	format, given, err := a.stringArg(0, "format")
	if err != nil {
		return nil, err
	}
	if !given {
		format = "#,##0.###"
	}
	p, err := compileDecimal(format)
	if err != nil {
		return nil, err
	}
	if err := r.build(400 + len(p.prefix) + len(p.suffix) + p.minInt + p.minFrac); err != nil {
		return nil, err
	}
	return p.format(in), nil
}

func compileDecimal(s string) (*decimalPattern, error) {
	if s == "" {
		// The empty pattern of Java writes all digits, in groups of three.
		return &decimalPattern{negPrefix: "-", maxInt: math.MaxInt32, maxFrac: 340, group: 3, factor: 1}, nil
	}
	if len(s) > maxPattern {
		return nil, fail("the number pattern is longer than 200 bytes")
	}
	p := &decimalPattern{factor: 1}
	n := digitCounts{point: -1, group: -1}
	pos, err := p.numberPart(s, &n)
	if err != nil {
		return nil, err
	}
	if pos, err = p.affix(s, pos, &p.suffix); err != nil {
		return nil, err
	}
	p.negPrefix, p.negSuffix = "-"+p.prefix, p.suffix
	if pos < len(s) && s[pos] == ';' {
		if err := p.negative(s, pos+1); err != nil {
			return nil, err
		}
	} else if pos < len(s) {
		return nil, fail("Malformed number pattern \"" + s + "\"")
	}
	return p, p.count(s, n)
}

// numberPart reads the prefix, the digits and the exponent.
func (p *decimalPattern) numberPart(s string, n *digitCounts) (int, error) {
	pos, err := p.affix(s, 0, &p.prefix)
	if err != nil {
		return 0, err
	}
	if pos, err = n.read(s, pos); err != nil || pos == len(s) || s[pos] != 'E' {
		return pos, err
	}
	rest := strings.TrimLeft(s[pos+1:], "0")
	p.exponent = len(s) - pos - 1 - len(rest)
	if p.exponent == 0 || n.left+n.zero < 1 {
		return 0, fail("Malformed exponential pattern \"" + s + "\"")
	}
	return len(s) - len(rest), nil
}

// negative reads the sub-pattern for negative numbers, of which only the affixes count.
func (p *decimalPattern) negative(s string, pos int) error {
	factor := p.factor
	pos, err := p.affix(s, pos, &p.negPrefix)
	if err != nil {
		return err
	}
	for pos < len(s) && strings.IndexByte("#0,.E", s[pos]) >= 0 {
		pos++
	}
	if _, err = p.affix(s, pos, &p.negSuffix); err != nil {
		return err
	}
	p.factor = factor
	if p.negPrefix == p.prefix && p.negSuffix == p.suffix {
		p.negPrefix = "-" + p.prefix
	}
	return nil
}

// affix reads the text before or after the number part.
func (p *decimalPattern) affix(s string, pos int, out *string) (int, error) {
	var b strings.Builder
	quoted := false
	for ; pos < len(s); pos++ {
		c := s[pos]
		switch {
		case c == '\'' && strings.HasPrefix(s[pos+1:], "'"):
			b.WriteByte('\'')
			pos++
		case c == '\'':
			quoted = !quoted
		case quoted:
			b.WriteByte(c)
		case strings.IndexByte("#0,.;", c) >= 0:
			*out = b.String()
			return pos, nil
		case c == '%':
			p.factor = 100
			b.WriteByte('%')
		case strings.HasPrefix(s[pos:], "‰"):
			p.factor = 1000
			b.WriteString("‰")
			pos += len("‰") - 1
		case strings.HasPrefix(s[pos:], "¤"):
			b.WriteString("$")
			pos += len("¤") - 1
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return 0, fail("Unquoted special character in pattern \"" + s + "\"")
	}
	*out = b.String()
	return pos, nil
}

func (n *digitCounts) read(s string, pos int) (int, error) {
	for ; pos < len(s); pos++ {
		switch s[pos] {
		case '#':
			if n.zero > 0 {
				n.right++
			} else {
				n.left++
			}
		case '0':
			if n.right > 0 {
				return 0, fail("Unexpected '0' in pattern \"" + s + "\"")
			}
			n.zero++
		case ',':
			n.group = 0
			continue
		case '.':
			if n.point >= 0 {
				return 0, fail("Multiple decimal separators in pattern \"" + s + "\"")
			}
			n.point = n.left + n.zero + n.right
			continue
		default:
			return pos, nil
		}
		if n.group >= 0 && n.point < 0 {
			n.group++
		}
	}
	return pos, nil
}

// count derives the numbers of digits as DecimalFormat.applyPattern does.
func (p *decimalPattern) count(s string, n digitCounts) error {
	if n.zero == 0 && n.left > 0 && n.point >= 0 {
		at := max(n.point, 1)
		n.right, n.left, n.zero = n.left-at, at-1, 1
	}
	if n.point >= 0 && (n.point < n.left || n.point > n.left+n.zero) || n.group == 0 || n.point < 0 && n.right > 0 {
		return fail("Malformed number pattern \"" + s + "\"")
	}
	total := n.left + n.zero + n.right
	point := n.point
	if point < 0 {
		point = total
	}
	p.minInt = point - n.left
	p.maxInt = math.MaxInt32
	if p.exponent > 0 {
		p.maxInt = n.left + p.minInt
	}
	if n.point >= 0 {
		p.maxFrac = total - n.point
		p.minFrac = max(n.left+n.zero-n.point, 0)
	}
	p.group = max(n.group, 0)
	p.point = n.point == 0 || n.point == total
	return nil
}

func (p *decimalPattern) format(v any) string {
	f, _ := number(v)
	if math.IsNaN(f) {
		return "NaN"
	}
	neg := f < 0 || f == 0 && math.Signbit(f)
	var body string
	switch i, isFloat := v.(float64); {
	case math.IsInf(f, 0):
		body = "∞"
	case isFloat:
		body = p.digits(func(prec int, form byte) string { return shortest(math.Abs(i*p.factor), form, prec) })
	default:
		whole, _ := integral(v)
		body = p.digits(func(prec int, form byte) string { return p.wholeDigits(whole, prec, form) })
	}
	if neg {
		return p.negPrefix + body + p.negSuffix
	}
	return p.prefix + body + p.suffix
}

// shortest writes a double from its shortest decimal where that fits the precision, as Java does, padded with zeros.
func shortest(f float64, form byte, prec int) string {
	if s := strconv.FormatFloat(f, form, -1, 64); form == 'f' {
		whole, frac, _ := strings.Cut(s, ".")
		if len(frac) <= prec {
			return whole + "." + frac + strings.Repeat("0", prec-len(frac))
		}
	}
	return strconv.FormatFloat(f, form, prec, 64)
}

// wholeDigits writes a long without going through a double, which would lose digits.
func (p *decimalPattern) wholeDigits(i int64, prec int, form byte) string {
	if form != 'f' {
		return strconv.FormatFloat(math.Abs(float64(i)*p.factor), form, prec, 64)
	}
	s := strings.TrimPrefix(strconv.FormatInt(i, 10), "-")
	if i != 0 {
		s += strings.Repeat("0", len(strconv.Itoa(int(p.factor)))-1)
	}
	if prec > 0 {
		s += "." + strings.Repeat("0", prec)
	}
	return s
}

// digits lays the digits out; write gives them in the form f or e with a precision.
func (p *decimalPattern) digits(write func(prec int, form byte) string) string {
	if p.exponent > 0 {
		return p.scientific(write)
	}
	whole, frac, _ := strings.Cut(write(p.maxFrac, 'f'), ".")
	whole = strings.TrimLeft(whole, "0")
	for len(frac) > p.minFrac && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if n := p.minInt - len(whole); n > 0 {
		whole = strings.Repeat("0", n) + whole
	}
	if whole == "" && frac == "" {
		whole = "0"
	}
	whole = grouped(whole, p.group)
	if frac != "" || p.point {
		return whole + "." + frac
	}
	return whole
}

func grouped(digits string, size int) string {
	if size == 0 || len(digits) <= size {
		return digits
	}
	head := len(digits) % size
	var b strings.Builder
	b.WriteString(digits[:head])
	for i := head; i < len(digits); i += size {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(digits[i : i+size])
	}
	return b.String()
}

// scientific lays digits out with an exponent. With more optional than required integer digits the exponent is a
// multiple of their number.
func (p *decimalPattern) scientific(write func(prec int, form byte) string) string {
	mantissa, exp, _ := strings.Cut(write(max(p.maxInt+p.maxFrac-1, 0), 'e'), "e")
	digits := strings.TrimRight(strings.Replace(mantissa, ".", "", 1), "0")
	pointAt, _ := strconv.Atoi(exp)
	pointAt++
	zero := digits == ""
	exponent, least := pointAt, p.minInt
	if p.maxInt > 1 && p.maxInt > p.minInt {
		if exponent >= 1 {
			exponent = (exponent - 1) / p.maxInt * p.maxInt
		} else {
			exponent = (exponent - p.maxInt) / p.maxInt * p.maxInt
		}
		least = 1
	} else {
		exponent -= least
	}
	whole := pointAt - exponent
	if zero {
		whole, exponent = least, 0
	}
	total := max(len(digits), p.minInt+p.minFrac, whole)
	digits += strings.Repeat("0", max(total-len(digits), 0))
	out := digits[:max(whole, 0)]
	if total > whole || p.point {
		out += "." + digits[max(whole, 0):]
	}
	sign := ""
	if exponent < 0 {
		sign, exponent = "-", -exponent
	}
	e := strconv.Itoa(exponent)
	return out + "E" + sign + strings.Repeat("0", max(p.exponent-len(e), 0)) + e
}

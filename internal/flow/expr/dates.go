package expr

import (
	"time"
)

// compiledDate is what a date or epoch filter with constant arguments compiles once: patterns and the time zone. A part
// that is not constant, or not valid, is nil and looked at in evaluation.
type compiledDate struct {
	format, existing datePattern
	zone             *time.Location
}

// precompile compiles the constant arguments of a call.
func precompile(c *call) any {
	if c.name != "date" && c.name != "epoch" {
		return nil
	}
	out := &compiledDate{}
	set := func(name, value string) {
		switch {
		case name == "format" && c.name == "epoch", name == "existingFormat":
			out.existing, _ = compilePattern(value, simpleLetters)
		case name == "format":
			out.format, _ = compilePattern(value, simpleLetters)
		case name == "timeZone":
			out.zone = javaZone(value)
		}
	}
	names := [...]string{"format", "existingFormat", "timeZone"}
	for i, e := range c.args {
		if s, ok := constant(e); ok && i < len(names) && (i == 0 || c.name == "date") {
			set(names[i], s)
		}
	}
	for _, n := range c.named {
		if s, ok := constant(n.expr); ok {
			set(n.name, s)
		}
	}
	return out
}

func constant(e expression) (string, bool) {
	l, ok := e.(*literal)
	if !ok {
		return "", false
	}
	s, ok := l.val.(string)
	return s, ok
}

// dateArgs are the arguments of a date or epoch filter, compiled.
func dateArgs(a *arguments) *compiledDate {
	if c, ok := a.pre.(*compiledDate); ok {
		return c
	}
	return &compiledDate{}
}

// dateSteps is the price of reading or writing a date; zoneSteps that of looking a time zone up.
const (
	dateSteps = 8
	zoneSteps = 400
)

// filterDate writes a date: of milliseconds since 1970, of a text read by existingFormat, or of a time.
func filterDate(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	if err := r.step(dateSteps); err != nil {
		return nil, err
	}
	format, given, err := a.stringArg(0, "format")
	if err != nil {
		return nil, err
	}
	existing, hasExisting, err := a.stringArg(1, "existingFormat")
	if err != nil {
		return nil, err
	}
	zoneID, hasZone, err := a.stringArg(2, "timeZone")
	if err != nil {
		return nil, err
	}
	if t, ok := in.(time.Time); ok {
		return r.temporalDate(t, format, given)
	}
	if !hasExisting {
		existing = defaultDatePattern
	}
	c := dateArgs(a)
	t, err := r.dateInput(in, existing, c.existing)
	if err != nil {
		return nil, err
	}
	zone := r.env.zone()
	if hasZone {
		if zone = c.zone; zone == nil {
			if err := r.step(zoneSteps); err != nil {
				return nil, err
			}
			zone = javaZone(zoneID)
		}
	}
	if !given {
		format = defaultDatePattern
	}
	p := c.format
	if p == nil {
		if p, err = compilePattern(format, simpleLetters); err != nil {
			return nil, err
		}
	}
	return r.dated(p.formatSimple(t.In(zone)))
}

func (r *run) dated(s string) (any, error) { return safe(s), r.build(len(s)) }

func (r *run) temporalDate(t time.Time, format string, given bool) (any, error) {
	if !given {
		return r.dated(zonedText(t))
	}
	p, err := compilePattern(format, temporalLetters)
	if err != nil {
		return nil, err
	}
	return r.dated(p.formatTemporal(t))
}

// dateInput reads a number of milliseconds, or a text by a pattern.
func (r *run) dateInput(in any, pattern string, compiled datePattern) (time.Time, error) {
	if ms, ok := integral(in); ok {
		return time.UnixMilli(min(max(ms, -31_500_000_000_000_000), 31_500_000_000_000_000)), nil
	}
	s, ok := in.(string)
	if !ok {
		return time.Time{}, failFix("date cannot read "+kindName(in), "give a string or milliseconds since 1970")
	}
	if compiled == nil {
		var err error
		if compiled, err = compilePattern(pattern, simpleLetters); err != nil {
			return time.Time{}, err
		}
	}
	t, err := compiled.parseSimple(s, r.env.zone(), r.env.now())
	if err != nil {
		return t, failFix("Could not parse the string into a date, with formatting: "+pattern,
			"give the string's own pattern as existingFormat")
	}
	return t, nil
}

// funcNow is Cisco's now(): the time in UTC, as the text of a Java ZonedDateTime to the millisecond.
func funcNow(r *run, _ any, _ *arguments) (any, error) {
	t := r.env.now().UTC().Truncate(time.Millisecond)
	return r.built(zonedText(t))
}

// filterEpoch is Cisco's epoch: seconds since 1970, or milliseconds, of a text in ISO 8601 or in the given format.
func filterEpoch(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	if err := r.step(dateSteps); err != nil {
		return nil, err
	}
	format, given, err := a.stringArg(0, "format")
	if err != nil {
		return nil, err
	}
	inMillis, _, err := truth(a.get(1))
	if err != nil {
		return nil, err
	}
	t, ok := in.(time.Time)
	if s, isText := in.(string); isText && !given {
		if t, ok = parseISO(s, r.env.zone()); !ok {
			return nil, failFix("epoch cannot read the string as an ISO 8601 date", "give the string's pattern as format")
		}
	}
	if !ok {
		if t, err = r.dateInput(in, format, dateArgs(a).existing); err != nil {
			return nil, err
		}
	}
	if inMillis {
		return long(t.UnixMilli()), nil
	}
	return long(t.Unix()), nil
}

package expr

import (
	"strings"
	"time"
	"unicode/utf8"
)

// maxDateText bounds a text that is read as a date, in bytes.
const maxDateText = 500

// calendar gathers the fields that a pattern finds in a text. Where two fields contradict each other the later one
// counts, as in java.util.Calendar, and every field may exceed its range.
type calendar struct {
	year, month, day       int
	yearDay                int
	byYearDay              bool
	hour, hour12, pm       int
	byHour12               bool
	minute, second, millis int
	offset                 int
	hasOffset              bool
	bc                     bool
	weekday                int // from 0 for Sunday, counts where no day is given
	hasWeekday, hasDay     bool
	ambiguous              bool      // the year had two digits
	centuryStart           time.Time // of a year of two digits
}

var errDate = fail("the text does not fit the date pattern")

// parseSimple reads a text as a lenient SimpleDateFormat of the locale en_US does; what follows the date is ignored.
func (p datePattern) parseSimple(s string, loc *time.Location, now time.Time) (time.Time, error) {
	if len(s) > maxDateText {
		return time.Time{}, fail("the text is too long for a date")
	}
	c := &calendar{year: 1970, month: 1, day: 1}
	pos := 0
	for i, f := range p {
		if f.letter == 0 {
			if !strings.HasPrefix(s[pos:], f.text) {
				return time.Time{}, errDate
			}
			pos += len(f.text)
			continue
		}
		abuts := i+1 < len(p) && obeysCount(p[i+1])
		next, ok := c.parseField(s, pos, f, abuts, now)
		if !ok {
			return time.Time{}, errDate
		}
		pos = next
	}
	return c.time(loc), nil
}

// obeysCount reports whether a field that a number runs into limits the number before it to its count.
func obeysCount(f dateField) bool {
	switch f.letter {
	case 'M', 'L':
		return f.count <= 2
	case 'y', 'Y', 'd', 'k', 'H', 'm', 's', 'S', 'D', 'F', 'w', 'W', 'h', 'K', 'u':
		return true
	}
	return false
}

func (c *calendar) parseField(s string, pos int, f dateField, abuts bool, now time.Time) (int, bool) {
	pos += len(s[pos:]) - len(strings.TrimLeft(s[pos:], " \t"))
	if pos == len(s) {
		return 0, false
	}
	switch f.letter {
	case 'G', 'E', 'a':
		return c.parseName(s, pos, f)
	case 'M', 'L':
		if f.count > 2 {
			return c.parseName(s, pos, f)
		}
	case 'z', 'Z':
		return c.parseZone(s, pos)
	case 'X':
		return c.parseISOZone(s, pos, f.count)
	}
	return c.parseNumber(s, pos, f, abuts, now)
}

// parseNumber reads a number: of as many digits as the field counts where another number follows at once.
func (c *calendar) parseNumber(s string, pos int, f dateField, abuts bool, now time.Time) (int, bool) {
	text := s
	if abuts {
		if pos+f.count > len(s) {
			return 0, false
		}
		text = s[:pos+f.count]
	}
	n, next, ok := parseDigits(text, pos)
	if !ok {
		return 0, false
	}
	if (f.letter == 'y' || f.letter == 'Y') && f.count <= 2 && next-pos == 2 && s[pos] != '-' {
		n = c.century(n, now)
	}
	c.set(f.letter, n)
	return next, true
}

func parseDigits(s string, pos int) (n, next int, ok bool) {
	neg := pos < len(s) && s[pos] == '-'
	if neg {
		pos++
	}
	start := pos
	for pos < len(s) && s[pos] >= '0' && s[pos] <= '9' {
		if n < 1e9 {
			n = n*10 + int(s[pos]-'0')
		}
		pos++
	}
	if neg {
		n = -n
	}
	return n, pos, pos > start
}

// century places a two-digit year within 80 years before and 20 years after now.
func (c *calendar) century(n int, now time.Time) int {
	c.centuryStart = now.AddDate(-80, 0, 0)
	start := c.centuryStart.Year()
	c.ambiguous = n == start%100
	n += start / 100 * 100
	if n < start {
		n += 100
	}
	return n
}

func (c *calendar) set(letter byte, n int) {
	switch letter {
	case 'y', 'Y':
		c.year = n
	case 'M', 'L':
		c.month, c.byYearDay = n, false
	case 'd':
		c.day, c.byYearDay, c.hasDay = n, false, true
	case 'D':
		c.yearDay, c.byYearDay = n, true
	case 'k':
		if n == 24 {
			n = 0
		}
		c.hour, c.byHour12 = n, false
	case 'H':
		c.hour, c.byHour12 = n, false
	case 'h':
		if n == 12 {
			n = 0
		}
		c.hour12, c.byHour12 = n, true
	case 'K':
		c.hour12, c.byHour12 = n, true
	case 'm':
		c.minute = n
	case 's':
		c.second = n
	case 'S':
		c.millis = n
	}
}

// parseName reads a month, a day of the week, an era, or AM and PM, without regard to case; the longest name counts.
func (c *calendar) parseName(s string, pos int, f dateField) (int, bool) {
	best, length := -1, 0
	try := func(i int, name string) {
		if len(name) > length && len(s)-pos >= len(name) && strings.EqualFold(s[pos:pos+len(name)], name) {
			best, length = i, len(name)
		}
	}
	switch f.letter {
	case 'a':
		try(0, "AM")
		try(1, "PM")
	case 'G':
		try(0, "BC")
		try(1, "AD")
	case 'E':
		for d := time.Sunday; d <= time.Saturday; d++ {
			try(int(d), d.String())
			try(int(d), d.String()[:3])
		}
	default:
		for m := time.January; m <= time.December; m++ {
			try(int(m), m.String())
			try(int(m), m.String()[:3])
		}
	}
	if best < 0 {
		return 0, false
	}
	switch f.letter {
	case 'a':
		c.pm, c.byHour12 = best, true
	case 'G':
		c.bc = best == 0
	case 'E':
		c.weekday, c.hasWeekday = best, true
	case 'M', 'L':
		c.month, c.byYearDay = best, false
	}
	return pos + length, true
}

// parseZone reads +hhmm, GMT, GMT+hh:mm, or the abbreviation of a zone.
func (c *calendar) parseZone(s string, pos int) (int, bool) {
	switch {
	case s[pos] == '+' || s[pos] == '-':
		return c.parseOffset(s, pos, 0, false)
	case len(s)-pos >= 3 && strings.EqualFold(s[pos:pos+3], "GMT"):
		pos += 3
		if pos < len(s) && (s[pos] == '+' || s[pos] == '-') {
			return c.parseOffset(s, pos, 0, true)
		}
		c.offset, c.hasOffset = 0, true
		return pos, true
	}
	end := pos
	for end < len(s) && (s[end]|0x20 >= 'a' && s[end]|0x20 <= 'z') {
		end++
	}
	for ; end > pos; end-- {
		if offset, ok := zoneOffsets(s[pos:end]); ok && end-pos > 1 {
			c.offset, c.hasOffset = offset, true
			return end, true
		}
	}
	return 0, false
}

func (c *calendar) parseISOZone(s string, pos, count int) (int, bool) {
	switch s[pos] {
	case 'Z':
		c.offset, c.hasOffset = 0, true
		return pos + 1, true
	case '+', '-':
		return c.parseOffset(s, pos, count, count == 3)
	}
	return 0, false
}

// parseOffset reads an offset from its sign on. A count of 1 means hours only; without a colon and a count, or with a
// count, hours have two digits.
func (c *calendar) parseOffset(s string, pos, count int, colon bool) (int, bool) {
	sign := 1
	if s[pos] == '-' {
		sign = -1
	}
	pos++
	start := pos
	hours := 0
	if s[pos:] != "" && s[pos] != '-' {
		hours, pos, _ = parseDigits(s[:min(pos+2, len(s))], pos)
	}
	if n := pos - start; n == 0 || n == 1 && (count > 0 || !colon) || hours > 23 {
		return 0, false
	}
	minutes := 0
	if count != 1 {
		var ok bool
		if minutes, pos, ok = offsetMinutes(s, pos, colon); !ok {
			return 0, false
		}
	}
	c.offset, c.hasOffset = sign*(hours*3600+minutes*60), true
	return pos, true
}

func offsetMinutes(s string, pos int, colon bool) (minutes, next int, ok bool) {
	if colon {
		if pos == len(s) || s[pos] != ':' {
			return 0, 0, false
		}
		pos++
	}
	if pos+2 > len(s) {
		return 0, 0, false
	}
	minutes, next, ok = parseDigits(s[:pos+2], pos)
	return minutes, next, ok && next == pos+2 && minutes >= 0 && minutes <= 59
}

// time resolves the fields. A text before the year 1 or after the year 999,999 is cut to that range.
func (c *calendar) time(loc *time.Location) time.Time {
	year := c.year
	if c.bc {
		year = 1 - year
	}
	year = min(max(year, -999_999), 999_999)
	hour := c.hour
	if c.byHour12 {
		hour = c.hour12 + 12*c.pm
	}
	month, day := c.month, c.day
	if c.byYearDay {
		month, day = 1, c.yearDay
	}
	wall := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if c.hasWeekday && !c.hasDay && !c.byYearDay {
		wall = wall.AddDate(0, 0, (c.weekday-int(wall.Weekday())+7)%7)
	}
	if c.ambiguous && wall.Before(c.centuryStart) {
		wall = wall.AddDate(100, 0, 0)
	}
	seconds := int64(hour)*3600 + int64(c.minute)*60 + int64(c.second) + int64(c.millis/1000)
	wall = time.Unix(wall.Unix()+seconds, int64(c.millis%1000)*1e6).UTC()
	if c.hasOffset {
		return wall.Add(-time.Duration(c.offset) * time.Second)
	}
	return fromWall(wall, loc)
}

// parseISO reads what the platform itself writes: ISO 8601 with or without a zone, also with its name in brackets.
func parseISO(s string, loc *time.Location) (time.Time, bool) {
	if len(s) > maxDateText || !utf8.ValidString(s) {
		return time.Time{}, false
	}
	if i := strings.IndexByte(s, '['); i > 0 && strings.HasSuffix(s, "]") {
		s = s[:i]
	}
	s = strings.TrimSpace(s)
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	for _, layout := range [...]string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return fromWall(t, loc), true
		}
	}
	return time.Time{}, false
}

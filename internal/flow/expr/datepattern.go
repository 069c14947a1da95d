package expr

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxPattern bounds a date pattern, in bytes.
const maxPattern = 200

// datePattern is a compiled pattern of SimpleDateFormat or DateTimeFormatter.
type datePattern []dateField

// dateField is a run of one pattern letter, or literal text.
type dateField struct {
	letter byte // 0 for text
	count  int
	text   string
}

// simpleLetters are the letters of SimpleDateFormat, temporalLetters those of DateTimeFormatter.
const (
	simpleLetters   = "GyYMLdDkHmsSEFwWahKzZuX"
	temporalLetters = "GyuYMLQqdDkHmsSEecFwWahKAnNzZVOXx"
)

const defaultDatePattern = "yyyy-MM-dd'T'HH:mm:ssZ"

// compilePattern reads a pattern: runs of letters, text between single quotes, two of them for a quote.
func compilePattern(s, letters string) (datePattern, error) {
	if len(s) > maxPattern {
		return nil, fail("the date pattern is longer than 200 bytes")
	}
	var out datePattern
	addText := func(t string) {
		if n := len(out); n > 0 && out[n-1].letter == 0 {
			out[n-1].text += t
			return
		}
		out = append(out, dateField{text: t})
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\'':
			text, n := quotedText(s[i:])
			if n == 0 {
				return nil, failFix("Unterminated quote in the date pattern "+s, "close the quote")
			}
			addText(text)
			i += n
		case c != '_' && (c < '0' || c > '9') && isWordByte(c):
			n := len(s[i:]) - len(strings.TrimLeft(s[i:], string(c)))
			if err := checkCount(c, n, letters); err != nil {
				return nil, err
			}
			out = append(out, dateField{letter: c, count: n})
			i += n
		default:
			addText(s[i : i+1])
			i++
		}
	}
	return out, nil
}

// quotedText reads a quoted part at the start of s and returns its length in s, 0 where it is not closed.
func quotedText(s string) (string, int) {
	if strings.HasPrefix(s, "''") {
		return "'", 2
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1
	}
	return "", 0
}

// checkCount refuses letters and runs of them that Java refuses.
func checkCount(c byte, n int, letters string) error {
	if strings.IndexByte(letters, c) < 0 {
		return failFix("Illegal pattern character '"+string(c)+"' in a date pattern", "put literal letters between single quotes")
	}
	most := temporalMost(c)
	if letters == simpleLetters {
		most = maxPattern
		if c == 'X' {
			most = 3
		}
	}
	if n > most || letters == temporalLetters && c == 'V' && n != 2 {
		return fail("Too many pattern letters: " + string(c))
	}
	return nil
}

// temporalMost is how many of a letter DateTimeFormatter takes in a row.
func temporalMost(c byte) int {
	switch {
	case strings.IndexByte("dhHkKmsW", c) >= 0:
		return 2
	case c == 'D':
		return 3
	case c == 'a' || c == 'F':
		return 1
	case strings.IndexByte("EMLQqecGZXx", c) >= 0:
		return 5
	case c == 'z' || c == 'O':
		return 4
	case c == 'S':
		return 9
	}
	return maxPattern
}

// formatSimple writes a time as SimpleDateFormat of the locale en_US does.
func (p datePattern) formatSimple(t time.Time) string {
	var b strings.Builder
	for _, f := range p {
		if f.letter == 0 {
			b.WriteString(f.text)
			continue
		}
		if !writeDate(&b, f, t) {
			writeTimeOfDay(&b, f, t)
		}
	}
	return b.String()
}

func pad(b *strings.Builder, n, width int) { fmt.Fprintf(b, "%0*d", width, n) }

func writeYear(b *strings.Builder, year, count int) {
	if year <= 0 {
		year = 1 - year
	}
	if count == 2 {
		pad(b, year%100, 2)
		return
	}
	pad(b, year, count)
}

func name(s string, long bool) string {
	if long {
		return s
	}
	return s[:3]
}

func writeDate(b *strings.Builder, f dateField, t time.Time) bool {
	switch f.letter {
	case 'G':
		era := "AD"
		if t.Year() <= 0 {
			era = "BC"
		}
		b.WriteString(era)
	case 'y':
		writeYear(b, t.Year(), f.count)
	case 'Y':
		year, _ := usWeek(t)
		writeYear(b, year, f.count)
	case 'M', 'L':
		if f.count >= 3 {
			b.WriteString(name(t.Month().String(), f.count >= 4))
		} else {
			pad(b, int(t.Month()), f.count)
		}
	case 'd':
		pad(b, t.Day(), f.count)
	case 'D':
		pad(b, t.YearDay(), f.count)
	case 'E':
		b.WriteString(name(t.Weekday().String(), f.count >= 4))
	case 'u':
		pad(b, (int(t.Weekday())+6)%7+1, f.count)
	case 'F':
		pad(b, (t.Day()-1)/7+1, f.count)
	case 'w':
		_, week := usWeek(t)
		pad(b, week, f.count)
	case 'W':
		first := int(t.AddDate(0, 0, 1-t.Day()).Weekday())
		pad(b, (t.Day()-1+first)/7+1, f.count)
	default:
		return false
	}
	return true
}

// usWeek is the week of the year where weeks start on Sunday and the week of 1 January is the first.
func usWeek(t time.Time) (year, week int) {
	year = t.Year()
	sunday := t.YearDay() - 1 - int(t.Weekday()) // day of the year, from 0, of the week's Sunday
	length := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1).YearDay()
	if sunday+7 > length {
		return year + 1, 1
	}
	return year, (sunday+6)/7 + 1
}

func writeTimeOfDay(b *strings.Builder, f dateField, t time.Time) {
	switch f.letter {
	case 'H':
		pad(b, t.Hour(), f.count)
	case 'k':
		pad(b, (t.Hour()+23)%24+1, f.count)
	case 'K':
		pad(b, t.Hour()%12, f.count)
	case 'h':
		pad(b, (t.Hour()+11)%12+1, f.count)
	case 'm':
		pad(b, t.Minute(), f.count)
	case 's':
		pad(b, t.Second(), f.count)
	case 'S':
		pad(b, t.Nanosecond()/1e6, f.count)
	case 'a':
		b.WriteString(t.Format("PM"))
	case 'z':
		b.WriteString(zoneName(t, f.count >= 4))
	case 'Z':
		b.WriteString(t.Format("-0700"))
	case 'X':
		b.WriteString(t.Format([...]string{"Z07", "Z0700", "Z07:00"}[f.count-1]))
	}
}

// formatTemporal writes a time as DateTimeFormatter of the locale en_US does.
func (p datePattern) formatTemporal(t time.Time) string {
	var b strings.Builder
	for _, f := range p {
		switch {
		case f.letter == 0:
			b.WriteString(f.text)
		case !writeTemporal(&b, f, t) && !writeTemporalZone(&b, f, t) && !writeDate(&b, f, t):
			writeTimeOfDay(&b, f, t)
		}
	}
	return b.String()
}

func writeTemporal(b *strings.Builder, f dateField, t time.Time) bool {
	switch f.letter {
	case 'u':
		writeYear(b, t.Year(), f.count)
	case 'S':
		b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:f.count])
	case 'n':
		pad(b, t.Nanosecond(), f.count)
	case 'N':
		pad(b, sinceMidnight(t)*1e9+t.Nanosecond(), f.count)
	case 'A':
		pad(b, sinceMidnight(t)*1e3+t.Nanosecond()/1e6, f.count)
	case 'Q', 'q':
		writeQuarter(b, (int(t.Month())-1)/3+1, f.count)
	case 'F':
		pad(b, (t.Day()-1)%7+1, f.count)
	default:
		return writeNarrow(b, f, t)
	}
	return true
}

func writeQuarter(b *strings.Builder, quarter, count int) {
	switch count {
	case 3:
		b.WriteString("Q" + strconv.Itoa(quarter))
	case 4:
		b.WriteString([...]string{"1st", "2nd", "3rd", "4th"}[quarter-1] + " quarter")
	default:
		pad(b, quarter, count)
	}
}

// writeNarrow writes names of one letter, and days of the week as numbers from Sunday or as names.
func writeNarrow(b *strings.Builder, f dateField, t time.Time) bool {
	switch {
	case (f.letter == 'e' || f.letter == 'c') && f.count < 3:
		pad(b, int(t.Weekday())+1, f.count)
	case strings.IndexByte("Eec", f.letter) >= 0 && f.count == 5:
		b.WriteString(t.Weekday().String()[:1])
	case f.letter == 'e' || f.letter == 'c':
		b.WriteString(name(t.Weekday().String(), f.count == 4))
	case (f.letter == 'M' || f.letter == 'L') && f.count == 5:
		b.WriteString(t.Month().String()[:1])
	default:
		return false
	}
	return true
}

func sinceMidnight(t time.Time) int { return t.Hour()*3600 + t.Minute()*60 + t.Second() }

func writeTemporalZone(b *strings.Builder, f dateField, t time.Time) bool {
	_, offset := t.Zone()
	switch f.letter {
	case 'V':
		b.WriteString(zoneID(t))
	case 'x':
		b.WriteString(t.Format([...]string{"-07", "-0700", "-07:00", "-0700", "-07:00"}[f.count-1]))
	case 'X':
		b.WriteString(t.Format([...]string{"Z07", "Z0700", "Z07:00", "Z0700", "Z07:00"}[f.count-1]))
	case 'Z':
		switch {
		case f.count == 5:
			b.WriteString(t.Format("Z07:00"))
		case f.count < 4:
			b.WriteString(t.Format("-0700"))
		default:
			writeGMT(b, t, offset)
		}
	case 'O':
		if f.count == 4 {
			writeGMT(b, t, offset)
		} else {
			b.WriteString(shortGMT(offset))
		}
	default:
		return false
	}
	return true
}

func writeGMT(b *strings.Builder, t time.Time, offset int) {
	b.WriteString("GMT")
	if offset != 0 {
		b.WriteString(t.Format("-07:00"))
	}
}

func shortGMT(offset int) string {
	if offset == 0 {
		return "GMT"
	}
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	s := "GMT" + sign + strconv.Itoa(offset/3600)
	if m := offset / 60 % 60; m != 0 {
		s += fmt.Sprintf(":%02d", m)
	}
	return s
}

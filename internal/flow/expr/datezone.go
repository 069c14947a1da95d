package expr

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name do not depend on the machine
)

// javaZone is TimeZone.getTimeZone: a name of the time zone database, one of Java's three-letter names, or GMT with an
// offset. An unknown name is GMT.
func javaZone(id string) *time.Location {
	gmt := time.FixedZone("GMT", 0)
	if id == "" || len(id) > 64 || id == "Local" {
		return gmt
	}
	if offset, ok := strings.CutPrefix(id, "GMT"); ok && offset != "" && offset != "0" {
		if loc := offsetZone(offset); loc != nil {
			return loc
		}
	}
	if full := legacyZone(id); full != "" {
		id = full
	}
	loc, err := time.LoadLocation(id)
	if err != nil {
		return gmt
	}
	return loc
}

// offsetZone reads +h, +hh, +hmm, +hhmm, +h:mm and +hh:mm.
func offsetZone(s string) *time.Location {
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return nil
	}
	hours, minutes, colon := strings.Cut(s[1:], ":")
	if !colon && len(hours) > 2 {
		hours, minutes = hours[:len(hours)-2], hours[len(hours)-2:]
	}
	if !colon && minutes == "" {
		minutes = "00"
	}
	h, ok := parseUpTo(hours, 23)
	m, mOK := parseUpTo(minutes, 59)
	if !ok || !mOK || len(minutes) != 2 {
		return nil
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	if h == 0 && m == 0 {
		return time.FixedZone("GMT", 0)
	}
	return time.FixedZone(fmt.Sprintf("GMT%c%02d:%02d", s[0], h, m), sign*(h*3600+m*60))
}

// parseUpTo reads one or two digits that make no more than most.
func parseUpTo(s string, most int) (int, bool) {
	n, end, ok := parseDigits(s, 0)
	return n, ok && end == len(s) && end <= 2 && n >= 0 && n <= most
}

// legacyZone maps Java's three-letter names (java.time.ZoneId.SHORT_IDS) to the time zone database.
func legacyZone(id string) string {
	names := map[string]string{
		"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
		"AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare",
		"CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
		"ECT": "Europe/Paris", //nolint:misspell // Java's name for Central European time
		"IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
		"MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
		"PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
		"VST": "Asia/Ho_Chi_Minh",
	}
	return names[id]
}

// zoneName is the name of a time's zone in English, as far as Go and Java know the same ones; others read GMT+hh:mm.
func zoneName(t time.Time, long bool) string {
	abbr, offset := t.Zone()
	if strings.HasPrefix(abbr, "GMT") && abbr != "GMT" {
		return abbr
	}
	if abbr == "" || abbr[0] == '+' || abbr[0] == '-' {
		if offset == 0 {
			return "GMT"
		}
		return "GMT" + t.Format("-07:00")
	}
	if !long {
		return abbr
	}
	if name := longZone(abbr, t.Location().String()); name != "" {
		return name
	}
	return "GMT" + t.Format("-07:00")
}

func longZone(abbr, location string) string {
	names := map[string]string{
		"UTC": "Coordinated Universal Time", "GMT": "Greenwich Mean Time", "CET": "Central European Standard Time",
		"CEST": "Central European Summer Time", "EET": "Eastern European Standard Time", "EEST": "Eastern European Summer Time",
		"WET": "Western European Standard Time", "WEST": "Western European Summer Time", "JST": "Japan Standard Time",
		"AKST": "Alaska Standard Time", "AKDT": "Alaska Daylight Time", "HST": "Hawaii-Aleutian Standard Time",
	}
	if name, ok := names[abbr]; ok {
		return name
	}
	switch {
	case abbr == "IST" && location == "Asia/Kolkata":
		return "India Standard Time"
	case abbr == "BST" && location == "Europe/London":
		return "British Summer Time"
	case location != abbr && !strings.HasPrefix(location, "America/") && !strings.HasPrefix(location, "US/") && !strings.HasPrefix(location, "Canada/"):
		return ""
	}
	kind := map[byte]string{'S': "Standard", 'D': "Daylight"}
	region := map[byte]string{'E': "Eastern", 'C': "Central", 'M': "Mountain", 'P': "Pacific", 'A': "Atlantic"}
	if len(abbr) != 3 || abbr[2] != 'T' || region[abbr[0]] == "" || kind[abbr[1]] == "" {
		return ""
	}
	return region[abbr[0]] + " " + kind[abbr[1]] + " Time"
}

// zoneOffsets are the abbreviations that SimpleDateFormat of the locale en_US reads, in seconds east of Greenwich.
func zoneOffsets(abbr string) (int, bool) {
	hours, ok := map[string]float64{
		"UTC": 0, "UT": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
		"PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "AST": -4, "ADT": -3, "NST": -3.5, "NDT": -2.5, "WET": 0, "WEST": 1,
		"BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11,
		"ACST": 9.5, "ACDT": 10.5, "AWST": 8, "NZST": 12, "NZDT": 13,
	}[strings.ToUpper(abbr)]
	return int(hours * 3600), ok
}

// zoneID is ZoneId.getId.
func zoneID(t time.Time) string {
	name := t.Location().String()
	if name == "" || name == "Local" {
		return t.Format("Z07:00")
	}
	return name
}

// zonedText is ZonedDateTime.toString: seconds and fraction only where there are any, the zone's name in brackets.
func zonedText(t time.Time) string {
	layout := "2006-01-02T15:04"
	switch n := t.Nanosecond(); {
	case n == 0 && t.Second() == 0:
	case n == 0:
		layout += ":05"
	case n%1e6 == 0:
		layout += ":05.000"
	case n%1e3 == 0:
		layout += ":05.000000"
	default:
		layout += ":05.000000000"
	}
	s := t.Format(layout + "Z07:00")
	if id := zoneID(t); id != t.Format("Z07:00") {
		s += "[" + id + "]"
	}
	return s
}

// fromWall is the instant of a wall clock's reading in a zone, as java.util.GregorianCalendar resolves it: a reading that
// occurs twice is the later one (standard time), one that is skipped counts from the time before the change.
func fromWall(wall time.Time, loc *time.Location) time.Time {
	offsetAt := func(t time.Time) time.Duration {
		_, seconds := t.In(loc).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offsetAt(wall.Add(-26*time.Hour)), offsetAt(wall.Add(26*time.Hour))
	first, second := wall.Add(-before), wall.Add(-after)
	if offsetAt(second) == after {
		if before == after || offsetAt(first) != before || after < before {
			return second.In(loc)
		}
	}
	return first.In(loc)
}

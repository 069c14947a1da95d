package salesforce

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

func itoa(n int) string { return strconv.Itoa(n) }

// wireTime is the API's form of a datetime, always in UTC.
const wireTime = "2006-01-02T15:04:05.000-0700"

// parseDateTime reads a datetime with an offset, with or without a colon, or Z.
func parseDateTime(s string) (time.Time, error) {
	s = strings.ToUpper(s)
	// Go wants at most nine digits of a second; the grammar has no bound.
	if i := strings.IndexByte(s, '.'); i >= 0 {
		end := i + 1
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		s = s[:i] + s[i:min(i+10, end)] + s[end:]
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no datetime such as 2026-11-22T03:13:26.000+0000", s)
}

// checkFormula refuses a date literal with a number where none belongs, or without one where one does.
func checkFormula(v soql.Value) error {
	takes := strings.HasPrefix(v.Str, "LAST_N_") || strings.HasPrefix(v.Str, "NEXT_N_") || strings.HasPrefix(v.Str, "N_")
	switch {
	case takes && !v.HasN:
		return fmt.Errorf("%s needs a number: %s:n", v.Str, v.Str)
	case !takes && v.HasN:
		return fmt.Errorf("%s takes no number", v.Str)
	case v.HasN && v.N > 10_000:
		return fmt.Errorf("the number after %s is greater than 10000: lower it", v.Str)
	}
	return nil
}

// formulaRange returns the span [from, to) a date literal stands for, given the moment in the user's zone (SOQL and SOSL
// reference, "Date Formats and Date Literals"). Weeks start on a day of the user's locale, and fiscal years with the calendar year.
func formulaRange(v soql.Value, now time.Time, weeks time.Weekday) (from, to time.Time) {
	day := startOfDay(now)
	switch v.Str {
	case "TODAY":
		return day, addDays(day, 1)
	case "YESTERDAY":
		return addDays(day, -1), day
	case "TOMORROW":
		return addDays(day, 1), addDays(day, 2)
	case "LAST_90_DAYS":
		return addDays(day, -90), addDays(day, 1)
	case "NEXT_90_DAYS":
		return addDays(day, 1), addDays(day, 91)
	}
	which, unit := splitFormula(v.Str)
	if unit == "DAYS" {
		return dayRange(which, v.N, day)
	}
	start := startOf(unit, day, weeks)
	switch which {
	case "LAST":
		return step(start, unit, -1), start
	case "THIS":
		return start, step(start, unit, 1)
	case "NEXT":
		return step(start, unit, 1), step(start, unit, 2)
	case "LAST_N":
		return step(start, unit, -v.N), start
	case "NEXT_N":
		return step(start, unit, 1), step(start, unit, v.N+1)
	default: // N_..._AGO
		return step(start, unit, -v.N), step(start, unit, 1-v.N)
	}
}

// dayRange differs from the other units: LAST_N_DAYS:n reaches n days back and includes today.
func dayRange(which string, n int, day time.Time) (from, to time.Time) {
	switch which {
	case "LAST_N":
		return addDays(day, -n), addDays(day, 1)
	case "NEXT_N":
		return addDays(day, 1), addDays(day, n+1)
	default:
		return addDays(day, -n), addDays(day, 1-n)
	}
}

// splitFormula cuts LAST_N_FISCAL_QUARTERS into LAST_N and QUARTER, N_DAYS_AGO into N and DAYS, THIS_WEEK into THIS and WEEK.
func splitFormula(name string) (which, unit string) {
	name = strings.Replace(name, "FISCAL_", "", 1)
	for _, p := range []string{"LAST_N", "NEXT_N", "LAST", "NEXT", "THIS", "N"} {
		if rest, ok := strings.CutPrefix(name, p+"_"); ok {
			unit = strings.TrimSuffix(rest, "_AGO")
			if unit != "DAYS" {
				unit = strings.TrimSuffix(unit, "S")
			}
			return p, unit
		}
	}
	return "", ""
}

func startOfDay(t time.Time) time.Time { return addDays(t, 0) }

func addDays(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	return midnight(y, m, d+n, t.Location())
}

// midnight is when a day begins: where clocks go forward at midnight, with the first moment they show.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	noon := time.Date(y, m, d, 12, 0, 0, 0, zone)
	if t.Day() != noon.Day() || t.Hour() != 0 {
		if begin, _ := noon.ZoneBounds(); begin.Day() == noon.Day() {
			return begin
		}
	}
	return t
}

func startOf(unit string, day time.Time, weeks time.Weekday) time.Time {
	y, m, _ := day.Date()
	switch unit {
	case "WEEK":
		return addDays(day, -(int(day.Weekday()-weeks)+7)%7)
	case "MONTH":
		return midnight(y, m, 1, day.Location())
	case "QUARTER":
		return midnight(y, (m-1)/3*3+1, 1, day.Location())
	default:
		return midnight(y, 1, 1, day.Location())
	}
}

func step(t time.Time, unit string, n int) time.Time {
	y, m, d := t.Date()
	switch unit {
	case "WEEK":
		return addDays(t, 7*n)
	case "MONTH":
		return midnight(y, m+time.Month(n), d, t.Location())
	case "QUARTER":
		return midnight(y, m+time.Month(3*n), d, t.Location())
	default:
		return midnight(y+n, m, d, t.Location())
	}
}

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
// reference, "Date Formats and Date Literals"). Weeks start on Sunday, and fiscal years with the calendar year.
func formulaRange(v soql.Value, now time.Time) (from, to time.Time) {
	day := startOfDay(now)
	switch v.Str {
	case "TODAY":
		return day, day.AddDate(0, 0, 1)
	case "YESTERDAY":
		return day.AddDate(0, 0, -1), day
	case "TOMORROW":
		return day.AddDate(0, 0, 1), day.AddDate(0, 0, 2)
	case "LAST_90_DAYS":
		return day.AddDate(0, 0, -90), day.AddDate(0, 0, 1)
	case "NEXT_90_DAYS":
		return day.AddDate(0, 0, 1), day.AddDate(0, 0, 91)
	}
	which, unit := splitFormula(v.Str)
	if unit == "DAYS" {
		return dayRange(which, v.N, day)
	}
	start := startOf(unit, day)
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
		return day.AddDate(0, 0, -n), day.AddDate(0, 0, 1)
	case "NEXT_N":
		return day.AddDate(0, 0, 1), day.AddDate(0, 0, n+1)
	default:
		return day.AddDate(0, 0, -n), day.AddDate(0, 0, 1-n)
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

func startOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

func startOf(unit string, day time.Time) time.Time {
	y, m, _ := day.Date()
	switch unit {
	case "WEEK":
		return day.AddDate(0, 0, -int(day.Weekday()))
	case "MONTH":
		return time.Date(y, m, 1, 0, 0, 0, 0, day.Location())
	case "QUARTER":
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, day.Location())
	default:
		return time.Date(y, 1, 1, 0, 0, 0, 0, day.Location())
	}
}

func step(t time.Time, unit string, n int) time.Time {
	switch unit {
	case "WEEK":
		return t.AddDate(0, 0, 7*n)
	case "MONTH":
		return t.AddDate(0, n, 0)
	case "QUARTER":
		return t.AddDate(0, 3*n, 0)
	default:
		return t.AddDate(n, 0, 0)
	}
}

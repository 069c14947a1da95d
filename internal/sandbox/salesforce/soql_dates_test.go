package salesforce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

// spanOf is the span a date literal stands for, as days or, where they are not midnight in UTC, moments.
func spanOf(t *testing.T, literal string, now time.Time, locale string) string {
	t.Helper()
	q, err := soql.Parse("SELECT Id FROM Account WHERE CreatedDate = " + literal)
	if err != nil {
		t.Fatal(err)
	}
	c, isCompare := q.Where.(*soql.Compare)
	if !isCompare || checkFormula(c.Value) != nil {
		t.Fatalf("%s is no date literal", literal)
	}
	from, to := formulaRange(c.Value, now, firstWeekday(locale))
	if now.Location() == time.UTC {
		return from.Format(time.DateOnly) + " " + to.Format(time.DateOnly)
	}
	return from.UTC().Format("2006-01-02T15:04Z") + " " + to.UTC().Format("2006-01-02T15:04Z")
}

// TestDateLiterals states the bounds of every date literal: from the first day to the day after the last.
func TestDateLiterals(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]string{
		"YESTERDAY": "2026-11-17 2026-11-18", "TODAY": "2026-11-18 2026-11-19", "TOMORROW": "2026-11-19 2026-11-20",
		"LAST_WEEK": "2026-11-08 2026-11-15", "THIS_WEEK": "2026-11-15 2026-11-22", "NEXT_WEEK": "2026-11-22 2026-11-29",
		"LAST_MONTH": "2026-10-01 2026-11-01", "THIS_MONTH": "2026-11-01 2026-12-01", "NEXT_MONTH": "2026-12-01 2027-01-01",
		"LAST_90_DAYS": "2026-08-20 2026-11-19", "NEXT_90_DAYS": "2026-11-19 2027-02-17",
		"LAST_QUARTER": "2026-07-01 2026-10-01", "THIS_QUARTER": "2026-10-01 2027-01-01", "NEXT_QUARTER": "2027-01-01 2027-04-01",
		"LAST_YEAR": "2025-01-01 2026-01-01", "THIS_YEAR": "2026-01-01 2027-01-01", "NEXT_YEAR": "2027-01-01 2028-01-01",
		"LAST_FISCAL_QUARTER": "2026-07-01 2026-10-01", "THIS_FISCAL_QUARTER": "2026-10-01 2027-01-01", "NEXT_FISCAL_QUARTER": "2027-01-01 2027-04-01",
		"LAST_FISCAL_YEAR": "2025-01-01 2026-01-01", "THIS_FISCAL_YEAR": "2026-01-01 2027-01-01", "NEXT_FISCAL_YEAR": "2027-01-01 2028-01-01",
		"LAST_N_DAYS:2": "2026-11-16 2026-11-19", "LAST_N_DAYS:0": "2026-11-18 2026-11-19", "NEXT_N_DAYS:2": "2026-11-19 2026-11-21", "N_DAYS_AGO:2": "2026-11-16 2026-11-17",
		"LAST_N_WEEKS:2": "2026-11-01 2026-11-15", "NEXT_N_WEEKS:2": "2026-11-22 2026-12-06", "N_WEEKS_AGO:2": "2026-11-01 2026-11-08",
		"LAST_N_MONTHS:2": "2026-09-01 2026-11-01", "NEXT_N_MONTHS:2": "2026-12-01 2027-02-01", "N_MONTHS_AGO:2": "2026-09-01 2026-10-01",
		"LAST_N_QUARTERS:2": "2026-04-01 2026-10-01", "NEXT_N_QUARTERS:2": "2027-01-01 2027-07-01", "N_QUARTERS_AGO:2": "2026-04-01 2026-07-01",
		"LAST_N_YEARS:2": "2024-01-01 2026-01-01", "NEXT_N_YEARS:2": "2027-01-01 2029-01-01", "N_YEARS_AGO:2": "2024-01-01 2025-01-01",
		"LAST_N_FISCAL_QUARTERS:2": "2026-04-01 2026-10-01", "NEXT_N_FISCAL_QUARTERS:2": "2027-01-01 2027-07-01", "N_FISCAL_QUARTERS_AGO:2": "2026-04-01 2026-07-01",
		"LAST_N_FISCAL_YEARS:2": "2024-01-01 2026-01-01", "NEXT_N_FISCAL_YEARS:2": "2027-01-01 2029-01-01", "N_FISCAL_YEARS_AGO:2": "2024-01-01 2025-01-01",
	} {
		if got := spanOf(t, literal, fixedNow(), ""); got != want {
			t.Errorf("%s is %s instead of %s", literal, got, want)
		}
		if got := spanOf(t, strings.ToLower(literal), fixedNow(), ""); got != want {
			t.Errorf("%s in lower case is %s instead of %s", literal, got, want)
		}
	}
	leap := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for literal, want := range map[string]string{
		"TOMORROW": "2024-03-01 2024-03-02", "THIS_MONTH": "2024-02-01 2024-03-01", "LAST_90_DAYS": "2023-12-01 2024-03-01", "N_DAYS_AGO:366": "2023-02-28 2023-03-01",
		"LAST_YEAR": "2023-01-01 2024-01-01", "N_YEARS_AGO:4": "2020-01-01 2021-01-01", "NEXT_N_MONTHS:12": "2024-03-01 2025-03-01", "THIS_WEEK": "2024-02-25 2024-03-03",
	} {
		if got := spanOf(t, literal, leap, ""); got != want {
			t.Errorf("on a leap day %s is %s instead of %s", literal, got, want)
		}
	}
}

// TestWeeksByLocale: weeks start on Sunday, Monday or Saturday.
func TestWeeksByLocale(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{
		"": "2026-11-15 2026-11-22", "en_US": "2026-11-15 2026-11-22", "en_CA": "2026-11-15 2026-11-22", "pt_BR": "2026-11-15 2026-11-22", "ja": "2026-11-15 2026-11-22",
		"en_GB": "2026-11-16 2026-11-23", "de": "2026-11-16 2026-11-23", "fr_FR": "2026-11-16 2026-11-23", "nl_NL": "2026-11-16 2026-11-23",
		"ar_EG": "2026-11-14 2026-11-21",
	} {
		if got := spanOf(t, "THIS_WEEK", fixedNow(), locale); got != want {
			t.Errorf("in %s this week is %s instead of %s", locale, got, want)
		}
	}
	for day, want := range map[int]string{15: "2026-11-09 2026-11-16", 16: "2026-11-16 2026-11-23", 22: "2026-11-16 2026-11-23"} {
		if got := spanOf(t, "THIS_WEEK", time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC), "de"); got != want {
			t.Errorf("on %d November this week is %s instead of %s", day, got, want)
		}
	}
}

// TestDaysOfZones: days have 23, 24 or 25 hours, and there are places where some do not begin at midnight.
func TestDaysOfZones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, at, literal, want string }{
		{"America/New_York", "2026-11-01T12:00:00", "TODAY", "2026-11-01T04:00Z 2026-11-02T05:00Z"},
		{"America/New_York", "2026-03-08T12:00:00", "TODAY", "2026-03-08T05:00Z 2026-03-09T04:00Z"},
		{"America/New_York", "2026-03-09T12:00:00", "YESTERDAY", "2026-03-08T05:00Z 2026-03-09T04:00Z"},
		{"America/New_York", "2026-11-18T12:00:00", "LAST_90_DAYS", "2026-08-20T04:00Z 2026-11-19T05:00Z"},
		{"America/New_York", "2026-11-18T12:00:00", "THIS_YEAR", "2026-01-01T05:00Z 2027-01-01T05:00Z"},
		{"Europe/Berlin", "2026-10-25T12:00:00", "TODAY", "2026-10-24T22:00Z 2026-10-25T23:00Z"},
		{"Australia/Lord_Howe", "2026-10-04T12:00:00", "TODAY", "2026-10-03T13:30Z 2026-10-04T13:00Z"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00", "TODAY", "2018-11-04T03:00Z 2018-11-05T02:00Z"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00", "YESTERDAY", "2018-11-03T03:00Z 2018-11-04T03:00Z"},
		{"America/Sao_Paulo", "2018-11-05T12:00:00", "LAST_N_DAYS:1", "2018-11-04T03:00Z 2018-11-06T02:00Z"},
		{"America/Havana", "2026-11-01T12:00:00", "TODAY", "2026-11-01T04:00Z 2026-11-02T05:00Z"},
		{"Asia/Kathmandu", "2026-11-18T12:00:00", "TODAY", "2026-11-17T18:15Z 2026-11-18T18:15Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05", c.at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := spanOf(t, c.literal, at, ""); got != c.want {
			t.Errorf("%s in %s at %s is %s instead of %s", c.literal, c.zone, c.at, got, c.want)
		}
	}
}

func TestMeaningOfDates(t *testing.T) {
	t.Parallel()
	zed, both := `[{"LastName":"Zed"}]`, `[{"LastName":"O'Brien"},{"LastName":"Zed"}]`
	o := meaningOrg(t)
	var table []meaning
	for where, want := range map[string]string{
		"Birthdate = 1990-05-01": `[{"LastName":"O'Brien"}]`, "Birthdate != 1990-05-01": `[{"LastName":"Lone"},{"LastName":"Zed"}]`,
		"Birthdate > 1990-05-01": zed, "Birthdate >= 1990-05-01": both, "Birthdate < 2026-11-17": `[{"LastName":"O'Brien"}]`,
		"Birthdate = YESTERDAY": zed, "Birthdate < YESTERDAY": `[{"LastName":"O'Brien"}]`, "Birthdate <= YESTERDAY": both, "Birthdate > YESTERDAY": `[]`,
		"Birthdate >= YESTERDAY": zed, "Birthdate != YESTERDAY": `[{"LastName":"Lone"},{"LastName":"O'Brien"}]`,
		"Birthdate > LAST_WEEK": zed, "Birthdate < THIS_WEEK": `[{"LastName":"O'Brien"}]`, "Birthdate <= LAST_WEEK": `[{"LastName":"O'Brien"}]`,
		"Birthdate = LAST_N_DAYS:1": zed, "Birthdate = LAST_N_DAYS:0": `[]`, "Birthdate > LAST_N_DAYS:2": zed, "Birthdate > LAST_90_DAYS": zed,
		"Birthdate IN (TODAY, YESTERDAY)": zed, "Birthdate NOT IN (YESTERDAY)": `[{"LastName":"Lone"},{"LastName":"O'Brien"}]`,
		"Birthdate = THIS_FISCAL_YEAR": zed, "Birthdate = null": `[{"LastName":"Lone"}]`,
		"CreatedDate = TODAY AND LastName = 'Zed'": zed, "CreatedDate > TODAY": `[]`, "CreatedDate >= TODAY AND LastName = 'Zed'": zed, "CreatedDate < TODAY": `[]`,
		"CreatedDate <= TODAY AND LastName = 'Zed'": zed, "CreatedDate = 2026-11-18T16:30:00+01:00 AND LastName = 'Zed'": zed,
		"CreatedDate = 2026-11-18T10:30:00.000-0500 AND LastName = 'Zed'": zed, "CreatedDate > 2026-11-18T15:30:00Z": `[]`,
		"CALENDAR_YEAR(Birthdate) = 1990": `[{"LastName":"O'Brien"}]`, "CALENDAR_MONTH(Birthdate) = 11": zed, "CALENDAR_QUARTER(Birthdate) = 2": `[{"LastName":"O'Brien"}]`,
		"FISCAL_YEAR(Birthdate) > 2000": zed, "FISCAL_QUARTER(Birthdate) = 4": zed, "FISCAL_MONTH(Birthdate) = 5": `[{"LastName":"O'Brien"}]`,
		"DAY_IN_MONTH(Birthdate) = 17": zed, "DAY_IN_WEEK(Birthdate) = 3": both, "DAY_IN_YEAR(Birthdate) = 321": zed,
		"WEEK_IN_MONTH(Birthdate) = 3": zed, "WEEK_IN_YEAR(Birthdate) = 46": zed, "WEEK_IN_YEAR(Birthdate) = 18": `[{"LastName":"O'Brien"}]`,
		"HOUR_IN_DAY(CreatedDate) = 15 AND LastName = 'Zed'": zed, "DAY_ONLY(CreatedDate) = 2026-11-18 AND LastName = 'Zed'": zed,
		"DAY_ONLY(CreatedDate) = TODAY AND LastName = 'Zed'": zed, "DAY_ONLY(convertTimezone(CreatedDate)) < 2026-11-18": `[]`,
		"Birthdate = '1990-05-01'":                     "!INVALID_FIELD value of filter criterion for field 'Birthdate' must be of type date and should not be enclosed in quotes",
		"Birthdate = 1990-05-01T00:00:00Z":             "!INVALID_FIELD value of filter criterion for field 'Birthdate' must be of type date",
		"CreatedDate = 2026-11-18":                     "!INVALID_FIELD value of filter criterion for field 'CreatedDate' must be of type dateTime",
		"CreatedDate = 2026-11-18T15:30:00":            "!MALFORMED_QUERY unexpected token",
		"Birthdate = 2026-02-30":                       "!MALFORMED_QUERY invalid date: 2026-02-30",
		"CreatedDate = 2026-02-30T00:00:00Z":           "!MALFORMED_QUERY invalid dateTime",
		"CreatedDate = LAST_N_DAYS":                    "!MALFORMED_QUERY LAST_N_DAYS needs a number",
		"CreatedDate = TODAY:3":                        "!MALFORMED_QUERY TODAY takes no number",
		"CreatedDate = TODAY()":                        "!MALFORMED_QUERY unexpected token",
		"CreatedDate = LAST_N_DAYS:-1":                 "!MALFORMED_QUERY unexpected token",
		"LastName = TODAY":                             "!INVALID_FIELD must be of type string",
		"HOUR_IN_DAY(Birthdate) = 1":                   "!INVALID_FIELD HOUR_IN_DAY needs a datetime: 'Birthdate' is none",
		"DAY_ONLY(Birthdate) = TODAY":                  "!INVALID_FIELD DAY_ONLY needs a datetime: 'Birthdate' is none",
		"CALENDAR_YEAR(LastName) = 1":                  "!INVALID_FIELD CALENDAR_YEAR needs a date: 'LastName' is none",
		"convertTimezone(CreatedDate) = TODAY":         "!MALFORMED_QUERY convertTimezone is used inside a date function only",
		"CALENDAR_YEAR(CreatedDate) = '2026'":          "!INVALID_FIELD must be of type int",
		"DAY_ONLY(convertTimezone(Birthdate)) = TODAY": "!INVALID_FIELD needs a date",
	} {
		table = append(table, meaning{where, "SELECT LastName FROM Contact WHERE " + where + " ORDER BY LastName", want})
	}
	o.means(t, table)
}

// TestDatesOfUser: literals, convertTimezone, FORMAT and weeks are those of the user's zone and locale.
func TestDatesOfUser(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 16, 3, 30, 0, 0, time.UTC) // Sunday evening in New York
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	for _, day := range []string{"2026-11-08", "2026-11-09", "2026-11-15", "2026-11-16"} {
		o.create("Contact", fmt.Sprintf(`{"LastName":%q,"Birthdate":%q}`, day, day))
	}
	user := func(zone, locale string) {
		t.Helper()
		if status, body := o.api(http.MethodPatch, "/sobjects/User/"+o.admin, `{"TimeZoneSidKey":"`+zone+`","LocaleSidKey":"`+locale+`"}`); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, body)
		}
	}
	check := func(q, want string) {
		t.Helper()
		status, body := o.soql(q)
		o.judge(t, meaning{q: q, want: want}, status, body, "records")
	}
	user("America/New_York", "en_US")
	check("SELECT LastName FROM Contact WHERE Birthdate = TODAY", `[{"LastName":"2026-11-15"}]`)
	check("SELECT LastName FROM Contact WHERE Birthdate = LAST_WEEK ORDER BY LastName", `[{"LastName":"2026-11-08"},{"LastName":"2026-11-09"}]`)
	check("SELECT COUNT() FROM Contact WHERE CreatedDate = TODAY", `[]`)
	check("SELECT DAY_ONLY(CreatedDate) utc, DAY_ONLY(convertTimezone(CreatedDate)) here, COUNT(Id) n FROM Contact GROUP BY DAY_ONLY(CreatedDate), DAY_ONLY(convertTimezone(CreatedDate))",
		`[{"utc":"2026-11-16","here":"2026-11-15","n":4}]`)
	check("SELECT FORMAT(CreatedDate) FROM Contact LIMIT 1", `[{"CreatedDate":"11/15/2026, 10:30 PM"}]`)
	user("Europe/Berlin", "de")
	check("SELECT LastName FROM Contact WHERE Birthdate = TODAY", `[{"LastName":"2026-11-16"}]`)
	check("SELECT LastName FROM Contact WHERE Birthdate = LAST_WEEK ORDER BY LastName", `[{"LastName":"2026-11-09"},{"LastName":"2026-11-15"}]`)
	check("SELECT FORMAT(CreatedDate), FORMAT(Birthdate) FROM Contact WHERE LastName = '2026-11-08'", `[{"CreatedDate":"16.11.2026, 04:30","Birthdate":"08.11.2026"}]`)
	user("Europe/London", "en_GB")
	check("SELECT FORMAT(CreatedDate) FROM Contact LIMIT 1", `[{"CreatedDate":"16/11/2026, 03:30"}]`)
}

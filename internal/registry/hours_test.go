package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
)

var office = registry.Hours{
	Zone: "Europe/Berlin",
	Week: []registry.Interval{
		{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "08:00", To: "17:00"},
		{Days: []string{"sat"}, From: "22:00", To: "06:00"}, // into Sunday
		{Days: []string{"sun"}, From: "18:00", To: "24:00"},
	},
	Holidays: []registry.Holiday{
		{Name: "New Year", Date: "2020-01-01", Yearly: true},
		{Name: "Works outing", Date: "2026-06-10"},
	},
	Overrides: []registry.Override{
		{Name: "Stocktaking", From: "2026-06-30T12:00", To: "2026-06-30T20:00"},
		{Name: "Open on New Year", From: "2027-01-01T10:00", To: "2027-01-01T12:00", Open: true},
	},
}

// TestHoursState: an override comes before a holiday, a holiday before the week, and the clock on the wall counts.
func TestHoursState(t *testing.T) {
	t.Parallel()
	night := registry.Hours{Zone: "Europe/Berlin", Week: []registry.Interval{{Days: []string{"sat"}, From: "22:00", To: "03:00"}}}
	morning := registry.Hours{Zone: "America/New_York", Week: []registry.Interval{{Days: []string{"sun"}, From: "02:00", To: "04:00"}}}
	always := registry.Hours{Zone: "Asia/Kolkata", Week: []registry.Interval{{Days: []string{"mon", "tue"}, From: "00:00", To: "00:00"}}}
	for _, c := range []struct {
		name  string
		hours *registry.Hours
		at    string // RFC 3339
		want  string
		open  bool
	}{
		{"opens", &office, "2026-06-01T08:00:00+02:00", "work", true},
		{"a second before", &office, "2026-06-01T07:59:59+02:00", "closed", false},
		{"last minute", &office, "2026-06-01T16:59:59+02:00", "work", true},
		{"closes", &office, "2026-06-01T17:00:00+02:00", "closed", false},
		{"another zone's clock", &office, "2026-06-01T06:30:00Z", "work", true},
		{"winter time", &office, "2026-12-01T06:30:00Z", "closed", false},
		{"Saturday before the night", &office, "2026-06-06T21:59:00+02:00", "closed", false},
		{"Saturday night", &office, "2026-06-06T23:00:00+02:00", "work", true},
		{"midnight within", &office, "2026-06-07T00:00:00+02:00", "work", true},
		{"Sunday morning", &office, "2026-06-07T05:59:00+02:00", "work", true},
		{"the night's end", &office, "2026-06-07T06:00:00+02:00", "closed", false},
		{"Friday's night is not Saturday's", &office, "2026-06-06T05:00:00+02:00", "closed", false},
		{"until the day's end", &office, "2026-06-07T23:59:59+02:00", "work", true},
		{"not beyond it", &office, "2026-06-08T00:00:00+02:00", "closed", false},
		{"yearly holiday", &office, "2026-01-01T09:00:00+01:00", "holiday", false},
		{"not before its first year", &office, "2019-01-01T09:00:00+01:00", "work", true},
		{"holiday of one year", &office, "2026-06-10T09:00:00+02:00", "holiday", false},
		{"not the next", &office, "2027-06-10T09:00:00+02:00", "work", true},
		{"holiday by the zone's date", &office, "2026-06-09T22:30:00Z", "holiday", false},
		{"override", &office, "2026-06-30T12:00:00+02:00", "override", false},
		{"before the override", &office, "2026-06-30T11:59:00+02:00", "work", true},
		{"after the override", &office, "2026-06-30T20:00:00+02:00", "closed", false},
		{"override before holiday", &office, "2027-01-01T10:30:00+01:00", "override", true},
		{"holiday after override", &office, "2027-01-01T12:00:00+01:00", "holiday", false},
		// Berlin goes from 02:00 to 03:00 on 29 March 2026: the night ends when the clock says 03:00, an hour of time earlier.
		{"spring night, last minute", &night, "2026-03-29T00:59:59Z", "work", true},
		{"spring night is over", &night, "2026-03-29T01:00:00Z", "closed", false},
		// Berlin goes from 03:00 to 02:00 on 25 October 2026: the hour from 02:00 comes twice, both before 03:00.
		{"autumn, the hour first", &night, "2026-10-25T00:30:00Z", "work", true},
		{"autumn, the hour again", &night, "2026-10-25T01:30:00Z", "work", true},
		{"autumn night is over", &night, "2026-10-25T02:00:00Z", "closed", false},
		// New York goes from 02:00 to 03:00 on 8 March 2026: what opens at 02:00 opens at once when the clock jumps.
		{"opens in the gap", &morning, "2026-03-08T07:00:00Z", "work", true},
		{"before the gap", &morning, "2026-03-08T06:59:59Z", "closed", false},
		{"closes after the gap", &morning, "2026-03-08T08:00:00Z", "closed", false},
		{"whole day", &always, "2026-06-01T12:00:00+05:30", "work", true},
		{"whole day, its end", &always, "2026-06-02T23:59:00+05:30", "work", true},
		{"not the next day", &always, "2026-06-03T00:00:00+05:30", "closed", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		outcome, open, _, err := c.hours.State(at)
		if err != nil || outcome != c.want || open != c.open {
			t.Errorf("%s: %s, open %v, %v; want %s, %v", c.name, outcome, open, err, c.want, c.open)
		}
	}
}

func TestCheckHours(t *testing.T) {
	t.Parallel()
	if err := registry.CheckHours("x", &registry.Hours{Zone: "UTC"}); err != nil {
		t.Errorf("hours that never open: %v", err)
	}
	good := registry.Interval{Days: []string{"Mon"}, From: "08:00", To: "17:00"}
	for name, h := range map[string]registry.Hours{
		"time zone":        {Zone: "Europe/Atlantis"},
		"say the time":     {},
		"days of the week": {Zone: "UTC", Week: []registry.Interval{{From: "08:00", To: "17:00"}}},
		"mon, tue":         {Zone: "UTC", Week: []registry.Interval{{Days: []string{"lundi"}, From: "08:00", To: "17:00"}}},
		"08:00":            {Zone: "UTC", Week: []registry.Interval{{Days: []string{"mon"}, From: "8:00", To: "17:00"}}},
		"time of work":     {Zone: "UTC", Week: []registry.Interval{{Days: []string{"mon"}, From: "24:00", To: "17:00"}}},
		"holiday":          {Zone: "UTC", Week: []registry.Interval{good}, Holidays: []registry.Holiday{{Name: "x", Date: "2026-02-30"}}},
		"override":         {Zone: "UTC", Overrides: []registry.Override{{Name: "x", From: "2026-02-03T10:00", To: "2026-02-03T10:00"}}},
	} {
		if err := registry.CheckHours("x", &h); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := registry.Hours{Zone: "UTC", Week: []registry.Interval{good}}
	if err := registry.CheckHours("x", &h); err != nil || h.Week[0].Days[0] != "mon" {
		t.Errorf("%v %v", h, err)
	}
}

// FuzzHours: whatever is accepted can be asked for any moment.
func FuzzHours(f *testing.F) {
	f.Add("Europe/Berlin", "sat", "22:00", "06:00", "2026-06-10", "2026-06-30T12:00", "2026-06-30T20:00", int64(1780000000))
	f.Add("America/New_York", "sun", "00:00", "24:00", "2024-02-29", "", "", int64(-1))
	f.Fuzz(func(t *testing.T, zone, day, from, to, date, begin, end string, at int64) {
		h := registry.Hours{
			Zone: zone, Week: []registry.Interval{{Days: []string{day}, From: from, To: to}}, Holidays: []registry.Holiday{{Name: "x", Date: date, Yearly: true}},
			Overrides: []registry.Override{{Name: "y", From: begin, To: end}},
		}
		if registry.CheckHours("z", &h) != nil {
			return
		}
		outcome, open, _, err := h.State(time.Unix(at%(1<<37), 0))
		if err != nil || open != (outcome == registry.HoursWork) {
			t.Errorf("%+v: %s %v %v", h, outcome, open, err)
		}
	})
}

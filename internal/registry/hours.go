package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name do not depend on the machine

	"github.com/tandemcc/tandem/internal/errs"
)

// KindHours are hours of operation.
const KindHours = "hours"

// Hours are the hours of operation of a place. All times are those of the clock on its wall.
type Hours struct {
	Zone      string     `json:"zone"` // IANA name, such as Europe/Berlin
	Week      []Interval `json:"week"`
	Holidays  []Holiday  `json:"holidays"`
	Overrides []Override `json:"overrides"`
}

// Interval is a time of work on some days of the week. From 22:00 to 06:00 reaches into the next day; equal times, and 00:00 to
// 24:00, are the whole day.
type Interval struct {
	Days []string `json:"days"` // mon, tue, wed, thu, fri, sat, sun
	From string   `json:"from"` // 08:00
	To   string   `json:"to"`   // 17:00, exclusive
}

// Holiday is a day on which nobody works.
type Holiday struct {
	Name   string `json:"name"`
	Date   string `json:"date"`   // 2026-12-25
	Yearly bool   `json:"yearly"` // on that day of every year
}

// Override is a time for which something else holds than the week and the holidays say.
type Override struct {
	Name string `json:"name"`
	From string `json:"from"` // 2026-12-24T08:00
	To   string `json:"to"`   // 2026-12-24T12:00, exclusive
	Open bool   `json:"open"` // a time of work
}

// What Hours say of a moment, as Webex Contact Center names it.
const (
	HoursWork     = "work"
	HoursHoliday  = "holiday"
	HoursOverride = "override"
	HoursClosed   = "closed"
)

// Limits of hours of operation.
const (
	maxIntervals = 100
	maxHolidays  = 500
	maxOverrides = 500
)

// Layouts of what is written in Hours; texts in them sort by time.
const (
	dateLayout   = "2006-01-02"
	momentLayout = "2006-01-02T15:04"
)

// weekdays are the names of days by time.Weekday.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// CheckHours refuses what no calendar knows.
func CheckHours(_ string, h *Hours) error {
	if h.Zone = strings.TrimSpace(h.Zone); h.Zone == "" || h.Zone == "Local" {
		return errs.New(errs.Invalid, "say the time zone, such as Europe/Berlin or America/New_York")
	}
	if _, err := time.LoadLocation(h.Zone); err != nil {
		return errs.Wrap(errs.Invalid, err, "the time zone %.60q is not known; take a name such as Europe/Berlin", h.Zone)
	}
	if len(h.Week) > maxIntervals || len(h.Holidays) > maxHolidays || len(h.Overrides) > maxOverrides {
		return errs.New(errs.Invalid, "hours have at most %d times of work, %d holidays and %d overrides", maxIntervals, maxHolidays, maxOverrides)
	}
	for i := range h.Week {
		if err := h.Week[i].check(); err != nil {
			return err
		}
	}
	return h.checkExceptions()
}

// checkExceptions refuses holidays and overrides that no calendar knows.
func (h *Hours) checkExceptions() error {
	for _, d := range h.Holidays {
		if _, err := time.Parse(dateLayout, d.Date); err != nil || d.Name == "" || len(d.Name) > 200 {
			return errs.New(errs.Invalid, "a holiday has a name and a date such as 2026-12-25; %.60q on %.20q is none", d.Name, d.Date)
		}
	}
	for _, o := range h.Overrides {
		from, err1 := time.Parse(momentLayout, o.From)
		to, err2 := time.Parse(momentLayout, o.To)
		if err1 != nil || err2 != nil || !from.Before(to) || o.Name == "" || len(o.Name) > 200 {
			return errs.New(errs.Invalid, "an override has a name and goes from one time such as 2026-12-24T08:00 to a later one; %.60q does not", o.Name)
		}
	}
	return nil
}

func (i *Interval) check() error {
	if len(i.Days) == 0 || len(i.Days) > 7 {
		return errs.New(errs.Invalid, "choose the days of the week for %s to %s", i.From, i.To)
	}
	for n, d := range i.Days {
		i.Days[n] = strings.ToLower(d)
		if !slices.Contains(weekdays(), i.Days[n]) {
			return errs.New(errs.Invalid, "the days of the week are mon, tue, wed, thu, fri, sat, sun, not %.20q", d)
		}
	}
	if minute(i.From) < 0 || minute(i.To) < 0 || i.From == "24:00" {
		return errs.New(errs.Invalid, "a time of work goes from 08:00 to 17:00, say, with two digits each; not from %.20q to %.20q", i.From, i.To)
	}
	return nil
}

// minute is the minute of the day of "15:04"; -1 when it is none. 24:00 is the day's end.
func minute(s string) int {
	if s == "24:00" {
		return 24 * 60
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// State is what hours say of a moment, and whether it is a time of work. name is that of the holiday or override. An override
// comes before a holiday, a holiday before the week (Webex Contact Center, "Business hours").
func (h *Hours) State(at time.Time) (outcome string, open bool, name string, err error) {
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		return "", false, "", fmt.Errorf("reading the time zone: %w", err)
	}
	local := at.In(zone)
	moment, date := local.Format(momentLayout), local.Format(dateLayout)
	for _, o := range h.Overrides {
		if o.From <= moment && moment < o.To {
			return HoursOverride, o.Open, o.Name, nil
		}
	}
	for _, d := range h.Holidays {
		if d.Date == date || d.Yearly && d.Date <= date && d.Date[4:] == date[4:] {
			return HoursHoliday, false, d.Name, nil
		}
	}
	// The clock on the wall is compared, not time that has passed: a day that is an hour shorter or longer opens and closes as
	// it says.
	today, now := local.Weekday(), local.Hour()*60+local.Minute()
	for _, i := range h.Week {
		if i.holds(today, now) {
			return HoursWork, true, "", nil
		}
	}
	return HoursClosed, false, "", nil
}

// holds reports whether an interval of this day, or one that began the day before, covers a minute of the day.
func (i *Interval) holds(day time.Weekday, now int) bool {
	from, to := minute(i.From), minute(i.To)
	names := weekdays()
	today := slices.Contains(i.Days, names[day])
	if from < to {
		return today && from <= now && now < to
	}
	yesterday := slices.Contains(i.Days, names[(day+6)%7])
	return today && now >= from || yesterday && now < to
}

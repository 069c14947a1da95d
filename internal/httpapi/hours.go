package httpapi

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
)

type hoursView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	registry.Hours
}

func hoursViewOf(o registry.Object[registry.Hours]) hoursView {
	h := o.Spec
	h.Week, h.Holidays, h.Overrides = orEmpty(h.Week), orEmpty(h.Holidays), orEmpty(h.Overrides)
	return hoursView{ID: o.ID, Name: o.Name, Version: o.Version, Hours: h}
}

type intervalBody struct {
	Days []string `json:"days" minItems:"1" maxItems:"7" enum:"mon,tue,wed,thu,fri,sat,sun"`
	From string   `json:"from" pattern:"^[0-2][0-9]:[0-5][0-9]$" doc:"08:00"`
	To   string   `json:"to" pattern:"^[0-2][0-9]:[0-5][0-9]$" doc:"17:00, exclusive; before from: on the next day"`
}

type holidayBody struct {
	Name   string `json:"name" minLength:"1" maxLength:"200"`
	Date   string `json:"date" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"`
	Yearly bool   `json:"yearly,omitempty" doc:"on that day of every year"`
}

type overrideBody struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
	From string `json:"from" maxLength:"20" doc:"2026-12-24T08:00, by the clock of the time zone"`
	To   string `json:"to" maxLength:"20" doc:"exclusive"`
	Open bool   `json:"open,omitempty" doc:"a time of work"`
}

type hoursBody struct {
	Name      string         `json:"name" minLength:"1" maxLength:"200"`
	Zone      string         `json:"zone" minLength:"1" maxLength:"100" doc:"IANA time zone, such as Europe/Berlin"`
	Week      []intervalBody `json:"week,omitempty" maxItems:"100"`
	Holidays  []holidayBody  `json:"holidays,omitempty" maxItems:"500"`
	Overrides []overrideBody `json:"overrides,omitempty" maxItems:"500"`
}

func (b hoursBody) object() registry.Object[registry.Hours] {
	h := registry.Hours{Zone: b.Zone}
	for _, i := range b.Week {
		h.Week = append(h.Week, registry.Interval(i))
	}
	for _, d := range b.Holidays {
		h.Holidays = append(h.Holidays, registry.Holiday(d))
	}
	for _, o := range b.Overrides {
		h.Overrides = append(h.Overrides, registry.Override(o))
	}
	return registry.Object[registry.Hours]{Name: b.Name, Spec: h}
}

type hoursStateInput struct {
	IDInput
	At time.Time `query:"at" doc:"the moment that is asked for; the hub's present time by default"`
}

type hoursState struct {
	At      time.Time `json:"at"`
	Local   string    `json:"local" doc:"the time on the wall"`
	Outcome string    `json:"outcome" enum:"work,holiday,override,closed"`
	Open    bool      `json:"open"`
	Name    string    `json:"name" doc:"of the holiday or override"`
}

func (a *API) hoursOps() {
	register(a, crud[registry.Hours, hoursBody, hoursView]{
		path: "/hours", tag: "setup", one: "Hours", objects: a.Hours, object: hoursBody.object, view: hoursViewOf,
	})
	add(a, op("GET", "/hours/{id}/state", "getHoursState", "What the hours say of a moment", "setup", 200),
		func(ctx context.Context, in *hoursStateInput) (*body[hoursState], error) {
			o, err := a.Hours.Get(ctx, a.Tenant, in.ID)
			if err != nil {
				return nil, err
			}
			at := in.At
			if at.IsZero() {
				at = a.Clock.Now()
			}
			outcome, open, name, err := o.Spec.State(at)
			if err != nil {
				return nil, err
			}
			zone, err := time.LoadLocation(o.Spec.Zone)
			if err != nil {
				return nil, errs.Wrap(errs.Internal, err, "the time zone %s is not known any more", o.Spec.Zone)
			}
			return &body[hoursState]{Body: hoursState{
				At: at.UTC(), Local: at.In(zone).Format("Mon 2006-01-02 15:04 MST"), Outcome: outcome, Open: open, Name: name,
			}}, nil
		})
}

// checkQueue refuses hours of operation that do not exist.
func (a *API) checkQueue(ctx context.Context, o registry.Object[registry.Queue]) error {
	if o.Spec.HoursID == "" {
		return nil
	}
	_, err := a.Hours.Get(ctx, a.Tenant, o.Spec.HoursID)
	if errs.Is(err, errs.NotFound) {
		return errs.Wrap(errs.Invalid, err, "choose hours of operation that exist")
	}
	return err
}

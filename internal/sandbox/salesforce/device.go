package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// device is a program without a browser that waits for a person to let it in (RFC 8628, in the platform's own form).
type device struct {
	client, scope, userCode string
	expires, polled         time.Time
	user, name              string // who let it in, empty: nobody yet
	denied                  bool
}

// devices keeps the programs that wait, in memory: they do so for minutes.
type devices struct {
	now func() time.Time
	mu  sync.Mutex // guards all below
	all map[string]*device
}

const (
	deviceTTL   = 10 * time.Minute
	deviceEvery = 5 * time.Second // how often a program may ask
	maxDevices  = 1000
	grantDevice = "device"
)

func newDevices(now func() time.Time) *devices { return &devices{now: now, all: map[string]*device{}} }

// begin adds a program and returns its code and the one a person types.
func (ds *devices) begin(client, scope string) (deviceCode, userCode string) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for k, d := range ds.all {
		if len(ds.all) >= maxDevices || ds.now().After(d.expires) {
			delete(ds.all, k)
		}
	}
	deviceCode, userCode = randomText(64), strings.ToUpper(randomText(8))
	ds.all[deviceCode] = &device{client: client, scope: scope, userCode: userCode, expires: ds.now().Add(deviceTTL)}
	return deviceCode, userCode
}

// answer notes what a person decided. It reports false when no program waits with that code.
func (ds *devices) answer(userCode string, user *account) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, d := range ds.all {
		if !same(d.userCode, strings.ToUpper(strings.TrimSpace(userCode))) || ds.now().After(d.expires) || d.user != "" || d.denied {
			continue
		}
		if user == nil {
			d.denied = true
		} else {
			d.user, d.name = user.id, user.username
		}
		return true
	}
	return false
}

// poll returns the program once it was let in.
func (ds *devices) poll(code, client string) (device, error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d := ds.all[code]
	now := ds.now()
	switch {
	case d == nil || d.client != client || now.After(d.expires):
		return device{}, invalidGrant("invalid device code")
	case d.denied:
		delete(ds.all, code)
		return device{}, &oauthError{"access_denied", "end-user denied authorization"}
	case d.user != "":
		delete(ds.all, code)
		return *d, nil
	case now.Sub(d.polled) < deviceEvery:
		d.polled = now
		return device{}, &oauthError{"slow_down", "polling too frequently"}
	}
	d.polled = now
	return device{}, &oauthError{"authorization_pending", "polling is required"}
}

// deviceStart answers response_type=device_code: the codes, and where the person goes with one of them.
func (o *Org) deviceStart(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowDevice) {
		return nil, &oauthError{"invalid_request", "device flow is blocked in this org"}
	}
	app, err := o.client(form, false)
	if err != nil {
		return nil, err
	}
	if !app.allowsScope(form.Get("scope")) {
		return nil, disallowedScope()
	}
	deviceCode, userCode := o.devices.begin(app.ClientID, app.scope(form.Get("scope")))
	return map[string]any{
		"device_code": deviceCode, "user_code": userCode, "verification_uri": o.base(r) + "/setup/connect", "interval": int(deviceEvery / time.Second),
	}, nil
}

func (o *Org) deviceGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowDevice) {
		return nil, unsupportedGrant()
	}
	app, err := o.client(form, false)
	if err != nil {
		return nil, err
	}
	d, err := o.devices.poll(form.Get("code"), app.ClientID)
	if err != nil {
		return nil, err
	}
	return o.codeAnswer(r, app, code{client: app.ClientID, user: d.user, name: d.name, scope: d.scope})
}

// connectPage is where a person types the code a program shows.
func (s *site) connectPage(w http.ResponseWriter, r *http.Request) {
	d := pageData{Title: "Connect a device", Kind: strings.TrimSpace(r.FormValue("user_code"))}
	if r.Method != http.MethodPost {
		s.show(w, r, http.StatusOK, "connect", d)
		return
	}
	o := s.org
	var user *account
	if r.PostFormValue("answer") == "allow" {
		if user, d.Problem = o.personOf(r); d.Problem != "" {
			s.show(w, r, http.StatusUnauthorized, "connect", d)
			return
		}
	}
	if !o.devices.answer(d.Kind, user) {
		d.Problem = "No program waits with this code: look at the code again, or start the program anew."
		s.show(w, r, http.StatusBadRequest, "connect", d)
		return
	}
	d.Done = "The program may go on: it is signed in within seconds."
	if user == nil {
		d.Done = "The program was refused."
	}
	s.show(w, r, http.StatusOK, "connect", d)
}

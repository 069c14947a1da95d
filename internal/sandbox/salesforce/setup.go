package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// setupSwitches adds what an administrator of the platform finds in Setup, below /sandbox/api:
//
//	GET  /sandbox/api/flows                  {"password": true, ..., "rotate_refresh_tokens": false}
//	PUT  /sandbox/api/flows                  changes the ones that are given
//	GET  /sandbox/api/apps                   the connected apps, secrets included
//	POST /sandbox/api/apps                   adds or replaces an App
//	POST /sandbox/api/apps/{client_id}/keys  adds a certificate or public key, a PEM text as the body; "own" is the org's app
//	PUT, DELETE /sandbox/api/profiles/{name}        restricts a profile to Permissions, or lifts that
//	PUT  /sandbox/api/profiles/{name}/login-ranges  {"ranges": ["0.0.0.0-255.255.255.255"]}: where its users may come from
//	PUT, DELETE /sandbox/api/permissionsets/{name}  sets or removes a permission set, with its users
//	GET, POST /sandbox/api/users/{username}/security-token  the token that goes after the password; POST makes another
//	GET, PUT /sandbox/api/security           Security: trusted ranges, login ranges on every request, lock-out
func (o *Org) setupSwitches(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/api/flows", func(w http.ResponseWriter, _ *http.Request) { o.writeFlows(w) })
	mux.HandleFunc("PUT /sandbox/api/flows", o.setFlows)
	mux.HandleFunc("GET /sandbox/api/apps", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"apps": o.Apps()})
	})
	mux.HandleFunc("POST /sandbox/api/apps", o.postApp)
	mux.HandleFunc("POST /sandbox/api/apps/{id}/keys", o.postKey)
	mux.HandleFunc("PUT /sandbox/api/profiles/{name}", o.putPermissions(o.RestrictProfile))
	mux.HandleFunc("DELETE /sandbox/api/profiles/{name}", o.dropPermissions(o.RestrictProfile))
	mux.HandleFunc("PUT /sandbox/api/profiles/{name}/login-ranges", o.putLoginRanges)
	mux.HandleFunc("GET /sandbox/api/users/{username}/security-token", o.securityToken)
	mux.HandleFunc("POST /sandbox/api/users/{username}/security-token", o.securityToken)
	mux.HandleFunc("GET /sandbox/api/security", o.getSecurity)
	mux.HandleFunc("PUT /sandbox/api/security", o.putSecurity)
	mux.HandleFunc("PUT /sandbox/api/permissionsets/{name}", o.putPermissions(o.SetPermissionSet))
	mux.HandleFunc("DELETE /sandbox/api/permissionsets/{name}", o.dropPermissions(o.SetPermissionSet))
	o.apexSwitches(mux)
	o.corsSwitches(mux)
	mux.HandleFunc("GET /sandbox/setup", func(w http.ResponseWriter, r *http.Request) { o.site.setupPage(w, r, "") })
	mux.HandleFunc("POST /sandbox/setup", o.site.setup)
}

type permissionSetter func(ctx context.Context, name string, p *Permissions) error

func (o *Org) putPermissions(set permissionSetter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var p Permissions
		err := strict(r, &p)
		if err == nil {
			err = set(r.Context(), r.PathValue("name"), &p)
		}
		if err != nil {
			writeFault(w, badRequest("INVALID_INPUT", "%s", err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (o *Org) dropPermissions(set permissionSetter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := set(r.Context(), r.PathValue("name"), nil); err != nil {
			writeFault(w, badRequest("INVALID_INPUT", "%s", err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

const rotateName = "rotate_refresh_tokens"

func (o *Org) writeFlows(w http.ResponseWriter) {
	out := map[string]bool{rotateName: o.rotates()}
	for _, f := range Flows() {
		out[string(f)] = o.FlowEnabled(f)
	}
	writeJSON(w, http.StatusOK, out)
}

func (o *Org) setFlows(w http.ResponseWriter, r *http.Request) {
	var in map[string]bool
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		writeFault(w, badRequest("JSON_PARSER_ERROR", "%s", err))
		return
	}
	for name := range in {
		if name != rotateName && !slices.Contains(Flows(), Flow(name)) {
			writeFault(w, badRequest("INVALID_INPUT", "flow %q is unknown: use %v and %s", shorten(name), Flows(), rotateName))
			return
		}
	}
	for name, on := range in {
		var err error
		if name == rotateName {
			err = o.SetRotation(r.Context(), on)
		} else {
			err = o.SetFlow(r.Context(), Flow(name), on)
		}
		if err != nil {
			o.writeFault(w, r, err)
			return
		}
	}
	o.writeFlows(w)
}

func (o *Org) postApp(w http.ResponseWriter, r *http.Request) {
	var a App
	if err := strict(r, &a); err != nil {
		writeFault(w, badRequest("JSON_PARSER_ERROR", "%s", err))
		return
	}
	added, err := o.AddApp(r.Context(), a)
	switch {
	case errors.Is(err, ErrTooManyApps):
		writeFault(w, fault(http.StatusConflict, "LIMIT_EXCEEDED", "%s", err))
	case err != nil:
		writeFault(w, badRequest("INVALID_INPUT", "%s", err))
	default:
		writeJSON(w, http.StatusCreated, added)
	}
}

func (o *Org) postKey(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "own" {
		id = ""
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxKeyText+1))
	if err == nil {
		err = o.AddPublicKey(r.Context(), id, string(text))
	}
	if err != nil {
		writeFault(w, badRequest("INVALID_INPUT", "%s", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// switchRow is one flow on the setup page.
type switchRow struct {
	Name, Label string
	On          bool
}

func (s *site) setupPage(w http.ResponseWriter, r *http.Request, problem string) {
	d := pageData{Title: "Setup", Section: "apps", Problem: problem, Apps: s.org.Apps(), Security: s.org.Security()}
	d.Trusted = strings.Join(d.Security.TrustedRanges, "\n")
	for _, f := range Flows() {
		d.Switches = append(d.Switches, switchRow{string(f), flowLabel(f), s.org.FlowEnabled(f)})
	}
	d.Switches = append(d.Switches, switchRow{rotateName, "Rotate refresh tokens", s.org.rotates()})
	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
	}
	s.show(w, r, status, "setup", d)
}

func flowLabel(f Flow) string {
	switch f {
	case FlowPassword:
		return "OAuth username-password flow"
	case FlowClientCredentials:
		return "OAuth client credentials flow"
	case FlowRefreshToken:
		return "OAuth refresh token flow"
	case FlowAuthorizationCode:
		return "OAuth authorization code flow"
	case FlowJWTBearer:
		return "OAuth JWT bearer flow"
	case FlowSOAPLogin:
		return "SOAP login()"
	case FlowTokenExchange:
		return "OAuth token exchange flow"
	case FlowDevice:
		return "OAuth device flow"
	case FlowUserAgent:
		return "OAuth user-agent flow"
	}
	return string(f)
}

// setup carries out a form of the setup page.
func (s *site) setup(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err != nil {
		s.setupPage(w, r, "The form cannot be read.")
		return
	}
	ctx, name := r.Context(), r.PostForm.Get("name")
	switch r.PostForm.Get("do") {
	case "on", "off":
		on := r.PostForm.Get("do") == "on"
		if name == rotateName {
			err = s.org.SetRotation(ctx, on)
		} else {
			err = s.org.SetFlow(ctx, Flow(name), on)
		}
	case "key":
		err = s.org.AddPublicKey(ctx, r.PostForm.Get("client_id"), r.PostForm.Get("pem"))
	case "app":
		_, err = s.org.AddApp(ctx, App{
			Name: strings.TrimSpace(name), Username: strings.TrimSpace(r.PostForm.Get("username")), CallbackURLs: strings.Fields(r.PostForm.Get("callback_urls")),
			Scopes: strings.Fields(r.PostForm.Get("scopes")), PermittedUsers: r.PostForm.Get("permitted"), Profiles: lines(r.PostForm.Get("profiles")),
			RequirePKCE: r.PostForm.Get("pkce") != "",
		})
	case "security":
		err = s.saveSecurity(r)
	default:
		err = fmt.Errorf("the action %q is unknown", shorten(r.PostForm.Get("do")))
	}
	if err != nil {
		s.setupPage(w, r, err.Error())
		return
	}
	http.Redirect(w, r, "/sandbox/setup", http.StatusSeeOther)
}

// lines are the lines of a text that hold anything.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// saveSecurity carries out the form of sign-in security.
func (s *site) saveSecurity(r *http.Request) error {
	attempts, err := strconv.Atoi(strings.TrimSpace(r.PostForm.Get("attempts")))
	minutes, minutesErr := strconv.Atoi(strings.TrimSpace(r.PostForm.Get("minutes")))
	if err != nil || minutesErr != nil {
		return errors.New("the attempts and minutes must be whole numbers")
	}
	return s.org.SetSecurity(r.Context(), Security{
		TrustedRanges: lines(r.PostForm.Get("trusted")), EnforceRanges: r.PostForm.Get("enforce") != "", MaxAttempts: attempts, LockoutMinutes: minutes,
	})
}

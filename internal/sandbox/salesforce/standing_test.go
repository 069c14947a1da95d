package salesforce

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// tokens gives the agent a session and a refresh token.
func (o *ruled) tokens() (access, refresh string) {
	o.t.Helper()
	user, err := o.userByName(o.t.Context(), agent)
	if err != nil {
		o.t.Fatal(err)
	}
	s := session{user: user.id, client: ruleClient, scope: fullScope, name: agent}
	if access, err = o.sessions.add(o.t.Context(), s, time.Hour); err != nil {
		o.t.Fatal(err)
	}
	s.refresh = true
	if refresh, err = o.sessions.add(o.t.Context(), s, untilRevoked); err != nil {
		o.t.Fatal(err)
	}
	return access, refresh
}

func (o *ruled) works(access string) bool {
	o.t.Helper()
	status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + access}})
	return status == http.StatusOK
}

// idOf is the id of the one record a query finds.
func (o *ruled) idOf(query string) string {
	o.t.Helper()
	_, body := o.soql(query)
	var found struct {
		Records []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found.Records) != 1 {
		o.t.Fatalf("%s: %s", query, body)
	}
	return found.Records[0].ID
}

// TestEndedUsers: whoever deactivates or freezes a user, and however, ends the sessions with it; no grant lets the user in, and a
// refresh token opens nothing, until the user may come in again.
func TestEndedUsers(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	security := o.agentToken()
	user := o.idOf("SELECT Id FROM User WHERE Username = '" + agent + "'")
	login := o.idOf("SELECT Id FROM UserLogin WHERE UserId = '" + user + "'")
	expect := func(status int, body string, want int) {
		t.Helper()
		if status != want {
			t.Fatalf("%d %s", status, body)
		}
	}
	rest := func(entity, id, body string) func() {
		return func() {
			status, out := o.api(http.MethodPatch, "/sobjects/"+entity+"/"+id, body)
			expect(status, out, http.StatusNoContent)
		}
	}
	page := func(pairs ...string) func() {
		return func() {
			status, out := o.form("/sandbox/setup/users", values(append([]string{"id", user, "username", agent}, pairs...)...))
			expect(status, out, http.StatusOK)
		}
	}
	profile := o.idOf("SELECT Id FROM Profile WHERE Name = 'Standard User'")
	active, thawed := rest("User", user, `{"IsActive":true}`), rest("UserLogin", login, `{"IsFrozen":false}`)
	for name, way := range map[string][2]func(){
		"REST": {rest("User", user, `{"IsActive":false}`), active},
		"composite": {func() {
			status, out := o.api(http.MethodPatch, "/composite/sobjects", `{"records":[{"attributes":{"type":"User"},"id":"`+user+`","IsActive":false}]}`)
			expect(status, out, http.StatusOK)
		}, active},
		"Bulk": {func() { o.load("User", "update", "Id,IsActive\n"+user+",false\n") }, active},
		"SCIM": {func() {
			status, out, _ := o.send(http.MethodDelete, "/services/scim/v2/Users/"+user, "", http.Header{"Authorization": {"Bearer " + o.token}})
			expect(status, out, http.StatusNoContent)
		}, active},
		"a page":                {page("do", "save", "profile", profile), page("do", "save", "profile", profile, "active", "true")},
		"REST, frozen":          {rest("UserLogin", login, `{"IsFrozen":true}`), thawed},
		"Bulk, frozen":          {func() { o.load("UserLogin", "update", "Id,IsFrozen\n"+login+",true\n") }, thawed},
		"a page, frozen":        {page("do", "freeze"), page("do", "unfreeze")},
		"REST, by its username": {rest("User", user, `{"IsActive":false,"LastName":"Silva-Costa"}`), active},
	} {
		access, refresh := o.tokens()
		other := o.token
		again := values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", refresh)
		way[0]()
		if o.works(access) {
			t.Errorf("%s: the session goes on", name)
		}
		if !o.works(other) {
			t.Errorf("%s: somebody else is signed out", name)
		}
		o.refused(name+": refreshing", again, "invalid_grant", "inactive user")
		o.refused(name+": JWT", o.jwtForm(strings.Replace(o.claims(), ruleUser, agent, 1)), "invalid_grant", "inactive user")
		form := o.passwordForm()
		form.Set("username", agent)
		form.Set("password", agentPass+security)
		o.refused(name+": password", form, "invalid_grant", "inactive user")
		if _, body := soapLogin(o.testOrg, "/services/Soap/u/60.0", agent, agentPass+security); !strings.Contains(body, "<faultstring>INVALID_LOGIN: ") {
			t.Errorf("%s: SOAP: %s", name, body)
		}
		request := signInAsk()
		maps.Copy(request, values("answer", "allow", "username", agent, "password", agentPass))
		if status, body := o.form("/services/oauth2/authorize", request); status != http.StatusUnauthorized || !strings.Contains(body, "not active, or frozen") {
			t.Errorf("%s: the page: %d", name, status)
		}
		way[1]()
		if o.works(access) {
			t.Errorf("%s: the session is back", name)
		}
		o.granted(again)
		o.granted(form)
	}
}

// load carries out a job of Bulk API 2.0 that must not fail.
func (o *ruled) load(entity, operation, csv string) {
	o.t.Helper()
	status, body := o.api(http.MethodPost, "/jobs/ingest", `{"object":"`+entity+`","operation":"`+operation+`","lineEnding":"LF"}`)
	var job struct{ ID string }
	if err := json.Unmarshal([]byte(body), &job); err != nil || status != http.StatusOK {
		o.t.Fatalf("%d %s", status, body)
	}
	if status, body := o.api(http.MethodPut, "/jobs/ingest/"+job.ID+"/batches", csv, "Content-Type", "text/csv"); status != http.StatusCreated {
		o.t.Fatalf("%d %s", status, body)
	}
	if status, body := o.api(http.MethodPatch, "/jobs/ingest/"+job.ID, `{"state":"UploadComplete"}`); status != http.StatusOK {
		o.t.Fatalf("%d %s", status, body)
	}
	o.finished("ingest", job.ID)
	if _, body := o.api(http.MethodGet, "/jobs/ingest/"+job.ID+"/failedResults", ""); strings.Count(body, "\n") > 1 {
		o.t.Fatalf("failed: %s", body)
	}
}

// TestEndingWhileSigningIn: however signing in and deactivating fall together, no session of a user who is not active is left.
func TestEndingWhileSigningIn(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	user := o.idOf("SELECT Id FROM User WHERE Username = '" + agent + "'")
	o.agentToken()
	for range 10 {
		got := make(chan string, 20)
		var all sync.WaitGroup
		for range cap(got) {
			all.Go(func() {
				token, err := o.sessions.add(t.Context(), session{user: user, client: ruleClient, scope: fullScope, name: agent}, time.Hour)
				if refused, isOAuth := errors.AsType[*oauthError](err); err != nil && (!isOAuth || refused.Description != "inactive user") {
					t.Errorf("signing in: %v", err)
				}
				got <- token
			})
		}
		if status, out := o.api(http.MethodPatch, "/sobjects/User/"+user, `{"IsActive":false}`); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, out)
		}
		all.Wait()
		close(got)
		for token := range got {
			if o.works(token) {
				t.Error("a session outlives the user's standing")
			}
		}
		if status, out := o.api(http.MethodPatch, "/sobjects/User/"+user, `{"IsActive":true}`); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, out)
		}
	}
}

// TestEndingIsPartOfTheChange: a change that is undone ends nothing.
func TestEndingIsPartOfTheChange(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	user := o.idOf("SELECT Id FROM User WHERE Username = '" + agent + "'")
	access, _ := o.tokens()
	body := fmt.Sprintf(`{"allOrNone":true,"records":[{"attributes":{"type":"User"},"id":%q,"IsActive":false},{"attributes":{"type":"User"},"id":%q,"Email":"no address"}]}`, user, o.admin)
	if status, out := o.api(http.MethodPatch, "/composite/sobjects", body); status != http.StatusOK || !strings.Contains(out, `"success":false`) {
		t.Fatalf("%d %s", status, out)
	}
	if !o.works(access) {
		t.Error("a change that was undone ended a session")
	}
}

// TestUserLogin: there is one for each user, to be frozen and unlocked and nothing else; the administrator stays.
func TestUserLogin(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	profile := o.idOf("SELECT Id FROM Profile WHERE Name = 'Standard User'")
	o.create("User", `{"Username":"new@sandbox.example","LastName":"New","Email":"new@sandbox.example","Alias":"new","CommunityNickname":"new","ProfileId":"`+profile+`"}`)
	o.load("User", "insert", "Username,LastName,Email,Alias,CommunityNickname,ProfileId\nbulk1@x.example,B,b@x.example,b1,b1,"+profile+"\nbulk2@x.example,B,b@x.example,b2,b2,"+profile+"\n")
	_, users := o.soql("SELECT COUNT() FROM User")
	_, logins := o.soql("SELECT COUNT() FROM UserLogin WHERE IsFrozen = false AND IsPasswordLocked = false")
	if users != logins {
		t.Errorf("%s users, %s logins", users, logins)
	}
	login := o.idOf("SELECT Id FROM UserLogin WHERE User.Username = 'new@sandbox.example'")
	own := o.idOf("SELECT Id FROM UserLogin WHERE UserId = '" + o.admin + "'")
	for _, c := range []struct{ method, path, body, code string }{
		{http.MethodPost, "/sobjects/UserLogin", `{"UserId":"` + o.admin + `"}`, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"},
		{http.MethodPost, "/sobjects/UserLogin", `{}`, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"},
		{http.MethodPatch, "/sobjects/UserLogin/" + login, `{"IsPasswordLocked":true}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{http.MethodPatch, "/sobjects/UserLogin/" + login, `{"UserId":"` + o.admin + `"}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{http.MethodPatch, "/sobjects/UserLogin/" + own, `{"IsFrozen":true}`, "FIELD_INTEGRITY_EXCEPTION"},
		{http.MethodPatch, "/sobjects/User/" + o.admin, `{"IsActive":false}`, "FIELD_INTEGRITY_EXCEPTION"},
		{http.MethodDelete, "/sobjects/UserLogin/" + login, "", "INSUFFICIENT_ACCESS_OR_READONLY"},
	} {
		if status, body := o.api(c.method, c.path, c.body); status != http.StatusBadRequest || !strings.Contains(body, c.code) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, body)
		}
	}
	_, described := o.api(http.MethodGet, "/sobjects/UserLogin/describe", "")
	for _, want := range []string{`"createable":false`, `"updateable":true`, `"deletable":false`} {
		if !strings.Contains(described, want) {
			t.Errorf("describe lacks %s", want)
		}
	}
}

// TestLockOut: ten wrong passwords in a row lock a user out for fifteen minutes, in every way there is; the right one in
// between forgets them, an administrator unlocks, and the settings change both numbers.
func TestLockOut(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	security := o.agentToken()
	try := func(password string) bool {
		status, body := o.form("/services/oauth2/token", mustForm(t, o.agentForm(password)))
		if status != http.StatusOK && body != `{"error":"invalid_grant","error_description":"authentication failure"}` {
			t.Errorf("%d %s", status, body)
		}
		return status == http.StatusOK
	}
	fail := func(n int) {
		for range n {
			if try("wrong") {
				t.Fatal("a wrong password is right")
			}
		}
	}
	locked := func() bool {
		_, body := o.soql("SELECT COUNT() FROM UserLogin WHERE IsPasswordLocked = true")
		return strings.Contains(body, `"totalSize":1`)
	}
	right := agentPass + security
	access, _ := o.tokens()
	fail(9)
	if !try(right) || locked() {
		t.Error("nine wrong ones lock out")
	}
	fail(10)
	if try(right) || !locked() {
		t.Error("ten wrong ones do not lock out")
	}
	if _, body := soapLogin(o.testOrg, "/services/Soap/u/60.0", agent, right); !strings.Contains(body, "INVALID_LOGIN: Invalid username, password, security token; or user locked out.") {
		t.Errorf("SOAP while locked out: %s", body)
	}
	if !o.works(access) {
		t.Error("being locked out ends a session")
	}
	o.granted(o.jwtForm(strings.Replace(o.claims(), ruleUser, agent, 1))) // no password
	o.at = o.at.Add(15*time.Minute - time.Second)
	if try(right) {
		t.Error("the lock ends early")
	}
	o.at = o.at.Add(time.Second)
	if !try(right) || locked() {
		t.Error("the lock does not end")
	}
	o.put("/sandbox/api/security", `{"max_login_attempts":3,"lockout_minutes":0}`)
	for name, unlock := range map[string]func(){
		"REST": func() {
			if status, out := o.api(http.MethodPatch, "/sobjects/UserLogin/"+o.idOf("SELECT Id FROM UserLogin WHERE IsPasswordLocked = true"), `{"IsPasswordLocked":false}`); status != http.StatusNoContent {
				t.Errorf("%d %s", status, out)
			}
		},
		"the page": func() {
			if status, out := o.form("/sandbox/setup/users", values("do", "unlock", "username", agent)); status != http.StatusOK {
				t.Errorf("%d %s", status, out)
			}
		},
		"a new password": func() { right = agentPass + o.agentToken() },
	} {
		fail(2)
		try(agentPass) // without the security token: counts as well
		o.at = o.at.AddDate(0, 1, 0)
		o.login()
		if try(right) {
			t.Errorf("%s: the lock ends by itself", name)
		}
		if unlock(); !try(right) || locked() {
			t.Errorf("%s does not unlock", name)
		}
	}
	o.put("/sandbox/api/security", `{"max_login_attempts":0}`)
	if fail(30); !try(right) {
		t.Error("locked out without a limit")
	}
}

// TestNewPassword: a new password has a new security token and ends the sessions; refresh tokens live on.
func TestNewPassword(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	first := o.agentToken()
	access, refresh := o.tokens()
	second := o.agentToken()
	form := mustForm(t, o.agentForm(agentPass+first))
	o.refused("the old security token", form, "invalid_grant", "authentication failure")
	form.Set("password", agentPass+second)
	o.granted(form)
	if o.works(access) {
		t.Error("a session outlives the password")
	}
	o.granted(values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", refresh))
}

// TestStandingOfOlderFile: a file that an earlier version made gets a login for each user, and keeps its sessions.
func TestStandingOfOlderFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, err := New(Options{Dir: dir, Seed: SeedNone, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	token, err := old.sessions.add(t.Context(), session{user: old.admin, client: old.creds.ClientID, scope: fullScope, refresh: true}, untilRevoked)
	if err != nil {
		t.Fatal(err)
	}
	err = old.store.update(t.Context(), func(tx *sql.Tx) error {
		for _, statement := range []string{
			"ALTER TABLE session DROP COLUMN family", "DROP TABLE login_attempt", `DROP TABLE "UserLogin"`, "DELETE FROM meta WHERE key = 'schema'",
			`INSERT OR REPLACE INTO meta (key, value) VALUES ('settings', '{"off":["device"],"rotate":false}')`,
		} {
			if _, err := tx.ExecContext(t.Context(), statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	_, users := o.soql("SELECT COUNT() FROM User")
	if _, logins := o.soql("SELECT COUNT() FROM UserLogin"); users != logins {
		t.Errorf("%s users, %s logins", users, logins)
	}
	c := o.Credentials()
	if status, body := o.form("/services/oauth2/token", values("grant_type", "refresh_token", "client_id", c.ClientID, "refresh_token", token)); status != http.StatusOK {
		t.Errorf("a refresh token of before: %d %s", status, body)
	}
	if o.FlowEnabled(FlowUserAgent) {
		t.Error("the user-agent flow is open without anybody having opened it")
	}
}

package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// SetPassword gives a user a password, and returns the security token that goes after it outside the trusted addresses.
// An empty password takes both away: the user cannot sign in by password then. As where an administrator of the platform
// resets a password, the user's sessions end, refresh tokens live on, and who was locked out is so no more.
func (o *Org) SetPassword(ctx context.Context, username, password string) (token string, err error) {
	user, err := o.userNamed(ctx, username)
	switch {
	case err != nil:
		return "", err
	case user.id == o.admin:
		return "", errors.New("the administrator's password is the org's own: it is printed when the org starts")
	case password != "" && len(password) < minPassword || len(password) > maxPassword:
		return "", fmt.Errorf("a password has %d to %d characters", minPassword, maxPassword)
	}
	token = randomText(24)
	return token, o.store.update(ctx, func(tx *sql.Tx) error {
		query, args := "DELETE FROM secret WHERE user_id = ?", []any{user.id}
		if password != "" {
			query = "INSERT INTO secret (user_id, password, token) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET password = excluded.password, token = excluded.token"
			args = append(args, password, token)
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("storing a secret: %w", err)
		}
		return errors.Join(o.unlock(ctx, tx, user.id), o.endSessionsOf(ctx, tx, user.id))
	})
}

const (
	minPassword = 8
	maxPassword = 200
)

// userRow is a user on the setup page.
type userRow struct {
	ID, Name, Username string
	Profiles           []option
	Active, Password   bool
	Frozen, Locked     bool
	Own                bool // the administrator, who cannot be locked out
}

// grantRow is a profile or a permission set on the setup page.
type grantRow struct {
	Name, JSON string
	What, Edit string // in words, and the address of its page
	Users      int64
	Restricted bool
	Locked     bool // it cannot be restricted
}

const qUsers = `SELECT u."Id", u."Name", u."Username", u."ProfileId", u."IsActive", x.user_id IS NOT NULL, COALESCE(l."IsFrozen", 0), COALESCE(l."IsPasswordLocked", 0)
FROM "User" u LEFT JOIN secret x ON x.user_id = u."Id" LEFT JOIN "UserLogin" l ON l."UserId" = u."Id" WHERE u."IsDeleted" = 0 ORDER BY u."Name" LIMIT 200`

func (s *site) usersPage(w http.ResponseWriter, r *http.Request, problem, done string) {
	d := pageData{Title: "Users", Here: "/sandbox/setup", Section: "users", Problem: problem, Done: done}
	var err error
	if d.Users, err = s.userRows(r.Context()); err != nil {
		s.problem(w, r, err)
		return
	}
	s.show(w, r, statusOf(problem), "users", d)
}

func statusOf(problem string) int {
	if problem != "" {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func (s *site) userRows(ctx context.Context) ([]userRow, error) {
	profiles, err := s.rows(ctx, `SELECT "Id", "Name" FROM "Profile" WHERE "IsDeleted" = 0 ORDER BY "Name"`, 2)
	if err != nil {
		return nil, err
	}
	raw, err := s.rows(ctx, qUsers, 8)
	if err != nil {
		return nil, err
	}
	var out []userRow
	for _, row := range raw {
		u := userRow{ID: text(row[0]), Name: text(row[1]), Username: text(row[2]), Active: row[4] == int64(1), Password: row[5] == int64(1)}
		u.Frozen, u.Locked, u.Own = row[6] == int64(1), row[7] == int64(1), u.ID == s.org.admin
		for _, p := range profiles {
			u.Profiles = append(u.Profiles, option{text(p[0]), text(p[1]), text(p[0]) == text(row[3])})
		}
		out = append(out, u)
	}
	return out, nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func (s *site) rows(ctx context.Context, query string, columns int, args ...any) ([][]any, error) {
	rows, err := s.org.store.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	raw, err := scanAll(rows, columns)
	if err != nil {
		return nil, fmt.Errorf("reading the setup: %w", err)
	}
	return raw, nil
}

// changeUser carries out a form of the users page.
func (s *site) changeUser(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.usersPage(w, r, "The form cannot be read.", "")
		return
	}
	ctx, id := r.Context(), r.PostForm.Get("id")
	done := "Saved."
	var err error
	switch r.PostForm.Get("do") {
	case "save":
		in := map[string]json.RawMessage{"ProfileId": appendString(nil, r.PostForm.Get("profile")), "IsActive": json.RawMessage("false")}
		if r.PostForm.Get("active") != "" {
			in["IsActive"] = json.RawMessage("true")
		}
		if id == s.org.admin {
			err = errors.New("the administrator stays as it is, so that there is always a way back in")
		} else {
			err = s.org.updateOne(s.asAdmin(ctx), s.org.schema.object("User"), id, in)
		}
	case "password":
		var token string
		if token, err = s.org.SetPassword(ctx, r.PostForm.Get("username"), r.PostForm.Get("password")); err == nil {
			done = "The password is set. The security token that goes after it: " + token
			if r.PostForm.Get("password") == "" {
				done = "The user has no password any more."
			}
		}
	case "token":
		var token string
		if token, err = s.org.ResetSecurityToken(ctx, r.PostForm.Get("username")); err == nil {
			done = "The security token that goes after the password: " + token
		}
	case "freeze", "unfreeze":
		err = s.org.setFrozen(s.asAdmin(ctx), id, r.PostForm.Get("do") == "freeze")
	case "unlock":
		err = s.org.Unlock(ctx, r.PostForm.Get("username"))
	default:
		err = fmt.Errorf("the action %q is unknown", shorten(r.PostForm.Get("do")))
	}
	if err != nil {
		s.usersPage(w, r, messageOf(err), "")
		return
	}
	s.usersPage(w, r, "", done)
}

// messageOf is an error as a person is told it: without the code programs read.
func messageOf(err error) string {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.Message
	}
	return err.Error()
}

func (s *site) profilesPage(w http.ResponseWriter, r *http.Request, problem, done string) {
	d := pageData{Title: "Profiles and permission sets", Here: "/sandbox/setup", Section: "profiles", Problem: problem, Done: done}
	raw, err := s.rows(r.Context(), `SELECT p."Name", COUNT(u."Id") FROM "Profile" p LEFT JOIN "User" u ON u."ProfileId" = p."Id" AND u."IsDeleted" = 0
WHERE p."IsDeleted" = 0 GROUP BY p."Id" ORDER BY p."Name"`, 2)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	a := &s.org.access
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, row := range raw {
		g := grantRow{Name: text(row[0]), JSON: grantJSON(Permissions{}), Locked: text(row[0]) == adminProfile}
		g.Users, _ = row[1].(int64)
		if p, found := a.rules.Profiles[g.Name]; found {
			g.Restricted, g.JSON, g.What = true, grantJSON(p), p.words()
		}
		g.Edit = grantsPath("profile", g.Name)
		d.Profiles = append(d.Profiles, g)
	}
	for name, p := range a.rules.Sets {
		d.Sets = append(d.Sets, grantRow{Name: name, JSON: grantJSON(p), Users: int64(len(p.Users)), What: p.words(), Edit: grantsPath("set", name)})
	}
	slices.SortFunc(d.Sets, func(x, y grantRow) int { return strings.Compare(x.Name, y.Name) })
	s.show(w, r, statusOf(problem), "profiles", d)
}

// grantJSON writes permissions as the switches take them; none is shown as an example to start from.
func grantJSON(p Permissions) string {
	if len(p.Objects) == 0 && len(p.Fields) == 0 {
		p.Objects = map[string]Access{"Account": {Read: true}, "Contact": {Read: true, Edit: true}}
		p.Fields = map[string]FieldAccess{"Contact.Phone": {Read: true, Edit: true}}
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return "" // maps of strings and booleans always encode
	}
	return string(raw)
}

// changeProfile carries out a form of the profiles page.
func (s *site) changeProfile(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.profilesPage(w, r, "The form cannot be read.", "")
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	set, done := s.org.RestrictProfile, "The profile "+name+" is restricted."
	if r.PostForm.Get("kind") == "set" {
		set, done = s.org.SetPermissionSet, "The permission set "+name+" is saved."
	}
	if name != "" && r.PostForm.Get("do") == "ranges" {
		if err := s.org.SetLoginRanges(r.Context(), name, lines(r.PostForm.Get("ranges"))); err != nil {
			s.showGrants(w, r, "profile", name, messageOf(err), "")
			return
		}
		s.showGrants(w, r, "profile", name, "", "The login IP ranges of "+name+" are saved.")
		return
	}
	var p *Permissions
	var err error
	switch {
	case name == "":
		err = errors.New("give it a name")
	case r.PostForm.Get("do") == "lift":
		done = name + " grants nothing of its own any more."
		if r.PostForm.Get("kind") != "set" {
			done = "The profile " + name + " is not restricted any more."
		}
	default:
		dec := json.NewDecoder(strings.NewReader(r.PostForm.Get("json")))
		dec.DisallowUnknownFields()
		p = &Permissions{}
		if err = dec.Decode(p); err != nil {
			err = fmt.Errorf("the permissions are no JSON of the documented form: %w", err)
		}
	}
	if err == nil {
		err = set(r.Context(), name, p)
	}
	if err != nil {
		s.profilesPage(w, r, messageOf(err), "")
		return
	}
	s.profilesPage(w, r, "", done)
}

// words tells what is granted in a few words.
func (p *Permissions) words() string {
	if len(p.Objects) == 0 && len(p.System) == 0 {
		return "nothing"
	}
	names := slices.Sorted(maps.Keys(p.Objects))
	if more := len(names) - 6; more > 0 {
		names = append(names[:6], "and "+itoa(more)+" more")
	}
	if len(names) == 0 {
		return strings.Join(p.System, ", ")
	}
	return strings.Join(names, ", ")
}

package salesforce

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
)

// scimAttr is an attribute of a user that can be written, and the field of User it is kept in.
type scimAttr struct {
	name, sub string // as written; sub is empty for a simple attribute
	kind      string // of a multi-valued attribute: the type of the one element kept in the field
	field     string
}

// scimAttrs are the attributes of users that can be written.
func scimAttrs() []scimAttr {
	return []scimAttr{
		{name: "userName", field: "Username"},
		{name: "externalId", field: "FederationIdentifier"},
		{name: "active", field: "IsActive"},
		{name: "nickName", field: "CommunityNickname"},
		{name: "title", field: "Title"},
		{name: "locale", field: "LocaleSidKey"},
		{name: "preferredLanguage", field: "LanguageLocaleKey"},
		{name: "timezone", field: "TimeZoneSidKey"},
		{name: "name", sub: "familyName", field: "LastName"},
		{name: "name", sub: "givenName", field: "FirstName"},
		{name: scimEnterpriseURN, sub: "department", field: "Department"},
		{name: scimEnterpriseURN, sub: "organization", field: "CompanyName"},
		{name: "emails", kind: "work", field: "Email"},
		{name: "phoneNumbers", kind: "work", field: "Phone"},
		{name: "phoneNumbers", kind: "mobile", field: "MobilePhone"},
		{name: scimEntitlements, kind: "profile", field: "ProfileId"},
	}
}

const scimEntitlements = "entitlements"

// keeps reports whether an attribute always has a value, so that leaving it out of a document does not take it away.
func (a scimAttr) keeps() bool {
	switch a.name {
	case "active", "locale", "preferredLanguage", "timezone":
		return true
	}
	return false
}

// scimFields is what a body sets of a User record, by field.
type scimFields map[string]json.RawMessage

var scimNull = json.RawMessage("null") //nolint:gochecknoglobals // a constant in all but name

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, scimNull) }

// read takes the attributes of a document that can be written; the others are ignored (RFC 7644 §3.3).
func (in scimFields) read(doc map[string]json.RawMessage) error {
	for name, raw := range doc {
		if _, err := in.set(strings.ToLower(name), "", raw, true); err != nil {
			return err
		}
	}
	return nil
}

// set takes the value of an attribute, or of a part of one. whole: elements of a multi-valued attribute that are not given
// are taken away. It reports whether there is such an attribute.
func (in scimFields) set(name, sub string, raw json.RawMessage, whole bool) (found bool, err error) {
	for _, a := range scimAttrs() {
		if !strings.EqualFold(a.name, name) || sub != "" && !strings.EqualFold(a.sub, sub) {
			continue
		}
		found = true
		switch {
		case a.keeps() && isNull(raw):
			// As if it were not given.
		case a.kind != "":
			return true, in.setElements(a.name, raw, whole)
		case a.sub == "" || sub != "" || isNull(raw):
			in[a.field] = raw
		default:
			err = in.setPart(a, raw)
		}
		if err != nil {
			return true, err
		}
	}
	return found, nil
}

// setPart takes one part of a complex attribute, where it is given.
func (in scimFields) setPart(a scimAttr, raw json.RawMessage) error {
	var parts map[string]json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return badSCIM(scimInvalidValue, "%s is an object", a.name)
	}
	for key, v := range parts {
		if strings.EqualFold(key, a.sub) {
			in[a.field] = v
		}
	}
	return nil
}

type scimElement struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary any    `json:"primary"`
}

// setElements takes the elements of a multi-valued attribute that the org has a field for: one e-mail address (the primary,
// or else that of work, or else the first), a phone number of work and a mobile one, and one profile.
func (in scimFields) setElements(name string, raw json.RawMessage, whole bool) error {
	if name == scimEntitlements {
		return in.setEntitlements(raw)
	}
	var list []scimElement
	if !isNull(raw) && json.Unmarshal(raw, &list) != nil {
		var one scimElement
		if json.Unmarshal(raw, &one) != nil {
			return badSCIM(scimInvalidValue, "%s is a list of objects with a value", name)
		}
		list = []scimElement{one}
	}
	for _, e := range list {
		if e.Value == "" {
			return badSCIM(scimInvalidValue, "an element of %s has no value", name)
		}
	}
	chosen := chooseElements(name, list)
	for _, a := range scimAttrs() {
		if a.name != name {
			continue
		}
		if v, given := chosen[a.kind]; given {
			in[a.field] = appendString(nil, v)
		} else if whole {
			in[a.field] = scimNull
		}
	}
	return nil
}

// chooseElements picks the values that are kept, by kind.
func chooseElements(name string, list []scimElement) map[string]string {
	out := map[string]string{}
	if len(list) == 0 {
		return out
	}
	switch name {
	case "emails":
		out["work"] = mainEmail(list)
	default:
		for _, e := range list {
			kind := strings.ToLower(e.Type)
			if kind == "" {
				kind = "work"
			}
			if _, given := out[kind]; !given {
				out[kind] = e.Value
			}
		}
	}
	return out
}

// mainEmail is the primary address, else the one at work, else the first.
func mainEmail(list []scimElement) string {
	best, rank := "", -1
	for _, e := range list {
		r := 0
		if e.Primary == true || e.Primary == "true" || e.Primary == "True" {
			r = 2
		} else if strings.EqualFold(e.Type, "work") {
			r = 1
		}
		if r > rank {
			best, rank = e.Value, r
		}
	}
	return best
}

// userObject is User with the fields the caller may see.
func (c *scimCall) userObject() (*object, error) {
	obj := c.org.seen(c.request).object("User")
	if obj == nil {
		return nil, notFound()
	}
	return obj, nil
}

// usersSource lists users; a field the caller may not see cannot be filtered by.
func (c *scimCall) usersSource(obj *object) scimSource {
	columns := map[string]scimColumn{}
	for attr, name := range map[string]string{
		"id": "Id", "username": "Username", "externalid": "FederationIdentifier", "active": "IsActive", "displayname": "Name",
		"nickname": "CommunityNickname", "title": "Title", "name.familyname": "LastName", "name.givenname": "FirstName", "name.formatted": "Name",
		"emails": "Email", "emails.value": "Email", "entitlements": "ProfileId", "entitlements.value": "ProfileId",
		scimEnterprise + ":department": "Department", scimEnterprise + ":organization": "CompanyName",
	} {
		f := obj.field(name)
		if f == nil {
			continue
		}
		col := scimColumn{exact: f.column(), bool: f.kind == typeBoolean}
		if attr != "externalid" && f.folded() != f.column() {
			col.fold = f.folded()
		}
		columns[attr] = col
	}
	return scimSource{from: `"User" WHERE "IsDeleted" = 0`, columns: columns, read: c.userByID}
}

// users answers below /Users.
func (c *scimCall) users() (*response, error) {
	obj, err := c.userObject()
	if err != nil {
		return nil, err
	}
	if len(c.segs) == 0 {
		switch c.method {
		case http.MethodGet, http.MethodHead:
			return c.list(c.usersSource(obj))
		case http.MethodPost:
			return c.createUser()
		}
		return nil, methodNotAllowed(c.method)
	}
	id, valid := normalID(c.segs[0])
	if !valid || id[:3] != obj.prefix {
		return nil, notFound()
	}
	switch c.method {
	case http.MethodGet, http.MethodHead:
		return c.readUser(id)
	case http.MethodPut, http.MethodPatch:
		return c.changeUser(id)
	case http.MethodDelete:
		_, err := c.changeUser(id)
		return noContent(), err
	}
	return nil, methodNotAllowed(c.method)
}

// readUser answers one user, or that the caller has it already.
func (c *scimCall) readUser(id string) (*response, error) {
	obj, err := c.userObject()
	if err != nil {
		return nil, err
	}
	u, err := readRecord(c.ctx, c.org.db(c.request), obj, id)
	if err != nil {
		return nil, err
	}
	header := validators(u)
	if fresh, err := unchanged(c.request, u); err != nil || fresh {
		return &response{status: http.StatusNotModified, header: header}, err
	}
	return c.userAnswer(http.StatusOK, u)
}

func (c *scimCall) userAnswer(status int, u record) (*response, error) {
	body, err := c.userResource(u)
	if err != nil {
		return nil, err
	}
	header := validators(u)
	location := c.root + "/Users/" + u.text("Id")
	header.Set("Content-Location", location)
	if status == http.StatusCreated {
		header.Set("Location", location)
	}
	return &response{status: status, header: header, body: c.shown(body)}, nil
}

func (c *scimCall) userByID(id string) (map[string]any, error) {
	obj, err := c.userObject()
	if err != nil {
		return nil, err
	}
	u, err := readRecord(c.ctx, c.org.db(c.request), obj, id)
	if err != nil {
		return nil, err
	}
	return c.userResource(u)
}

const (
	qSCIMProfile = `SELECT "Name" FROM "Profile" WHERE "Id" = ?`
	qSCIMGroups  = `SELECT g."Id", g."Name" FROM "GroupMember" m JOIN "Group" g ON g."Id" = m."GroupId" WHERE m."UserOrGroupId" = ?
 AND m."IsDeleted" = 0 AND g."IsDeleted" = 0 AND g."Type" = 'Regular' ORDER BY g."Id" LIMIT ?`
)

// userResource is a user in SCIM's form. A field that is empty, or that the caller may not see, is not in it.
func (c *scimCall) userResource(u record) (map[string]any, error) {
	id := u.text("Id")
	meta := c.meta("User", "Users", id, u["CreatedDate"], u["LastModifiedDate"])
	meta["version"] = entityTag(u)
	out := map[string]any{"schemas": []string{scimUserURN, scimEnterpriseURN}, "id": id, "meta": meta}
	for _, a := range scimAttrs() {
		v := u[a.field]
		switch {
		case v == nil:
		case a.field == "IsActive":
			out[a.name] = v == int64(1)
		case a.kind != "" && a.name != scimEntitlements:
			list, _ := out[a.name].([]map[string]any)
			out[a.name] = append(list, map[string]any{"value": v, "type": a.kind, "primary": len(list) == 0})
		case a.sub != "":
			parts, _ := out[a.name].(map[string]any)
			if parts == nil {
				parts = map[string]any{}
				out[a.name] = parts
			}
			parts[a.sub] = v
		case a.kind == "":
			out[a.name] = v
		}
	}
	if name, has := out["name"].(map[string]any); has && u["Name"] != nil {
		name["formatted"] = u["Name"]
	}
	for name, field := range map[string]string{"displayName": "Name", "userType": "UserType"} {
		if u[field] != nil {
			out[name] = u[field]
		}
	}
	return out, c.addLinks(out, u)
}

// addLinks adds the profile and the groups of a user.
func (c *scimCall) addLinks(out map[string]any, u record) error {
	if profile := u.text("ProfileId"); profile != "" {
		rows, err := c.rows(qSCIMProfile, 1, profile)
		if err != nil {
			return err
		}
		e := map[string]any{"value": profile, "type": "Profile", "primary": true, "$ref": c.root + "/Entitlements/" + profile}
		if len(rows) > 0 {
			e["display"] = rows[0][0]
		}
		out[scimEntitlements] = []map[string]any{e}
	}
	sets, err := c.setsOf(u["Id"])
	if err != nil {
		return err
	}
	for _, row := range sets {
		list, _ := out[scimEntitlements].([]map[string]any)
		out[scimEntitlements] = append(list, map[string]any{
			"value": row[0], "display": row[2], "type": "PermissionSet", "primary": false, "$ref": c.root + "/Entitlements/" + text(row[0]),
		})
	}
	rows, err := c.rows(qSCIMGroups, 2, u["Id"], maxSCIMLinks)
	if err != nil {
		return err
	}
	groups := []map[string]any{}
	for _, row := range rows {
		groups = append(groups, map[string]any{"value": row[0], "display": row[1], "type": "direct", "$ref": c.root + "/Groups/" + text(row[0])})
	}
	out["groups"] = groups
	return nil
}

// createUser makes a user. An alias and a nickname, which the platform wants of every user, are made where none is given.
func (c *scimCall) createUser() (*response, error) {
	var doc map[string]json.RawMessage
	if err := decodeSCIM(c.body, scimUserURN, &doc); err != nil {
		return nil, err
	}
	in := scimFields{}
	if err := in.read(doc); err != nil {
		return nil, err
	}
	for field, raw := range in {
		if isNull(raw) {
			delete(in, field)
		}
	}
	var first, last, name string
	for field, to := range map[string]*string{"FirstName": &first, "LastName": &last, "Username": &name} {
		if raw, given := in[field]; given && json.Unmarshal(raw, to) != nil {
			return nil, badSCIM(scimInvalidValue, "userName and the parts of name are text")
		}
	}
	if in["CommunityNickname"] == nil {
		nick, _, _ := strings.Cut(name, "@")
		in["CommunityNickname"] = appendString(nil, firstRunes(nick, 40))
	}
	in["Alias"] = appendString(nil, strings.ToLower(firstRunes(first, 1)+firstRunes(last, 4)))
	sets, _ := in.takeSets()
	var id string
	err := c.org.update(c.request, func(tx *sql.Tx) (err error) {
		inner := c.within(tx)
		if id, err = c.org.insertOne(inner.request, c.org.schema.object("User"), in); err != nil {
			return err
		}
		return inner.assignSets(id, sets)
	})
	if err != nil {
		return nil, err
	}
	seen, err := c.userObject()
	if err != nil {
		return nil, err
	}
	u, err := readRecord(c.ctx, c.org.store, seen, id)
	if err != nil {
		return nil, err
	}
	return c.userAnswer(http.StatusCreated, u)
}

func firstRunes(s string, n int) string {
	r := []rune(strings.TrimSpace(s))
	return string(r[:min(n, len(r))])
}

// changeUser carries out a PUT, PATCH or DELETE as one change.
func (c *scimCall) changeUser(id string) (*response, error) {
	seen, err := c.userObject()
	if err != nil {
		return nil, err
	}
	var now record
	err = c.org.update(c.request, func(tx *sql.Tx) error {
		inner := c.within(tx)
		was, err := readRecord(c.ctx, c.org.db(inner.request), seen, id)
		if err != nil {
			return err
		}
		if err := c.org.precondition(inner.request, seen, id); err != nil {
			return err
		}
		in, err := inner.wanted(was)
		if err != nil {
			return err
		}
		if err := c.keepsAdmin(id, in); err != nil {
			return err
		}
		sets, given := in.takeSets()
		if len(in) > 0 {
			if err := c.org.updateOne(inner.request, c.org.schema.object("User"), id, in); err != nil {
				return err
			}
		}
		if given {
			if err := inner.assignSets(id, sets); err != nil {
				return err
			}
		}
		now, err = readRecord(c.ctx, c.org.db(inner.request), seen, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.userAnswer(http.StatusOK, now)
}

// wanted is what a request changes of a user.
func (c *scimCall) wanted(u record) (scimFields, error) {
	switch c.method {
	case http.MethodDelete:
		return scimFields{"IsActive": json.RawMessage("false")}, nil
	case http.MethodPatch:
		rows, err := c.setsOf(u["Id"])
		if err != nil {
			return nil, err
		}
		sets := make([]string, len(rows))
		for i, row := range rows {
			sets[i] = text(row[0])
		}
		return scimPatch(c.body, u, sets)
	}
	var doc map[string]json.RawMessage
	if err := decodeSCIM(c.body, scimUserURN, &doc); err != nil {
		return nil, err
	}
	in := scimFields{}
	if err := in.read(doc); err != nil {
		return nil, err
	}
	for _, a := range scimAttrs() {
		// An attribute the org fills by itself keeps its value (RFC 7644 §3.5.1).
		if _, given := in[a.field]; !given && u[a.field] != nil && !a.keeps() && a.name != "nickName" {
			in[a.field] = scimNull
		}
	}
	return in, nil
}

// keepsAdmin refuses to lock the administrator out.
func (c *scimCall) keepsAdmin(id string, in scimFields) error {
	raw, given := in["IsActive"]
	if id != c.org.admin || !given || strings.EqualFold(strings.Trim(string(raw), `"`), "true") {
		return nil
	}
	return badSCIM(scimMutability, "the administrator stays active, so that there is always a way back in")
}

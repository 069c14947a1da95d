package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SCIM 2.0 (RFC 7643, RFC 7644) as the platform has it below /services/scim/v2: users are User records, groups the public
// groups, entitlements profiles and permission sets. Users are never deleted: DELETE deactivates.

const (
	maxSCIMBody  = 256 << 10
	maxSCIMPage  = 200
	maxSCIMOps   = 100
	maxSCIMLinks = 2000 // members of a group, and groups of a user, that are shown
)

const (
	scimErrorURN = "urn:ietf:params:scim:api:messages:2.0:Error"
	scimListURN  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	scimPatchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

	scimInvalidFilter = "invalidFilter"
	scimInvalidValue  = "invalidValue"
	scimInvalidSyntax = "invalidSyntax"
	scimMutability    = "mutability"
	scimNoTarget      = "noTarget"
)

// scimFault is an error in SCIM's form (RFC 7644 §3.12).
type scimFault struct {
	status       int
	kind, detail string
}

func (f *scimFault) Error() string { return f.kind + ": " + f.detail }

func badSCIM(kind, format string, args ...any) *scimFault {
	return &scimFault{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

// scimFaultOf is any error in SCIM's form.
func (o *Org) scimFaultOf(ctx context.Context, err error) *scimFault {
	if f, ok := errors.AsType[*scimFault](err); ok {
		return f
	}
	e := o.fail(ctx, err)
	out := &scimFault{status: e.Status, detail: e.Message}
	switch e.Code {
	case "DUPLICATE_VALUE":
		out.status, out.kind = http.StatusConflict, "uniqueness"
	case "INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY":
		out.status = http.StatusForbidden
	default:
		if e.Status == http.StatusBadRequest {
			out.kind = scimInvalidValue
		}
	}
	return out
}

func writeSCIM(w http.ResponseWriter, res *response) {
	maps.Copy(w.Header(), res.header)
	if res.body == nil {
		w.WriteHeader(res.status)
		return
	}
	body, err := encode(res.body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/scim+json;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(res.status)
	_, _ = w.Write(body) //nolint:gosec // JSON, and typed so
}

func writeSCIMFault(w http.ResponseWriter, f *scimFault) {
	body := map[string]any{"schemas": []string{scimErrorURN}, "status": strconv.Itoa(f.status), "detail": f.detail}
	if f.kind != "" {
		body["scimType"] = f.kind
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeSCIM(w, &response{status: f.status, body: body})
}

// scimCall is a request with what its resources' addresses begin with.
type scimCall struct {
	*request
	org  *Org
	root string
}

// scim answers below /services/scim/.
func (o *Org) scim(w http.ResponseWriter, r *http.Request, segs []string) {
	res, err := o.scimAnswer(w, r, segs)
	if err != nil {
		writeSCIMFault(w, o.scimFaultOf(r.Context(), err))
		return
	}
	writeSCIM(w, res)
}

func (o *Org) scimAnswer(w http.ResponseWriter, r *http.Request, segs []string) (*response, error) {
	s := o.sessionOf(r.Context(), bearer(r), r.RemoteAddr)
	if s == nil {
		return nil, invalidSession()
	}
	note(w, s)
	if !o.usesAPI(r.Context(), s.user) {
		return nil, apiDisabled()
	}
	if err := o.budget(w); err != nil {
		return nil, err
	}
	if err := checkHead(r); err != nil {
		return nil, err
	}
	if err := checkMedia(r, nil); err != nil {
		return nil, err
	}
	if len(segs) < 2 || !strings.EqualFold(segs[0], "v2") || len(segs) > 3 {
		return nil, notFound()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSCIMBody))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	c := &scimCall{org: o, root: o.base(r) + "/services/scim/v2", request: &request{
		ctx: r.Context(), method: r.Method, version: maxVersion, segs: segs[2:], query: r.URL.Query(), header: r.Header, body: body, user: s,
	}}
	return c.route(strings.ToLower(segs[1]))
}

func (c *scimCall) route(area string) (*response, error) {
	switch area {
	case "serviceproviderconfig", "serviceproviderconfigs":
		if len(c.segs) > 0 {
			return nil, notFound()
		}
		return c.get(func() (*response, error) { return ok(scimConfig(c.root)), nil })
	case "resourcetypes":
		return c.described(scimResourceTypes(c.root))
	case "schemas":
		return c.described(scimSchemas(c.root))
	case "me":
		if len(c.segs) > 0 {
			return nil, notFound()
		}
		return c.get(func() (*response, error) { return c.readUser(c.user.user) })
	}
	if err := c.mayManage(); err != nil {
		return nil, err
	}
	switch area {
	case "users":
		return c.users()
	case "groups":
		return c.groupsArea()
	case "entitlements":
		return c.collection(c.entitlements())
	}
	return nil, notFound()
}

// mayManage refuses who may not change users.
func (c *scimCall) mayManage() error {
	if c.org.mayWrite(c.ctx, c.user.user, c.org.schema.object("User"), writeEdit, nil) != nil {
		return &scimFault{status: http.StatusForbidden, detail: "the user may not manage users: the profile or a permission set has to grant editing User"}
	}
	return nil
}

// described answers what describes the service: all of it, or one by its id. It cannot be filtered (RFC 7644 §4).
func (c *scimCall) described(all []map[string]any) (*response, error) {
	return c.get(func() (*response, error) {
		if c.query.Has("filter") {
			return nil, &scimFault{status: http.StatusForbidden, detail: "what describes the service cannot be filtered"}
		}
		if len(c.segs) == 0 {
			return ok(map[string]any{
				"schemas": []string{scimListURN}, "totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
			}), nil
		}
		for _, one := range all {
			if id, _ := one["id"].(string); strings.EqualFold(id, c.segs[0]) {
				return ok(one), nil
			}
		}
		return nil, notFound()
	})
}

// scimSource is a kind of resource: where it is listed from, and how one is read.
type scimSource struct {
	from    string // of a SELECT, with the condition that is always there
	columns map[string]scimColumn
	read    func(id string) (map[string]any, error)
}

// collection answers for resources that can be read only.
func (c *scimCall) collection(s scimSource) (*response, error) {
	return c.get(func() (*response, error) {
		if len(c.segs) == 0 {
			return c.list(s)
		}
		id, valid := normalID(c.segs[0])
		if !valid {
			return nil, notFound()
		}
		one, err := s.read(id)
		if err != nil {
			return nil, err
		}
		return ok(c.shown(one)), nil
	})
}

// number reads a paging parameter.
func (c *scimCall) number(name string, without int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badSCIM(scimInvalidValue, "%s is a number", name)
	}
	return n, nil
}

// list answers a page of resources in the order of their ids.
func (c *scimCall) list(s scimSource) (*response, error) {
	start, err := c.number("startIndex", 1)
	if err != nil {
		return nil, err
	}
	count, err := c.number("count", maxSCIMPage)
	if err != nil {
		return nil, err
	}
	start, count = max(start, 1), min(max(count, 0), maxSCIMPage)
	from, args := s.from, []any(nil)
	if text := c.query.Get("filter"); text != "" {
		e, err := parseSCIMFilter(text)
		if err != nil {
			return nil, err
		}
		where, values, err := e.where(s.columns)
		if err != nil {
			return nil, err
		}
		from, args = from+" AND "+where, values
	}
	total, err := c.rows("SELECT COUNT(*) FROM "+from, 1, args...)
	if err != nil {
		return nil, err
	}
	ids, err := c.rows("SELECT \"Id\" FROM "+from+` ORDER BY "Id" LIMIT ? OFFSET ?`, 1, append(args, count, start-1)...)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(ids))
	for _, row := range ids {
		one, err := s.read(text(row[0]))
		if err != nil {
			return nil, err
		}
		list = append(list, c.shown(one))
	}
	return ok(map[string]any{
		"schemas": []string{scimListURN}, "totalResults": total[0][0], "startIndex": start, "itemsPerPage": len(list), "Resources": list,
	}), nil
}

// rows reads; text of filters is in arguments only.
func (c *scimCall) rows(query string, columns int, args ...any) ([][]any, error) {
	rows, err := c.org.db(c.request).QueryContext(c.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading for SCIM: %w", err)
	}
	raw, err := scanAll(rows, columns)
	if err != nil {
		return nil, fmt.Errorf("reading for SCIM: %w", err)
	}
	return raw, nil
}

// shown leaves out what ?attributes= or ?excludedAttributes= do not want. An attribute is shown whole.
func (c *scimCall) shown(one map[string]any) map[string]any {
	named := func(list string) map[string]bool {
		out := map[string]bool{}
		for name := range strings.SplitSeq(strings.ToLower(list), ",") {
			name = scimAttrName(strings.TrimSpace(name))
			if strings.HasPrefix(name, scimEnterprise) {
				name = scimEnterprise
			} else {
				name, _, _ = strings.Cut(name, ".")
			}
			out[name] = true
		}
		return out
	}
	only, without := c.query.Get("attributes"), c.query.Get("excludedAttributes")
	keep, drop := named(only), named(without)
	maps.DeleteFunc(one, func(name string, _ any) bool {
		key := strings.ToLower(name)
		if key == "id" || key == "schemas" {
			return false
		}
		return only != "" && !keep[key] || only == "" && drop[key]
	})
	return one
}

func (c *scimCall) meta(kind, place, id string, created, changed any) map[string]any {
	return map[string]any{"resourceType": kind, "location": c.root + "/" + place + "/" + url.PathEscape(id), "created": scimTime(created), "lastModified": scimTime(changed)}
}

func scimTime(v any) string {
	ms, _ := v.(int64)
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// groups are the public groups. Queues and the groups of roles are not among them.
func (c *scimCall) groups() scimSource {
	return scimSource{
		from: `"Group" WHERE "IsDeleted" = 0 AND "Type" = 'Regular'`,
		columns: map[string]scimColumn{
			"id": {exact: `"Id"`}, "displayname": {exact: `"Name"`, fold: `"Name~"`}, "externalid": {exact: `"DeveloperName"`},
		},
		read: c.readGroup,
	}
}

const qSCIMMembers = `SELECT m."UserOrGroupId", COALESCE(u."Name", g."Name") FROM "GroupMember" m LEFT JOIN "User" u ON u."Id" = m."UserOrGroupId"
 LEFT JOIN "Group" g ON g."Id" = m."UserOrGroupId" WHERE m."GroupId" = ? AND m."IsDeleted" = 0 ORDER BY m."Id" LIMIT ?`

func (c *scimCall) readGroup(id string) (map[string]any, error) {
	obj := c.org.schema.object("Group")
	g, err := readRecord(c.ctx, c.org.db(c.request), obj, id)
	if err != nil {
		return nil, err
	}
	if g.text("Type") != "Regular" {
		return nil, notFound()
	}
	rows, err := c.rows(qSCIMMembers, 2, id, maxSCIMLinks)
	if err != nil {
		return nil, err
	}
	members := []map[string]any{}
	for _, row := range rows {
		kind, place := "User", "Users"
		if strings.HasPrefix(text(row[0]), obj.prefix) {
			kind, place = "Group", "Groups"
		}
		members = append(members, map[string]any{"value": row[0], "display": row[1], "type": kind, "$ref": c.root + "/" + place + "/" + text(row[0])})
	}
	meta := c.meta("Group", "Groups", id, g["CreatedDate"], g["LastModifiedDate"])
	meta["version"] = entityTag(g)
	out := map[string]any{"schemas": []string{scimGroupURN}, "id": id, "displayName": g["Name"], "members": members, "meta": meta}
	if g["DeveloperName"] != nil {
		out["externalId"] = g["DeveloperName"]
	}
	return out, nil
}

const scimEntitlementURN = "urn:salesforce:schemas:core:2.0:Entitlement"

// entitlements are the profiles and the permission sets.
func (c *scimCall) entitlements() scimSource {
	const from = `(SELECT "Id", "Name" AS display, "Name~" AS folded, 'Profile' AS kind, "CreatedDate" AS made, "LastModifiedDate" AS changed
 FROM "Profile" WHERE "IsDeleted" = 0 UNION ALL SELECT "Id", "Label", "Label~", 'PermissionSet', "CreatedDate", "LastModifiedDate"
 FROM "PermissionSet" WHERE "IsDeleted" = 0 AND "IsOwnedByProfile" = 0) WHERE 1 = 1`
	return scimSource{
		from:    from,
		columns: map[string]scimColumn{"id": {exact: `"Id"`}, "displayname": {exact: "display", fold: "folded"}, "type": {exact: "kind"}},
		read: func(id string) (map[string]any, error) {
			rows, err := c.rows(`SELECT display, kind, made, changed FROM `+from+` AND "Id" = ?`, 4, id)
			if err != nil {
				return nil, err
			}
			if len(rows) == 0 {
				return nil, notFound()
			}
			r := rows[0]
			return map[string]any{
				"schemas": []string{scimEntitlementURN}, "id": id, "displayName": r[0], "type": r[1],
				"meta": c.meta("Entitlement", "Entitlements", id, r[2], r[3]),
			}, nil
		},
	}
}

// decodeSCIM reads a body and checks that it names the schema it is of.
func decodeSCIM(body []byte, schema string, to any) error {
	var head struct {
		Schemas []string `json:"schemas"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return badSCIM(scimInvalidSyntax, "the body is no JSON object with schemas: %s", shorten(err.Error()))
	}
	named := false
	for _, s := range head.Schemas {
		named = named || strings.EqualFold(s, schema)
	}
	if !named {
		return badSCIM(scimInvalidSyntax, "schemas does not name %s", schema)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return badSCIM(scimInvalidSyntax, "the body is not understood: %s", shorten(err.Error()))
	}
	return nil
}

package salesforce

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// What SCIM changes besides the fields of a user: the members of public groups, and the permission sets of users, which are
// entitlements beside the one profile (Salesforce Help, "Examples: Manage Group Members with SCIM", "Understand the SCIM
// Implementation").

// groupsArea answers below /Groups: groups are read, and their members changed by PATCH. They are made and deleted elsewhere.
func (c *scimCall) groupsArea() (*response, error) {
	if c.method == http.MethodPatch && len(c.segs) == 1 {
		return c.changeGroup()
	}
	return c.collection(c.groups())
}

// changeGroup carries out a PATCH of a group's members as one change.
func (c *scimCall) changeGroup() (*response, error) {
	obj := c.org.schema.object("Group")
	id, valid := normalID(c.segs[0])
	if !valid || id[:3] != obj.prefix {
		return nil, notFound()
	}
	operations, err := scimOperations(c.body)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = c.org.update(c.request, func(tx *sql.Tx) error {
		inner := c.within(tx)
		if _, err := inner.readGroup(id); err != nil {
			return err
		}
		if err := c.org.precondition(inner.request, obj, id); err != nil {
			return err
		}
		had, err := inner.memberRows(id)
		if err != nil {
			return err
		}
		members := make([]string, 0, len(had))
		for _, row := range had {
			members = append(members, text(row[0]))
		}
		for _, op := range operations {
			if members, err = patchMembers(members, op); err != nil {
				return err
			}
		}
		if err := inner.setMembers(id, had, members); err != nil {
			return err
		}
		// The group itself is changed with its members: who read it before finds another version.
		if err := c.org.change(c.ctx, tx, c.user.user, obj, id, record{}); err != nil {
			return err
		}
		out, err = inner.readGroup(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(c.shown(out)), nil
}

// within is the call inside a transaction.
func (c *scimCall) within(tx *sql.Tx) *scimCall {
	request := *c.request
	request.tx = tx
	return &scimCall{request: &request, org: c.org, root: c.root}
}

const qSCIMMemberRows = `SELECT "UserOrGroupId", "Id" FROM "GroupMember" WHERE "GroupId" = ? AND "IsDeleted" = 0 ORDER BY "Id" LIMIT ?`

// memberRows are the members of a group with the ids of their GroupMember records.
func (c *scimCall) memberRows(group string) ([][]any, error) {
	return c.rows(qSCIMMemberRows, 2, group, maxSCIMLinks+1)
}

// setMembers makes the members of a group those that are wanted.
func (c *scimCall) setMembers(group string, had [][]any, wanted []string) error {
	if len(wanted) > maxSCIMLinks {
		return badSCIM("tooMany", "a group has up to %d members", maxSCIMLinks)
	}
	if slices.Contains(wanted, group) {
		return badSCIM(scimInvalidValue, "a group cannot be a member of itself")
	}
	return c.relink(had, wanted, "GroupMember", func(member string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"GroupId": appendString(nil, group), "UserOrGroupId": appendString(nil, member)}
	})
}

// relink makes the records that link something to others be those to the wanted ones. had are what is linked to now with the
// ids of the records; link is the fields of another.
func (c *scimCall) relink(had [][]any, wanted []string, entity string, link func(id string) map[string]json.RawMessage) error {
	obj := c.org.schema.object(entity)
	var have []string
	for _, row := range had {
		if have = append(have, text(row[0])); slices.Contains(wanted, text(row[0])) {
			continue
		}
		if err := c.org.removeOne(c.request, obj, text(row[1])); err != nil {
			return err
		}
	}
	for _, id := range wanted {
		if slices.Contains(have, id) {
			continue
		}
		if _, err := c.org.insertOne(c.request, obj, link(id)); err != nil {
			return err
		}
	}
	return nil
}

// scimOperations reads the operations of a PATCH.
func scimOperations(body []byte) ([]scimOperation, error) {
	var patch struct {
		Operations []scimOperation `json:"Operations"` //nolint:tagliatelle // SCIM's name
	}
	if err := decodeSCIM(body, scimPatchURN, &patch); err != nil {
		return nil, err
	}
	if n := len(patch.Operations); n == 0 || n > maxSCIMOps {
		return nil, badSCIM(scimInvalidSyntax, "a PATCH has 1 to %d Operations", maxSCIMOps)
	}
	return patch.Operations, nil
}

const scimMembers = "members"

// patchMembers is the members after an operation on them. As on the platform the value may also be an object with members,
// and remove may name whom it removes in its value.
func patchMembers(members []string, op scimOperation) ([]string, error) {
	path := scimPath{attr: scimMembers}
	value := op.Value
	if op.Path != "" {
		var err error
		if path, err = parseSCIMPath(op.Path); err != nil {
			return nil, err
		}
	} else if !hasKey(value, scimMembers) {
		return nil, badSCIM(scimNoTarget, "say what is changed: the path is members")
	}
	if path.attr != scimMembers {
		return nil, badSCIM(scimMutability, "%s cannot be changed: only members can", shorten(path.attr))
	}
	if inner := valueOf(value, scimMembers); inner != nil {
		value = inner
	}
	ids, err := linkIDs(value, scimMembers)
	if err != nil {
		return nil, err
	}
	return patchLinks(members, op.Op, path, ids, func(string) string { return "" })
}

// valueOf is the value of a key of an object, whatever its case, nil when there is none.
func valueOf(raw json.RawMessage, key string) json.RawMessage {
	var doc map[string]json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	for name, v := range doc {
		if strings.EqualFold(name, key) {
			return v
		}
	}
	return nil
}

func hasKey(raw json.RawMessage, key string) bool { return valueOf(raw, key) != nil }

// linkIDs reads a list of objects with an id as value, or one such object.
func linkIDs(raw json.RawMessage, name string) ([]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var list []scimElement
	if json.Unmarshal(raw, &list) != nil {
		var one scimElement
		if json.Unmarshal(raw, &one) != nil {
			return nil, badSCIM(scimInvalidValue, "%s is a list of objects with a value", name)
		}
		list = []scimElement{one}
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		id, valid := normalID(e.Value)
		if !valid {
			return nil, badSCIM(scimInvalidValue, "an element of %s has the id of a record as value, not %q", name, shorten(e.Value))
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// patchLinks is a list of ids after an operation on it; kindOf is the type a filter may choose by.
func patchLinks(have []string, op string, path scimPath, ids []string, kindOf func(id string) string) ([]string, error) {
	if path.sub != "" && path.sub != "value" {
		return nil, badSCIM(scimMutability, "%s.%s cannot be changed", path.attr, shorten(path.sub))
	}
	switch verb := strings.ToLower(op); {
	case verb == "remove" && path.filter != nil:
		return removeChosen(have, path, kindOf)
	case verb == "remove" && len(ids) == 0:
		return nil, nil
	case verb == "remove":
		return slices.DeleteFunc(slices.Clone(have), func(id string) bool { return slices.Contains(ids, id) }), nil
	case verb != "add" && verb != "replace":
		return nil, badSCIM(scimInvalidSyntax, "%q is no operation: use add, replace or remove", shorten(op))
	case path.filter != nil:
		return nil, badSCIM("invalidPath", "elements of %s are added and removed, not changed", path.attr)
	case verb == "replace":
		return ids, nil
	}
	out := slices.Clone(have)
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// removeChosen leaves out what a filter chooses.
func removeChosen(have []string, path scimPath, kindOf func(id string) string) ([]string, error) {
	var out []string
	for _, id := range have {
		element := map[string]any{"value": id}
		if kind := kindOf(id); kind != "" {
			element["type"] = kind
		}
		chosen, err := path.filter.matches(element)
		if err != nil {
			return nil, err
		}
		if !chosen {
			out = append(out, id)
		}
	}
	if len(out) == len(have) {
		return nil, badSCIM(scimNoTarget, "no element of %s is chosen by the path", path.attr)
	}
	return out, nil
}

// scimSets is where scimFields keeps the permission sets a user is to have: a list of ids, no field of User.
const scimSets = "\x00permission sets"

// splitEntitlements reads entitlements: a profile, where one is among them, and permission sets.
func splitEntitlements(raw json.RawMessage) (profile string, sets []string, err error) {
	ids, err := linkIDs(raw, scimEntitlements)
	if err != nil {
		return "", nil, err
	}
	for _, id := range ids {
		switch {
		case strings.HasPrefix(id, "0PS"):
			sets = append(sets, id)
		case !strings.HasPrefix(id, "00e"):
			return "", nil, badSCIM(scimInvalidValue, "an entitlement is the id of a profile (00e...) or of a permission set (0PS...), not %s", id)
		case profile != "":
			return "", nil, badSCIM(scimInvalidValue, "a user has exactly one profile: send one")
		default:
			profile = id
		}
	}
	return profile, sets, nil
}

// setEntitlements takes the entitlements of a whole document: the profile, and the permission sets that are all there are.
func (in scimFields) setEntitlements(raw json.RawMessage) error {
	profile, sets, err := splitEntitlements(raw)
	if err != nil {
		return err
	}
	if profile == "" {
		return badSCIM(scimInvalidValue, "a user has exactly one profile: send its id (00e...) among the entitlements")
	}
	in["ProfileId"] = appendString(nil, profile)
	return in.keepSets(sets)
}

func (in scimFields) keepSets(sets []string) error {
	raw, err := json.Marshal(slices.Concat([]string{}, sets))
	in[scimSets] = raw
	return err //nolint:wrapcheck // a list of texts is always encoded
}

// takeSets takes the permission sets out of what is stored in User; false: they stay as they are.
func (in scimFields) takeSets() (sets []string, given bool) {
	raw, given := in[scimSets]
	delete(in, scimSets)
	_ = json.Unmarshal(raw, &sets) // made by keepSets
	return sets, given
}

const qSCIMSets = `SELECT a."PermissionSetId", a."Id", p."Label" FROM "PermissionSetAssignment" a JOIN "PermissionSet" p ON p."Id" = a."PermissionSetId"
 WHERE a."AssigneeId" = ? AND a."IsDeleted" = 0 AND p."IsDeleted" = 0 AND p."IsOwnedByProfile" = 0 ORDER BY a."Id" LIMIT ?`

// setsOf are the permission sets of a user: their ids, those of the assignments, and their labels.
func (c *scimCall) setsOf(user any) ([][]any, error) { return c.rows(qSCIMSets, 3, user, maxSCIMLinks) }

// assignSets makes the permission sets of a user those that are wanted.
func (c *scimCall) assignSets(user string, wanted []string) error {
	had, err := c.setsOf(user)
	if err != nil {
		return err
	}
	return c.relink(had, wanted, "PermissionSetAssignment", func(set string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"PermissionSetId": appendString(nil, set), "AssigneeId": appendString(nil, user)}
	})
}

// entitlements applies an operation to the profile and the permission sets of a user.
func (p *scimPatcher) entitlements(verb string, path scimPath, value json.RawMessage) error {
	var have []string
	if raw, changed := p.in[scimSets]; changed {
		_ = json.Unmarshal(raw, &have) // made by keepSets
	} else {
		have = p.sets
	}
	all := slices.Concat([]string{p.now("ProfileId")}, have)
	profile, sets, err := splitEntitlements(value)
	if err != nil {
		return err
	}
	ids := sets
	if profile != "" {
		ids = slices.Concat([]string{profile}, sets)
	}
	if verb == "add" && profile != "" {
		all = all[1:] // there is one profile: another takes its place
	}
	kindOf := func(id string) string {
		if strings.HasPrefix(id, "00e") {
			return "Profile"
		}
		return "PermissionSet"
	}
	if all, err = patchLinks(all, verb, path, ids, kindOf); err != nil {
		return err
	}
	n := slices.IndexFunc(all, func(id string) bool { return strings.HasPrefix(id, "00e") })
	if n < 0 {
		kind := scimMutability
		if verb == "replace" {
			kind = scimInvalidValue
		}
		return badSCIM(kind, "a user always has a profile: replace it")
	}
	p.in["ProfileId"] = appendString(nil, all[n])
	return p.in.keepSets(slices.Delete(all, n, n+1))
}

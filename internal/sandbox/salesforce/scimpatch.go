package salesforce

import (
	"encoding/json"
	"strings"
)

// scimPatch is what the operations of a PATCH (RFC 7644 §3.5.2) change of a user, who has the permission sets given. They take
// effect together or not at all.
func scimPatch(body []byte, u record, sets []string) (scimFields, error) {
	operations, err := scimOperations(body)
	if err != nil {
		return nil, err
	}
	p := &scimPatcher{user: u, sets: sets, in: scimFields{}}
	for _, op := range operations {
		if err := p.apply(op); err != nil {
			return nil, err
		}
	}
	return p.in, nil
}

type scimOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// scimPatcher applies operations to a user: in is what they changed so far.
type scimPatcher struct {
	user record
	sets []string // ids of the permission sets
	in   scimFields
}

func (p *scimPatcher) apply(op scimOperation) error {
	verb := strings.ToLower(op.Op)
	switch {
	case verb != "add" && verb != "replace" && verb != "remove":
		return badSCIM(scimInvalidSyntax, "%q is no operation: use add, replace or remove", shorten(op.Op))
	case verb != "remove" && len(op.Value) == 0:
		return badSCIM(scimInvalidValue, "%s has no value", verb)
	case verb == "remove" && op.Path == "":
		return badSCIM(scimNoTarget, "remove has no path")
	case op.Path == "":
		return p.merge(verb, op.Value)
	}
	path, err := parseSCIMPath(op.Path)
	if err != nil {
		return err
	}
	if verb == "remove" && path.attr != scimEntitlements {
		op.Value = scimNull
	}
	return p.at(verb, path, op.Value)
}

// merge applies an operation without a path: its value names the attributes, or paths of them as some clients do.
func (p *scimPatcher) merge(verb string, value json.RawMessage) error {
	var doc map[string]json.RawMessage
	if json.Unmarshal(value, &doc) != nil || doc == nil {
		return badSCIM(scimInvalidValue, "without a path the value of %s is an object of attributes", verb)
	}
	for name, raw := range doc {
		path, err := parseSCIMPath(name)
		if err != nil {
			return err
		}
		if !known(path.attr) {
			continue // an attribute that is not kept, as in a POST
		}
		if err := p.at(verb, path, raw); err != nil {
			return err
		}
	}
	return nil
}

func known(attr string) bool {
	for _, a := range scimAttrs() {
		if strings.EqualFold(a.name, attr) {
			return true
		}
	}
	return false
}

// at applies an operation to what a path names.
func (p *scimPatcher) at(verb string, path scimPath, value json.RawMessage) error {
	switch {
	case path.attr != scimEntitlements:
		return p.attribute(verb, path, value)
	case verb == "replace" && (path.filter != nil || path.sub != ""):
		return p.elements(verb, path, value)
	}
	return p.entitlements(verb, path, value)
}

// attribute is at for all but the entitlements.
func (p *scimPatcher) attribute(verb string, path scimPath, value json.RawMessage) error {
	switch path.attr {
	case "id", "schemas", "meta", "displayname", "groups", "usertype":
		return badSCIM(scimMutability, "%s cannot be changed", path.attr)
	case "name":
		if path.sub == "formatted" {
			return badSCIM(scimMutability, "name.formatted cannot be changed: change the parts of the name")
		}
	case "emails", "phonenumbers":
		if path.filter != nil || path.sub != "" {
			return p.elements(verb, path, value)
		}
	}
	if path.filter != nil {
		return badSCIM("invalidPath", "%s has no elements to choose from", shorten(path.attr))
	}
	for _, a := range scimAttrs() {
		if a.keeps() && strings.EqualFold(a.name, path.attr) && isNull(value) {
			return badSCIM(scimMutability, "%s always has a value: replace it", a.name)
		}
	}
	found, err := p.in.set(path.attr, path.sub, value, verb != "add")
	if err == nil && !found {
		return badSCIM("invalidPath", "there is no attribute %s to change", shorten(strings.TrimSuffix(path.attr+"."+path.sub, ".")))
	}
	return err
}

// elements changes the elements of a multi-valued attribute that a filter chooses, or the value of all of them.
func (p *scimPatcher) elements(verb string, path scimPath, value json.RawMessage) error {
	if path.sub != "" && path.sub != "value" {
		return badSCIM(scimMutability, "%s.%s cannot be changed: only value can", path.attr, shorten(path.sub))
	}
	hit, primary := false, true
	for _, a := range scimAttrs() {
		if !strings.EqualFold(a.name, path.attr) {
			continue
		}
		have := p.now(a.field)
		if have == "" && verb != "add" {
			continue
		}
		fits := true
		if path.filter != nil {
			var err error
			if fits, err = path.filter.matches(map[string]any{"type": a.kind, "value": have, "primary": primary}); err != nil {
				return err
			}
		}
		primary = primary && have == ""
		if !fits {
			continue
		}
		hit = true
		v, err := elementValue(verb, path, value)
		if err != nil {
			return err
		}
		p.in[a.field] = v
	}
	if !hit {
		return badSCIM(scimNoTarget, "no element of %s is chosen by the path", path.attr)
	}
	return nil
}

// elementValue is the text an operation gives an element: its value is that text, or an element if the path names no part.
func elementValue(verb string, path scimPath, value json.RawMessage) (json.RawMessage, error) {
	if path.sub != "" || verb == "remove" {
		return value, nil
	}
	var e scimElement
	if json.Unmarshal(elementOf(value), &e) != nil || e.Value == "" {
		return nil, badSCIM(scimInvalidValue, "an element of %s is an object with a value", path.attr)
	}
	return appendString(nil, e.Value), nil
}

// elementOf is the only element of a list, or what is no list as it is.
func elementOf(raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		return list[0]
	}
	return raw
}

// now is the text of a field after the operations so far.
func (p *scimPatcher) now(field string) string {
	raw, changed := p.in[field]
	if !changed {
		return p.user.text(field)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // what is no text is refused when it is stored
	return s
}

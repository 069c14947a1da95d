package salesforce

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CustomObject is an entity an administrator added, or, under the name of one that is there, the fields added to it. A
// name that ends in __c is of records, one that ends in __e of a platform event.
type CustomObject struct {
	Name   string        `json:"name"   yaml:"name"`
	Label  string        `json:"label"  yaml:"label"`  // made of the name if empty
	Plural string        `json:"plural" yaml:"plural"` // the label with an s if empty
	Prefix string        `json:"prefix" yaml:"prefix"` // of ids: three letters and digits; made of the name if empty
	Fields []CustomField `json:"fields" yaml:"fields"`

	ValidationRules []ValidationRule `json:"validation_rules" yaml:"validation_rules"`
	DuplicateRules  []DuplicateRule  `json:"duplicate_rules"  yaml:"duplicate_rules"`
}

// CustomField is a field an administrator added.
type CustomField struct {
	Name  string `json:"name"  yaml:"name"` // ends in __c
	Label string `json:"label" yaml:"label"`
	// Type is string, textarea, phone, email, url, picklist, multipicklist, boolean, int, double, currency, date,
	// datetime, reference or location. A location Site__c is kept in Site__Latitude__s and Site__Longitude__s.
	Type       string   `json:"type"        yaml:"type"`
	Length     int      `json:"length"      yaml:"length"` // in characters; that of the type if 0
	Required   bool     `json:"required"    yaml:"required"`
	Unique     bool     `json:"unique"      yaml:"unique"`
	ExternalID bool     `json:"external_id" yaml:"external_id"`
	Restricted bool     `json:"restricted"  yaml:"restricted"` // a picklist that takes its values alone
	Values     []string `json:"values"      yaml:"values"`     // of a picklist
	Default    string   `json:"default"     yaml:"default"`
	References []string `json:"references"  yaml:"references"` // entities a reference may point at
	// ChildRelationship names the records seen from the one they point at, such as Orders, for Orders__r. Empty: none.
	ChildRelationship string `json:"child_relationship" yaml:"child_relationship"`
}

// Limits of custom objects.
const (
	maxCustomObjects = 200
	maxCustomFields  = 500
	maxCustomFile    = 1 << 20
	longFrom         = 256 // characters from which text cannot be filtered by
)

// loadCustom reads Dir/custom/*.json, *.yaml and *.yml: each file holds one object or a list of them.
func loadCustom(dir string) ([]CustomObject, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, "custom"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing custom objects: %w", err)
	}
	var out []CustomObject
	for _, e := range entries {
		if !slices.Contains([]string{".json", ".yaml", ".yml"}, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "custom", e.Name())) //nolint:gosec // the org's own folder
		if err != nil {
			return nil, fmt.Errorf("reading custom objects: %w", err)
		}
		list, err := parseCustom(text)
		if err != nil {
			return nil, fmt.Errorf("reading custom/%s: %w", e.Name(), err)
		}
		out = append(out, list...)
	}
	return out, nil
}

// parseCustom reads YAML, of which JSON is a part.
func parseCustom(text []byte) ([]CustomObject, error) {
	if len(text) > maxCustomFile {
		return nil, fmt.Errorf("the file is longer than %d bytes: split it", maxCustomFile)
	}
	decode := func(v any) error {
		dec := yaml.NewDecoder(bytes.NewReader(text))
		dec.KnownFields(true)
		return dec.Decode(v) //nolint:wrapcheck // shown to the caller as it is
	}
	var list []CustomObject
	first := decode(&list)
	if first == nil || errors.Is(first, io.EOF) {
		return list, nil
	}
	var one CustomObject
	if err := decode(&one); err != nil {
		if strings.HasPrefix(string(bytes.TrimSpace(text)), "-") || strings.HasPrefix(string(bytes.TrimSpace(text)), "[") {
			return nil, first
		}
		return nil, err
	}
	return []CustomObject{one}, nil
}

var (
	customName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*__[ce]$`) //nolint:gochecknoglobals // compiled once
	prefixName  = regexp.MustCompile(`^[a-zA-Z0-9]{3}$`)                             //nolint:gochecknoglobals // compiled once
	customTypes = []fieldType{                                                       //nolint:gochecknoglobals // a constant list
		typeString, typeTextArea, typePhone, typeEmail, typeURL, typePicklist, typeBoolean, typeInt, typeDouble, typeCurrency, typeDate,
		typeDateTime, typeReference, typeMulti, typeLocation,
	}
)

const maxCustomName = 43

// addCustom adds an object to the schema, or fields to one that is there.
func (s *schema) addCustom(c CustomObject) error {
	obj := s.object(c.Name)
	if obj == nil {
		var err error
		if obj, err = s.newCustom(c); err != nil {
			return err
		}
	}
	if len(c.Fields) > maxCustomFields {
		return fmt.Errorf("%s has %d fields: %d are taken", c.Name, len(c.Fields), maxCustomFields)
	}
	for _, cf := range c.Fields {
		f, err := newCustomField(cf)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", c.Name, cf.Name, err)
		}
		if obj.field(f.name) != nil || obj.compound(f.name) != nil {
			return fmt.Errorf("%s has a field %s already", obj.name, f.name)
		}
		if !f.compound() {
			obj.addField(f)
		} else if err := obj.addCompound(f); err != nil {
			return fmt.Errorf("%s.%s: %w", c.Name, cf.Name, err)
		}
	}
	return nil
}

func (s *schema) newCustom(c CustomObject) (*object, error) {
	if !customName.MatchString(c.Name) || len(c.Name) > maxCustomName {
		return nil, fmt.Errorf("%q is no name of a custom object: letters, digits and single underscores, at most 40, and __c or __e at the end", shorten(c.Name))
	}
	event := strings.HasSuffix(c.Name, "__e")
	def := definition{name: c.Name, label: orElse(c.Label, labelOf(strings.TrimSuffix(c.Name, "__e")))}
	def.plural = orElse(c.Plural, def.label+"s")
	if !event {
		def.fields = "Name string(80) required name\n" + ownerField
	}
	if def.prefix = c.Prefix; def.prefix == "" {
		def.prefix = customPrefix(c.Name, event)
	}
	if other := s.byPrefix[def.prefix]; other != nil || !prefixName.MatchString(def.prefix) {
		return nil, fmt.Errorf("%s cannot have the id prefix %q: give it another as prefix, of three letters and digits", c.Name, def.prefix)
	}
	obj, err := newObject(def)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", c.Name, err)
	}
	s.objects = append(s.objects, obj)
	s.byName[strings.ToLower(obj.name)] = obj
	s.byPrefix[obj.prefix] = obj
	return obj, nil
}

// customPrefix makes an id prefix of a name alone, so that ids stay what they are whatever is added later.
func customPrefix(name string, event bool) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(name))) // never fails
	n := h.Sum32()
	first := "a"
	if event {
		first = "e"
	}
	return first + string(base62[n%62]) + string(base62[n/62%62])
}

func newCustomField(c CustomField) (*field, error) {
	f := &field{
		name: c.Name, label: orElse(c.Label, labelOf(c.Name)), kind: fieldType(c.Type), length: c.Length, required: c.Required,
		unique: c.Unique, external: c.ExternalID, indexed: c.Unique || c.ExternalID, restricted: c.Restricted, values: c.Values, defaultTo: c.Default,
	}
	if err := checkCustomField(c, f); err != nil {
		return nil, err
	}
	if f.length == 0 {
		f.length = usualLength(f.kind)
	}
	f.longText = f.kind == typeTextArea && f.length >= longFrom
	if f.kind == typeReference {
		f.refs, f.indexed = c.References, true
		f.rel = strings.TrimSuffix(c.Name, "__c") + "__r"
		if c.ChildRelationship != "" {
			f.childRel = strings.TrimSuffix(c.ChildRelationship, "__r") + "__r"
		}
	}
	return f, nil
}

// checkCustomField tells what is wrong with a definition.
func checkCustomField(c CustomField, f *field) error {
	picklist := f.kind == typePicklist || f.kind == typeMulti
	textual := f.text() && !picklist && f.kind != typeTextArea
	switch {
	case !customName.MatchString(c.Name) || !strings.HasSuffix(c.Name, "__c") || len(c.Name) > maxCustomName:
		return errors.New("a name has letters, digits and single underscores, at most 40, and __c at the end")
	case !slices.Contains(customTypes, f.kind):
		return fmt.Errorf("type %q is unknown: use one of %v", c.Type, customTypes)
	case (f.kind == typeReference) != (len(c.References) > 0):
		return errors.New("a reference, and nothing else, names the entities it may point at in references")
	case picklist != (len(c.Values) > 0):
		return errors.New("a picklist, and nothing else, lists its values")
	case (c.Unique || c.ExternalID) && !textual:
		return errors.New("only text can be unique or an external id: use the type string")
	case c.Length < 0 || c.Length > 131_072:
		return errors.New("length must be between 0 and 131072")
	}
	return nil
}

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
	// NameFormat numbers the records instead of taking a name, such as ORD-{00000}; Name is read-only then.
	NameFormat string `json:"name_format" yaml:"name_format"`

	at origin
}

// origin is where a definition was read, for messages.
type origin struct {
	file string
	line int
}

// wrap says where err was found.
func (p origin) wrap(err error) error {
	if err == nil || p.file == "" {
		return err
	}
	return fmt.Errorf("%s line %d: %w", p.file, p.line, err)
}

// CustomField is a field an administrator added.
type CustomField struct {
	Name  string `json:"name"  yaml:"name"` // ends in __c
	Label string `json:"label" yaml:"label"`
	// Type is string, textarea, phone, email, url, picklist, multipicklist, boolean, int, double, currency, percent, date,
	// datetime, reference, masterdetail, autonumber or location, or one of customAliases. A location Site__c is kept in
	// Site__Latitude__s and Site__Longitude__s.
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
	// OnDelete is what becomes of a reference when the record it points at is deleted: clear, the usual, restrict or cascade.
	OnDelete string `json:"on_delete" yaml:"on_delete"`
	// Reparentable lets a masterdetail be changed once it is set.
	Reparentable bool `json:"reparentable" yaml:"reparentable"`
	// Precision and Scale are the digits of a number in all, 18 at most and if 0, and after the point.
	Precision int  `json:"precision" yaml:"precision"`
	Scale     *int `json:"scale"     yaml:"scale"` // nil: 2
	// CaseSensitive makes values of a unique field or external id that differ in case differ.
	CaseSensitive bool   `json:"case_sensitive" yaml:"case_sensitive"`
	Format        string `json:"format"         yaml:"format"` // of an autonumber, such as V-{0000}
	Help          string `json:"help"           yaml:"help"`   // shown beside the field
	// RenamedFrom is the name the field had before: its values come along when the org is opened.
	RenamedFrom string `json:"renamed_from" yaml:"renamed_from"`

	at origin
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
		locate(text, "custom/"+e.Name(), list)
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

// locate notes the lines objects and fields begin at.
func locate(text []byte, file string, list []CustomObject) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return
	}
	objects := doc.Content[0].Content
	if doc.Content[0].Kind == yaml.MappingNode {
		objects = doc.Content
	}
	for i, node := range objects[:min(len(objects), len(list))] {
		list[i].at = origin{file, node.Line}
		for k := 0; k+1 < len(node.Content); k += 2 {
			if node.Content[k].Value != "fields" {
				continue
			}
			for n, f := range node.Content[k+1].Content[:min(len(node.Content[k+1].Content), len(list[i].Fields))] {
				list[i].Fields[n].at = origin{file, f.Line}
			}
		}
	}
}

var (
	customName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*__[ce]$`) //nolint:gochecknoglobals // compiled once
	prefixName  = regexp.MustCompile(`^[a-zA-Z0-9]{3}$`)                             //nolint:gochecknoglobals // compiled once
	customTypes = []fieldType{                                                       //nolint:gochecknoglobals // a constant list
		typeString, typeTextArea, typePhone, typeEmail, typeURL, typePicklist, typeBoolean, typeInt, typeDouble, typeCurrency, typeDate,
		typeDateTime, typeReference, typeMulti, typeLocation, customPercent, customMaster, customAuto,
	}
)

// Types of definitions that are stored as another.
const (
	customPercent fieldType = "percent"
	customMaster  fieldType = "masterdetail"
	customAuto    fieldType = "autonumber"
)

// customAliases are the names setup pages and metadata files have for types.
func customAliases(name string) fieldType {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
	case "text":
		return typeString
	case "longtextarea", "longtext":
		return typeTextArea
	case "number":
		return typeDouble
	case "checkbox":
		return typeBoolean
	case "lookup":
		return typeReference
	case "multiselectpicklist", "multiselect":
		return typeMulti
	}
	return fieldType(strings.ToLower(name))
}

const maxCustomName = 43

// addCustom adds an object to the schema, or fields to one that is there.
func (s *schema) addCustom(c CustomObject) error {
	obj := s.object(c.Name)
	if obj == nil {
		var err error
		if obj, err = s.newCustom(c); err != nil {
			return c.at.wrap(err)
		}
	}
	if len(c.Fields) > maxCustomFields {
		return c.at.wrap(fmt.Errorf("%s has %d fields: %d are taken", c.Name, len(c.Fields), maxCustomFields))
	}
	for _, cf := range c.Fields {
		f, err := newCustomField(cf)
		switch {
		case err != nil:
			err = fmt.Errorf("%s.%s: %w", c.Name, shorten(cf.Name), err)
		case obj.field(f.name) != nil || obj.compound(f.name) != nil:
			err = fmt.Errorf("%s has a field %s already", obj.name, f.name)
		case f.rel != "" && obj.byRel[strings.ToLower(f.rel)] != nil:
			err = fmt.Errorf("%s has a relationship %s already", obj.name, f.rel)
		case f.master && obj.masters() == maxMasters:
			err = fmt.Errorf("%s has %d masters already", obj.name, maxMasters)
		}
		if err != nil {
			return cf.at.wrap(err)
		}
		f.at = cf.at
		if !f.compound() {
			obj.addField(f)
		} else if err := obj.addCompound(f); err != nil {
			return cf.at.wrap(fmt.Errorf("%s.%s: %w", c.Name, cf.Name, err))
		}
	}
	return nil
}

// maxMasters is how many records one can belong to.
const maxMasters = 2

func (o *object) masters() int {
	n := 0
	for _, f := range o.fields {
		if f.master {
			n++
		}
	}
	return n
}

func (s *schema) newCustom(c CustomObject) (*object, error) {
	if !customName.MatchString(c.Name) || len(c.Name) > maxCustomName {
		return nil, fmt.Errorf("%q is no name of a custom object: letters, digits and single underscores, at most 40, and __c or __e at the end", shorten(c.Name))
	}
	event := strings.HasSuffix(c.Name, "__e")
	def := definition{name: c.Name, label: orElse(c.Label, labelOf(strings.TrimSuffix(c.Name, "__e")))}
	def.plural = orElse(c.Plural, def.label+"s")
	if !event {
		def.fields = customNameField(c)
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
	if c.NameFormat != "" {
		if event || !autoFormat.MatchString(c.NameFormat) {
			return nil, fmt.Errorf("%s: name_format %q is none: write text around one group of zeros, such as ORD-{00000}", c.Name, shorten(c.NameFormat))
		}
		obj.nameField.autoFormat = c.NameFormat
	}
	s.objects = append(s.objects, obj)
	s.byName[strings.ToLower(obj.name)] = obj
	s.byPrefix[obj.prefix] = obj
	return obj, nil
}

// customNameField defines what names a record, and its owner: what belongs to another record has that one's.
func customNameField(c CustomObject) string {
	name := "Name string(80) required name"
	if c.NameFormat != "" {
		name = "Name string(80) readonly name auto"
	}
	if slices.ContainsFunc(c.Fields, func(f CustomField) bool { return customAliases(f.Type) == customMaster }) {
		return name
	}
	return name + "\n" + ownerField
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
		name: c.Name, label: orElse(c.Label, labelOf(c.Name)), kind: customAliases(c.Type), length: c.Length, required: c.Required,
		unique: c.Unique, external: c.ExternalID, indexed: c.Unique || c.ExternalID, restricted: c.Restricted, values: c.Values, defaultTo: c.Default,
		caseSensitive: c.CaseSensitive, help: c.Help, renamedFrom: c.RenamedFrom,
	}
	if err := checkCustomField(c, f); err != nil {
		return nil, err
	}
	f.ofKind(c)
	if f.length == 0 {
		f.length = usualLength(f.kind)
	}
	f.longText = f.kind == typeTextArea && f.length >= longFrom
	if f.kind == typeDouble || f.kind == typeCurrency {
		f.precision, f.scale = usualPrecision, usualScale
		if c.Precision > 0 {
			f.precision = c.Precision
		}
		if c.Scale != nil {
			f.scale = *c.Scale
		}
	}
	if f.kind == typeReference {
		f.refs, f.indexed = c.References, true
		f.rel = strings.TrimSuffix(c.Name, "__c") + "__r"
		if c.ChildRelationship != "" {
			f.childRel = strings.TrimSuffix(c.ChildRelationship, "__r") + "__r"
		}
	}
	return f, checkDefault(f)
}

// ofKind turns a type of definitions into what it is stored as.
func (f *field) ofKind(c CustomField) {
	switch f.kind {
	case customPercent:
		f.kind, f.percent = typeDouble, true
	case customAuto:
		f.kind, f.auto, f.readOnly, f.indexed, f.autoFormat = typeString, true, true, true, orElse(c.Format, "{00000000}")
		f.length = 30
	case customMaster:
		f.kind, f.master, f.required, f.createOnly, f.ifDeleted = typeReference, true, true, !c.Reparentable, deleteCascades
	case typeReference:
		f.ifDeleted = deletion(orElse(c.OnDelete, string(deleteClears)))
	default:
	}
}

var autoFormat = regexp.MustCompile(`^[^{}]*\{0{1,10}\}[^{}]*$`) //nolint:gochecknoglobals // compiled once

// checkCustomField tells what is wrong with a definition.
func checkCustomField(c CustomField, f *field) error {
	if !customName.MatchString(c.Name) || !strings.HasSuffix(c.Name, "__c") || len(c.Name) > maxCustomName {
		return errors.New("a name has letters, digits and single underscores, at most 40, and __c at the end")
	}
	if !slices.Contains(customTypes, f.kind) {
		return fmt.Errorf("type %q is unknown: use one of %v", shorten(c.Type), customTypes)
	}
	return errors.Join(checkCustomText(c, f), checkCustomNumber(c, f), checkCustomReference(c, f))
}

// textual reports whether a field is text that is neither a picklist nor long.
func (f *field) textual() bool {
	return f.text() && f.kind != typePicklist && f.kind != typeMulti && f.kind != typeTextArea
}

func checkCustomText(c CustomField, f *field) error {
	key := c.Unique || c.ExternalID
	picklist := f.kind == typePicklist || f.kind == typeMulti
	renamed := c.RenamedFrom == "" || customName.MatchString(c.RenamedFrom) && !strings.EqualFold(c.RenamedFrom, c.Name)
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{picklist != (len(c.Values) > 0), "a picklist, and nothing else, lists its values"},
		{key && !f.textual() && !f.number(), "only text and numbers can be unique or an external id: use the type string or double"},
		{c.CaseSensitive && (!f.textual() || !key), "case_sensitive is for text that is unique or an external id"},
		{c.Length < 0 || c.Length > maxCustomLength, fmt.Sprintf("length must be between 0 and %d", maxCustomLength)},
		{!renamed, "renamed_from is the name of another custom field, with __c at the end"},
	} {
		if rule.broken {
			return errors.New(rule.why)
		}
	}
	return nil
}

const maxCustomLength = 131_072 // characters

func checkCustomNumber(c CustomField, f *field) error {
	number := f.kind == typeDouble || f.kind == typeCurrency || f.kind == customPercent
	scale := 0
	if c.Scale != nil {
		scale = *c.Scale
	}
	tooMany := c.Precision < 0 || c.Precision > usualPrecision || scale < 0 || scale >= usualPrecision
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{!number && (c.Precision != 0 || c.Scale != nil), "precision and scale are for double, currency and percent"},
		{tooMany, fmt.Sprintf("precision is at most %d, and scale less", usualPrecision)},
		{c.Precision > 0 && scale > c.Precision, "scale cannot be more than precision"},
		{c.Format != "" && f.kind != customAuto, "format is for the type autonumber"},
		{c.Format != "" && !autoFormat.MatchString(c.Format), fmt.Sprintf("format %q is none: write text around one group of zeros, such as V-{0000}", shorten(c.Format))},
	} {
		if rule.broken {
			return errors.New(rule.why)
		}
	}
	return nil
}

func checkCustomReference(c CustomField, f *field) error {
	reference := f.kind == typeReference || f.kind == customMaster
	switch {
	case reference != (len(c.References) > 0):
		return errors.New("a reference, and nothing else, names the entities it may point at in references")
	case f.kind == customMaster && len(c.References) != 1:
		return errors.New("a masterdetail belongs to one entity")
	case c.OnDelete != "" && (f.kind != typeReference || !slices.Contains([]deletion{deleteClears, deleteRestricted, deleteCascades}, deletion(c.OnDelete))):
		return errors.New("on_delete is clear, restrict or cascade, of a reference")
	case c.OnDelete == string(deleteClears) && c.Required:
		return errors.New("a required reference cannot be cleared: use on_delete restrict")
	case c.Reparentable && f.kind != customMaster:
		return errors.New("reparentable is for the type masterdetail")
	}
	return nil
}

// checkDefault refuses a default the field does not take.
func checkDefault(f *field) error {
	if f.defaultTo == "" {
		return nil
	}
	wrong := fmt.Errorf("the default %q is no value of the field", shorten(f.defaultTo))
	switch f.kind {
	case typeBoolean:
		if f.defaultTo != "true" && f.defaultTo != "false" {
			return wrong
		}
	case typeReference:
		return errors.New("a reference has no default")
	case typeInt, typeDouble, typeCurrency:
		if v, err := checkNumber(f, f.defaultTo); err != nil || v == nil {
			return wrong
		}
	case typeDate, typeDateTime:
		if _, err := checkMoment(f, f.defaultTo); err != nil {
			return wrong
		}
	case typePicklist, typeMulti:
		if !allListed(f, f.defaultTo) {
			return wrong
		}
	default:
		if _, err := checkText(nil, f, f.defaultTo); err != nil {
			return wrong
		}
	}
	return nil
}

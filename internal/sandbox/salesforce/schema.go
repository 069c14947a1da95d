package salesforce

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// fieldType is a field's type as describe names it.
type fieldType string

const (
	typeID        fieldType = "id"
	typeReference fieldType = "reference"
	typeString    fieldType = "string"
	typeTextArea  fieldType = "textarea"
	typePhone     fieldType = "phone"
	typeEmail     fieldType = "email"
	typeURL       fieldType = "url"
	typePicklist  fieldType = "picklist"
	typeBoolean   fieldType = "boolean"
	typeInt       fieldType = "int"
	typeDouble    fieldType = "double"
	typeCurrency  fieldType = "currency"
	typeDate      fieldType = "date"
	typeDateTime  fieldType = "datetime"
	typeMulti     fieldType = "multipicklist" // values are kept with ; between them
)

// field describes one field. Length is in characters.
type field struct {
	name, label string
	kind        fieldType
	length      int
	refs        []string // entities a reference may point at
	rel         string   // relationship name of a reference
	childRel    string   // name of the relationship seen from the parent
	values      []string // picklist
	defaultTo   string

	required, readOnly, createOnly, unique, external, nameField, indexed, restricted bool
	// auto fields are numbered by the platform.
	auto bool
	// longText cannot be filtered, sorted or grouped by, as on the platform.
	longText bool
	// writeOnly has no column: what is written to it goes elsewhere.
	writeOnly bool
}

// text reports whether values compare as text, without regard to case.
func (f *field) text() bool {
	switch f.kind {
	case typeString, typeTextArea, typePhone, typeEmail, typeURL, typePicklist, typeMulti:
		return true
	default:
		return false
	}
}

func (f *field) isID() bool { return f.kind == typeID || f.kind == typeReference }

// What a query may do with a field, as the platform's object reference states it for types of field.

func (f *field) sortable() bool { return !f.longText && f.kind != typeMulti }

func (f *field) groupable() bool {
	switch f.kind {
	case typeDateTime, typeDouble, typeCurrency, typeMulti:
		return false
	default:
		return !f.longText && !f.auto
	}
}

func (f *field) aggregatable() bool { return f.sortable() && f.kind != typeBoolean }

func (f *field) number() bool {
	return f.kind == typeInt || f.kind == typeDouble || f.kind == typeCurrency
}

func (f *field) custom() bool { return strings.HasSuffix(f.name, "__c") }

// column is the quoted name of the column.
func (f *field) column() string { return `"` + f.name + `"` }

// folded is the quoted name of the column comparisons use: for text a lower-case copy, so that comparing without regard to
// case is plain binary comparison and can use an index.
func (f *field) folded() string {
	if f.text() && !f.longText {
		return `"` + f.name + `~"`
	}
	return f.column()
}

func (f *field) sqlType() string {
	switch f.kind {
	case typeBoolean, typeInt, typeDateTime:
		return "INTEGER"
	case typeDouble, typeCurrency:
		return "REAL"
	default:
		return "TEXT"
	}
}

// object describes one entity.
type object struct {
	name, label, plural, prefix string
	fields                      []*field
	byName                      map[string]*field // lower-case name
	byRel                       map[string]*field // lower-case relationship name
	children                    []childRel
	readOnly                    bool // not creatable, changeable or deletable by the API
	event                       bool // a platform event: published, never stored
	setup                       bool // of the org's setup: its changes are no events
	nameField                   *field
}

// childRel is a relationship seen from the parent.
type childRel struct {
	name  string
	child *object
	field *field
}

func (o *object) field(name string) *field { return o.byName[strings.ToLower(name)] }

func (o *object) custom() bool {
	return strings.HasSuffix(o.name, "__c") || strings.HasSuffix(o.name, "__e")
}

func (o *object) table() string { return `"` + o.name + `"` }

// searchable reports whether searches find records of the entity.
func (o *object) searchable() bool { return !o.readOnly && !o.setup && !o.event }

// hasOwner reports whether records have an owner.
func (o *object) hasOwner() bool { return o.byName["ownerid"] != nil }

// schema is all entities of the org. It never changes once built.
type schema struct {
	objects  []*object
	byName   map[string]*object // lower case
	byPrefix map[string]*object
}

// sorted returns the entities by name, as descriptions list them.
func (s *schema) sorted() []*object {
	return slices.SortedFunc(slices.Values(s.objects), func(a, b *object) int { return strings.Compare(a.name, b.name) })
}

func (s *schema) object(name string) *object { return s.byName[strings.ToLower(name)] }

// objectOf returns the entity an id belongs to, nil when none.
func (s *schema) objectOf(id string) *object {
	if len(id) < 3 {
		return nil
	}
	return s.byPrefix[id[:3]]
}

// newSchema builds the entities from their definitions. A definition that does not parse is a fault of this program.
func newSchema(custom ...CustomObject) (*schema, error) {
	s := &schema{byName: map[string]*object{}, byPrefix: map[string]*object{}}
	for _, def := range definitions() {
		o, err := newObject(def)
		if err != nil {
			return nil, fmt.Errorf("reading the definition of %s: %w", def.name, err)
		}
		s.objects = append(s.objects, o)
		s.byName[strings.ToLower(o.name)] = o
		s.byPrefix[o.prefix] = o
	}
	if len(custom) > maxCustomObjects {
		return nil, fmt.Errorf("there are %d custom objects: %d are taken", len(custom), maxCustomObjects)
	}
	for _, c := range custom {
		if err := s.addCustom(c); err != nil {
			return nil, err
		}
	}
	return s, s.relate()
}

// relate gives parents the relationships their children name.
func (s *schema) relate() error {
	for _, child := range s.objects {
		for _, f := range child.fields {
			for _, parent := range f.refs {
				p := s.object(parent)
				if p == nil {
					return fmt.Errorf("%s.%s points at %s, which is not defined", child.name, f.name, parent)
				}
				if f.childRel != "" {
					p.children = append(p.children, childRel{name: f.childRel, child: child, field: f})
				}
			}
		}
	}
	return nil
}

const (
	systemFieldsBefore = `Id id
IsDeleted boolean readonly`
	ownerField        = `OwnerId reference ->User/Owner`
	systemFieldsAfter = `CreatedDate datetime readonly index
CreatedById reference readonly ->User/CreatedBy
LastModifiedDate datetime readonly
LastModifiedById reference readonly ->User/LastModifiedBy
SystemModstamp datetime readonly index`
)

func newObject(def definition) (*object, error) {
	o := &object{
		name: def.name, label: def.label, plural: def.plural, prefix: def.prefix, readOnly: def.readOnly, setup: def.setup,
		event:  def.event || strings.HasSuffix(def.name, "__e"),
		byName: map[string]*field{}, byRel: map[string]*field{},
	}
	lines := systemFieldsBefore + "\n" + def.fields + "\n" + systemFieldsAfter
	for line := range strings.SplitSeq(lines, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		f, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if f.name == "CreatedById" || f.name == "LastModifiedById" {
			f.indexed = false // nobody asks for one user's records by these, and each record has them
		}
		o.fields = append(o.fields, f)
		o.byName[strings.ToLower(f.name)] = f
		if f.rel != "" {
			o.byRel[strings.ToLower(f.rel)] = f
		}
		if f.nameField {
			o.nameField = f
		}
	}
	return o, nil
}

// parseField reads a line `Name type[(length)] flags..`, where a flag is one of required, readonly, createonly, unique,
// external, name, index, long, restricted, auto, writeonly, label=Text_with_underscores, =default, {value|value},
// ->Entity[,Entity]/Relationship and <-ChildRelationship.
func parseField(line string) (*field, error) {
	parts := strings.Fields(line)
	if len(parts) < 2 {
		return nil, fmt.Errorf("field %q needs a name and a type", line)
	}
	f := &field{name: parts[0], label: labelOf(parts[0])}
	kind, size, sized := strings.Cut(strings.TrimSuffix(parts[1], ")"), "(")
	f.kind = fieldType(kind)
	if sized {
		n, err := strconv.Atoi(size)
		if err != nil {
			return nil, fmt.Errorf("reading the length in %q: %w", line, err)
		}
		f.length = n
	}
	if f.length == 0 {
		f.length = usualLength(f.kind)
	}
	for _, flag := range parts[2:] {
		if err := f.set(flag); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func usualLength(kind fieldType) int {
	switch kind {
	case typeID, typeReference:
		return 18
	case typePhone, typePicklist:
		return 40
	case typeMulti:
		return 4099
	case typeEmail:
		return 80
	case typeString, typeURL, typeTextArea:
		return 255
	default:
		return 0
	}
}

func (f *field) set(flag string) error {
	switch {
	case strings.HasPrefix(flag, "->"):
		targets, rel, _ := strings.Cut(flag[2:], "/")
		f.refs, f.rel, f.indexed = strings.Split(targets, ","), rel, true
	case strings.HasPrefix(flag, "<-"):
		f.childRel = flag[2:]
	case strings.HasPrefix(flag, "label="):
		f.label = strings.ReplaceAll(flag[6:], "_", " ")
	case strings.HasPrefix(flag, "="):
		f.defaultTo = spaced(flag[1:])
	case strings.HasPrefix(flag, "{"):
		f.values = strings.Split(strings.Trim(flag, "{}"), "|")
		for i, v := range f.values {
			f.values[i] = spaced(v)
		}
	default:
		return f.setBool(flag)
	}
	return nil
}

// spaced writes the spaces of a value, which are underscores in a definition, but for those of a locale such as en_US.
func spaced(s string) string {
	if len(s) == 5 && s[2] == '_' && strings.ToUpper(s[3:]) == s[3:] && strings.ToLower(s[:2]) == s[:2] {
		return s
	}
	return strings.ReplaceAll(s, "_", " ")
}

func (f *field) setBool(flag string) error {
	switch flag {
	case "required":
		f.required = true
	case "readonly":
		f.readOnly = true
	case "createonly":
		f.createOnly = true
	case "unique":
		f.unique, f.indexed = true, true
	case "external":
		f.external, f.indexed = true, true
	case "name":
		f.nameField, f.indexed = true, true
	case "index":
		f.indexed = true
	case "long":
		f.longText = true
	case "restricted":
		f.restricted = true
	case "auto":
		f.auto = true
	case "writeonly":
		f.writeOnly = true
	default:
		return fmt.Errorf("flag %q of field %s is unknown", flag, f.name)
	}
	return nil
}

// labelOf spaces a name out: LastModifiedDate is Last Modified Date, AccountId is Account ID.
func labelOf(name string) string {
	name = strings.TrimSuffix(name, "__c")
	name = strings.ReplaceAll(name, "_", " ")
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	label := b.String()
	if strings.HasSuffix(label, " Id") {
		label = label[:len(label)-1] + "D"
	}
	return label
}

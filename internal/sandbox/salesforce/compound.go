package salesforce

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"github.com/tandemcc/tandem/internal/soql"
)

// compound is a field that is made of others: an address, or a place on the globe. It is read and never written, filtered
// or sorted by, but for its distance from another place (Object Reference, "Compound Field Considerations and
// Limitations").
type compound struct {
	name, label string
	kind        fieldType // typeAddress or typeLocation
	parts       []part    // in the order answers have them
}

// part is one value of a compound: the field it is stored in, and its name within the compound.
type part struct {
	key   string
	field *field
}

// The parts of a compound by their names in an answer; what follows the colon ends the name of the field.
const (
	addressParts = "city:City country:Country geocodeAccuracy:GeocodeAccuracy latitude:Latitude longitude:Longitude " +
		"postalCode:PostalCode state:State street:Street"
	locationParts = "latitude:__Latitude__s longitude:__Longitude__s"
)

// Bounds of a place, in degrees.
const (
	maxLatitude  = 90.0
	maxLongitude = 180.0
)

// as is the compound as queries name it: a field without a column.
func (c *compound) as() *field { return &field{name: c.name, label: c.label, kind: c.kind} }

func (c *compound) custom() bool { return strings.HasSuffix(c.name, "__c") }

// part returns the field of one value, nil when the compound has none such.
func (c *compound) part(key string) *field {
	for _, p := range c.parts {
		if p.key == key {
			return p.field
		}
	}
	return nil
}

// compound finds a compound field by name, nil when there is none.
func (o *object) compound(name string) *compound {
	for _, c := range o.compounds {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// compoundOf returns the compound a field is part of and its place there, nil when it is of none.
func (o *object) compoundOf(f *field) *compound {
	for _, c := range o.compounds {
		for _, p := range c.parts {
			if p.field == f {
				return c
			}
		}
	}
	return nil
}

// addCompound adds a compound of the fields that are there already and of those that tell the place, which it adds. An
// address takes the fields with its own name in front, without Address.
func (o *object) addCompound(def *field) error {
	c := &compound{name: def.name, label: def.label, kind: def.kind}
	prefix, parts := strings.TrimSuffix(def.name, "__c"), locationParts
	if def.kind == typeAddress {
		prefix, parts = strings.TrimSuffix(def.name, "Address"), addressParts
		o.addField(&field{name: prefix + "Latitude", label: labelOf(prefix + "Latitude"), kind: typeDouble, precision: usualPrecision, scale: 15, bound: maxLatitude, indexed: true, geocode: true})
		o.addField(&field{name: prefix + "Longitude", label: labelOf(prefix + "Longitude"), kind: typeDouble, precision: usualPrecision, scale: 15, bound: maxLongitude, geocode: true})
		o.addField(&field{
			name: prefix + "GeocodeAccuracy", label: labelOf(prefix + "GeocodeAccuracy"), kind: typePicklist, length: 40, restricted: true, geocode: true,
			values: strings.Fields("Address NearAddress Block Street ExtendedZip Zip Neighborhood City County State Unknown"),
		})
	} else {
		o.addField(&field{name: prefix + "__Latitude__s", label: def.label + " (Latitude)", kind: typeDouble, precision: usualPrecision, scale: 15, bound: maxLatitude, indexed: true, required: def.required})
		o.addField(&field{name: prefix + "__Longitude__s", label: def.label + " (Longitude)", kind: typeDouble, precision: usualPrecision, scale: 15, bound: maxLongitude, required: def.required})
	}
	for p := range strings.FieldsSeq(parts) {
		key, ending, _ := strings.Cut(p, ":")
		f := o.field(prefix + ending)
		if f == nil {
			return fmt.Errorf("%s needs a field %s", def.name, prefix+ending)
		}
		c.parts = append(c.parts, part{key, f})
	}
	o.compounds = append(o.compounds, c)
	return nil
}

func (o *object) addField(f *field) {
	o.fields = append(o.fields, f)
	o.byName[strings.ToLower(f.name)] = f
	if f.rel != "" {
		o.byRel[strings.ToLower(f.rel)] = f
	}
}

// keepCompounds leaves those of the compounds whose parts all are left.
func (o *object) keepCompounds(all []*compound) {
	o.compounds = nil
	for _, c := range all {
		kept := &compound{name: c.name, label: c.label, kind: c.kind}
		for _, p := range c.parts {
			if f := o.field(p.field.name); f != nil {
				kept.parts = append(kept.parts, part{p.key, f})
			}
		}
		if len(kept.parts) == len(c.parts) {
			o.compounds = append(o.compounds, kept)
		}
	}
}

// compoundColumn refers to a compound of the one entity a path leads to.
func compoundColumn(t target, name string) *reference {
	c := t.object.compound(name)
	if c == nil {
		return nil
	}
	return &reference{field: c.as(), compound: c, alias: t.alias}
}

// compoundNode puts a compound into a record.
func (b *builder) compoundNode(r *reference) *node {
	n := &node{name: r.field.name, kind: compoundNode, field: r.field}
	for _, p := range r.compound.parts {
		n.children = append(n.children, &node{name: p.key, field: p.field, column: b.column(r.alias + "." + p.field.column())})
	}
	return n
}

// appendCompound writes a compound: null when it has no value, and a place also when it has half of one.
func appendCompound(buf []byte, n *node, row []any) []byte {
	given := 0
	for _, p := range n.children {
		if row[p.column] != nil {
			given++
		}
	}
	if given == 0 || n.field.kind == typeLocation && given < len(n.children) {
		return append(buf, "null"...)
	}
	for i, p := range n.children {
		buf = append(buf, ",{"[bit(i == 0)])
		buf = appendString(buf, p.name)
		buf = append(buf, ':')
		buf = appendValue(buf, p.field.kind, row[p.column])
	}
	return append(buf, '}')
}

// near is a compiled DISTANCE: what a radius around the place means for its columns.
type near struct {
	lat, lon         string // columns
	atLat, atLon     float64
	kilometres, mile bool
}

// The mean radius of the earth.
const (
	earthKilometres = 6371.0088
	earthMiles      = 3958.7613
)

// distance compiles DISTANCE(field, GEOLOCATION(lat, lon), 'mi'|'km').
func (s *scope) distance(d *soql.Distance) (*value, error) {
	f, isField := d.Field.(*soql.Field)
	if !isField {
		return nil, atQuery("INVALID_FIELD", s.c.src, d.Pos, "DISTANCE takes a location or an address field")
	}
	r, err := s.resolve(f.Name, f.Pos)
	if err != nil {
		return nil, err
	}
	if r.compound == nil {
		return nil, atQuery("INVALID_FIELD", s.c.src, f.Pos, "field '%s' does not support DISTANCE: it is no location or address", r.field.name)
	}
	n := &near{lat: r.alias + "." + r.compound.part("latitude").column(), lon: r.alias + "." + r.compound.part("longitude").column()}
	if n.atLat, err = s.degrees(d.Lat, "Latitude", maxLatitude); err != nil {
		return nil, err
	}
	if n.atLon, err = s.degrees(d.Lon, "Longitude", maxLongitude); err != nil {
		return nil, err
	}
	switch strings.ToLower(d.Unit) {
	case "mi":
		n.mile = true
	case "km":
		n.kilometres = true
	default:
		return nil, atQuery("MALFORMED_QUERY", s.c.src, d.Pos, "Invalid distance unit '%s': use 'mi' or 'km'", d.Unit)
	}
	sql := "sandbox_distance(" + strings.Join([]string{n.lat, n.lon, formatFloat(n.atLat), formatFloat(n.atLon), formatFloat(n.radius())}, ", ") + ")"
	return &value{sql: sql, folded: sql, kind: typeDouble, name: r.field.name, near: n}, nil
}

func (n *near) radius() float64 {
	if n.mile {
		return earthMiles
	}
	return earthKilometres
}

func formatFloat(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0" // SQLite tells numbers with a fraction from whole ones
	}
	return s
}

// degrees reads a coordinate.
func (s *scope) degrees(v soql.Value, name string, most float64) (float64, error) {
	x, err := strconv.ParseFloat(v.Raw, 64)
	if err != nil || math.Abs(x) > most {
		return 0, atQuery("MALFORMED_QUERY", s.c.src, v.Pos, "%s must be between -%.0f and %.0f: it is %s", name, most, most, v.Raw)
	}
	return x, nil
}

// compareDistance compares a distance, which can be less or greater than another and nothing else. What lies within a
// radius is looked up by latitude before distances are worked out.
func (s *scope) compareDistance(out *sqlText, v *value, op soql.Op, lit soql.Value) error {
	if op != soql.Less && op != soql.Greater {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, lit.Pos, "DISTANCE only supports the operators < and >")
	}
	if lit.Kind != soql.Integer && lit.Kind != soql.Decimal {
		return s.wrongType(v, lit)
	}
	x, err := strconv.ParseFloat(lit.Raw, 64)
	if err != nil {
		return atQuery("MALFORMED_QUERY", s.c.src, lit.Pos, "%s is not a number", lit.Raw)
	}
	out.WriteString("(" + v.sql + " " + string(op) + " ")
	out.arg(x)
	if op == soql.Less {
		// A little more than the radius, since the figures are rounded.
		span := math.Max(x, 0)/v.near.radius()*180/math.Pi*1.0001 + 1e-6
		out.WriteString(" AND " + v.near.lat + " >= ")
		out.arg(v.near.atLat - span)
		out.WriteString(" AND " + v.near.lat + " <= ")
		out.arg(v.near.atLat + span)
	}
	out.WriteString(")")
	return nil
}

// haversine is the SQL function of the distance between two places on a globe of a radius: null when one is not known.
func haversine(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	var x [5]float64
	for i := range x {
		switch v := args[i].(type) {
		case float64:
			x[i] = v
		case int64:
			x[i] = float64(v)
		default:
			return nil, nil
		}
	}
	return distanceBetween(x[0], x[1], x[2], x[3], x[4]), nil
}

// distanceBetween is the way over the globe between two places given in degrees, in the unit of its radius.
func distanceBetween(lat1, lon1, lat2, lon2, radius float64) float64 {
	const rad = math.Pi / 180
	dLat, dLon := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	h := dLat*dLat + math.Cos(lat1*rad)*math.Cos(lat2*rad)*dLon*dLon
	return 2 * radius * math.Asin(math.Sqrt(math.Min(h, 1)))
}

// describeCompound says what may be done with a compound.
func describeCompound(obj *object, c *compound) map[string]any {
	d := describeField(obj, c.as())
	for _, never := range []string{"createable", "updateable", "permissionable", "sortable", "groupable", "aggregatable", "defaultedOnCreate"} {
		d[never] = false
	}
	d["filterable"], d["queryByDistance"], d["nillable"] = true, true, true
	d["length"], d["byteLength"] = 0, 0
	return d
}

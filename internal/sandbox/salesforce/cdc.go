package salesforce

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventField is a field of an event: a field of the entity, or a compound of several (Change Data Capture guide,
// "Compound Fields": names and addresses).
type eventField struct {
	name string
	f    *field
	sub  []eventField // of a compound
}

// eventFields lists what the change events of an entity carry, in the order of their schema.
func eventFields(obj *object) []eventField {
	var out []eventField
	compounds := map[string]int{}
	person := obj.field("FirstName") != nil && obj.field("LastName") != nil
	for _, f := range obj.fields {
		if unlogged(f) || person && f.name == "Name" {
			continue // of a name the parts tell
		}
		compound, name := eventCompound(obj, f, person)
		if compound == "" {
			out = append(out, eventField{name: f.name, f: f})
			continue
		}
		i, found := compounds[compound]
		if !found {
			i = len(out)
			compounds[compound] = i
			out = append(out, eventField{name: compound})
		}
		out[i].sub = append(out[i].sub, eventField{name: name, f: f})
	}
	return out
}

// eventCompound tells which compound a field is part of, "" for none, and its name there.
func eventCompound(obj *object, f *field, person bool) (compound, part string) {
	if person && (f.name == "FirstName" || f.name == "LastName" || f.name == "Salutation") {
		return "Name", f.name
	}
	switch c := obj.compoundOf(f); {
	case c == nil:
		return "", f.name
	case c.kind == typeLocation:
		return c.name, strings.TrimSuffix(strings.TrimPrefix(f.name, strings.TrimSuffix(c.name, "__c")+"__"), "__s")
	default:
		return c.name, strings.TrimPrefix(f.name, strings.TrimSuffix(c.name, "Address"))
	}
}

// eventSchema is the shape of an event: its Avro schema, and the id that names it.
type eventSchema struct {
	id     string
	text   string
	obj    *object
	fields []eventField
	change bool // of a record; else a platform event
}

const changeHeaderSchema = `{"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[` +
	`{"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},` +
	`{"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},` +
	`{"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},{"name":"sequenceNumber","type":"int"},` +
	`{"name":"commitTimestamp","type":"long"},{"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},` +
	`{"name":"nulledFields","type":{"type":"array","items":"string"}},{"name":"diffFields","type":{"type":"array","items":"string"}},` +
	`{"name":"changedFields","type":{"type":"array","items":"string"}}]}}`

// newEventSchema builds the schema of an entity's change events, or of a platform event.
func newEventSchema(obj *object) *eventSchema {
	s := &eventSchema{obj: obj, change: !obj.event, fields: eventFields(obj)}
	name, first := channelOf(obj), changeHeaderSchema
	if obj.event {
		name, first = obj.name, `{"name":"CreatedDate","type":"long","doc":"CreatedDate:DateTime"},{"name":"CreatedById","type":"string","doc":"CreatedBy:EntityId"}`
		s.fields = slices.DeleteFunc(s.fields, func(f eventField) bool {
			return f.f != nil && f.f.readOnly
		})
	}
	buf := append([]byte(`{"type":"record","name":"`+name+`","namespace":"com.sforce.eventbus","fields":[`), first...)
	named := map[string]bool{} // a named type is written out once (Avro 1.11, "Names")
	for _, f := range s.fields {
		buf = append(buf, ',')
		if f.sub == nil {
			buf = appendAvroField(buf, f)
			continue
		}
		kind := compoundType(f.name)
		buf = append(buf, `{"name":"`+f.name+`","type":["null",`...)
		if named[kind] {
			buf = append(buf, `"`+kind+`"],"default":null}`...)
			continue
		}
		named[kind] = true
		buf = append(buf, `{"type":"record","name":"`+kind+`","fields":[`...)
		for i, sub := range f.sub {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = appendAvroField(buf, sub)
		}
		buf = append(buf, `]}],"default":null}`...)
	}
	s.text = string(append(buf, "]}"...))
	sum := sha256.Sum256([]byte(s.text))
	s.id = base64.RawURLEncoding.EncodeToString(sum[:16])
	return s
}

func compoundType(name string) string {
	switch {
	case name == "Name":
		return "PersonName"
	case strings.HasSuffix(name, "__c"):
		return "Location"
	}
	return "Address"
}

func appendAvroField(buf []byte, f eventField) []byte {
	return append(buf, `{"name":"`+f.name+`","type":["null","`+avroType(f.f.kind)+`"],"doc":"`+f.f.name+":"+string(f.f.kind)+`","default":null}`...)
}

func avroType(kind fieldType) string {
	switch kind {
	case typeBoolean:
		return "boolean"
	case typeInt:
		return "int"
	case typeDouble, typeCurrency:
		return "double"
	case typeDate, typeDateTime:
		return "long"
	default:
		return "string"
	}
}

// eventSchemas are the schemas of all events by channel and by id. They never change once built.
type eventSchemas struct {
	byChannel map[string]*eventSchema
	byID      map[string]*eventSchema
}

func newEventSchemas(sc *schema) *eventSchemas {
	out := &eventSchemas{byChannel: map[string]*eventSchema{}, byID: map[string]*eventSchema{}}
	for _, obj := range sc.objects {
		if !obj.event && !obj.tracked() {
			continue
		}
		s := newEventSchema(obj)
		channel := "/event/" + obj.name
		if !obj.event {
			channel = "/data/" + channelOf(obj)
		}
		out.byChannel[channel], out.byID[s.id] = s, s
	}
	return out
}

// schemaFor is the schema of a logged change, nil when its entity was taken away.
func (o *Org) schemaFor(c *change) *eventSchema {
	if c.kind == kindEvent {
		return o.events.byChannel[c.channel]
	}
	return o.events.byChannel["/data/"+c.channel]
}

// changedNames lists the fields of a change; a part of a compound as Compound.Part.
func (s *eventSchema) changedNames(r record) (changed []string) {
	walk(s.fields, func(path string, f *field, _, _ int) {
		if _, found := r[f.name]; found {
			changed = append(changed, path)
		}
	})
	return changed
}

// walk visits the leaves with their position in the schema, and within their compound (-1: none).
func walk(fields []eventField, visit func(path string, f *field, at, in int)) {
	for i, f := range fields {
		if f.sub == nil {
			visit(f.name, f.f, i, -1)
			continue
		}
		for k, sub := range f.sub {
			visit(f.name+"."+sub.name, sub.f, i, k)
		}
	}
}

// bitmaps writes the positions of changed fields as the Pub/Sub API does: bit n of a number in hex stands for the n-th
// field of the schema, the header being the first; parts of a compound follow as position-bitmap.
func (s *eventSchema) bitmaps(r record, want func(v any) bool) []string {
	top, nested, order := new(big.Int), map[int]*big.Int{}, []int{}
	walk(s.fields, func(_ string, f *field, at, in int) {
		v, found := r[f.name]
		switch {
		case !found || !want(v):
		case in < 0:
			top.SetBit(top, at+1, 1)
		default:
			if nested[at] == nil {
				nested[at] = new(big.Int)
				order = append(order, at)
			}
			nested[at].SetBit(nested[at], in, 1)
		}
	})
	var out []string
	if top.Sign() > 0 {
		out = append(out, hexMap(top))
	}
	for _, at := range order {
		out = append(out, itoa(at+1)+"-"+hexMap(nested[at]))
	}
	return out
}

func hexMap(n *big.Int) string { return "0x" + strings.ToUpper(hex.EncodeToString(n.Bytes())) }

// header is what a change event says of the change.
type changeHeader struct {
	EntityName      string   `json:"entityName"`
	RecordIDs       []string `json:"recordIds"`
	ChangeType      string   `json:"changeType"`
	ChangeOrigin    string   `json:"changeOrigin"`
	TransactionKey  string   `json:"transactionKey"`
	SequenceNumber  int64    `json:"sequenceNumber"`
	CommitTimestamp int64    `json:"commitTimestamp"` // ms
	CommitNumber    int64    `json:"commitNumber"`
	CommitUser      string   `json:"commitUser"`
	ChangedFields   []string `json:"changedFields"`

	// The Pub/Sub API has these besides (Change Data Capture guide, "Change Event Message Structure").
	NulledFields []string `json:"-"`
	DiffFields   []string `json:"-"`
}

func headerOf(s *eventSchema, c *change) changeHeader {
	ids := strings.Split(c.id, ",")
	if c.id == "" {
		ids = []string{} // of an overflow
	}
	return changeHeader{
		EntityName: s.obj.name, RecordIDs: ids, ChangeType: string(c.kind), ChangeOrigin: c.origin, TransactionKey: c.txn, SequenceNumber: c.n,
		CommitTimestamp: c.at.UnixMilli(), CommitNumber: cmp.Or(c.commit, c.seq), CommitUser: c.user,
		NulledFields: []string{}, DiffFields: []string{}, ChangedFields: []string{},
	}
}

// message writes a change as the streaming API delivers it to a user of a topic, without the channel; nil: it is not for the user.
func (o *Org) message(ctx context.Context, c *change, v *view, user, topic string) ([]byte, error) {
	if c.kind == kindTopic {
		return o.topicMessage(c, v)
	}
	if c.kind == kindPush {
		return pushMessage(c, user)
	}
	s, r, err := o.visible(ctx, c, v, topic)
	if s == nil {
		return nil, err
	}
	buf := []byte(`{"schema":"` + s.id + `","payload":{`)
	if s.change {
		h := headerOf(s, c)
		if c.kind == kindUpdate {
			h.ChangedFields = append(h.ChangedFields, s.changedNames(r)...)
		}
		raw, err := json.Marshal(h)
		if err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
		buf = append(append(buf, `"ChangeEventHeader":`...), raw...)
	} else {
		buf = append(eventMoment(append(buf, `"CreatedDate":"`...), c.at), `","CreatedById":"`+c.user+`"`...)
	}
	buf = appendPayload(buf, s, c.with(r))
	buf = append(buf, `},"event":{`...)
	if !s.change {
		buf = append(appendString(append(buf, `"`+eventUUIDKey+`":`...), c.uuid()), ',')
	}
	buf = append(buf, `"replayId":`...)
	buf = strconv.AppendInt(buf, c.seq, 10)
	return append(buf, "}}"...), nil
}

// eventTime is how events write moments, see eventMoment.
const eventTime = "2006-01-02T15:04:05.000Z"

// appendPayload writes the values a change has, compounds as objects of the parts that are there. A platform event has all
// its fields, null where nothing was given.
func appendPayload(buf []byte, s *eventSchema, r record) []byte {
	for _, f := range s.fields {
		if f.sub == nil {
			if v, found := r[f.f.name]; found || !s.change {
				buf = appendMember(append(buf, ','), f.name, f.f, v)
			}
			continue
		}
		open := false
		for _, sub := range f.sub {
			v, found := r[sub.f.name]
			if !found {
				continue
			}
			if !open {
				buf = append(buf, `,"`+f.name+`":{`...)
			} else {
				buf = append(buf, ',')
			}
			open = true
			buf = appendMember(buf, sub.name, sub.f, v)
		}
		if open {
			buf = append(buf, '}')
		}
	}
	return buf
}

func appendMember(buf []byte, name string, f *field, v any) []byte {
	buf = append(appendString(buf, name), ':')
	if ms, isInt := v.(int64); isInt && f.kind == typeDateTime {
		return append(eventMoment(append(buf, '"'), time.UnixMilli(ms)), '"')
	}
	if diff, isDiff := v.(textDiff); isDiff {
		return append(appendString(append(buf, `{"diff":`...), string(diff)), '}')
	}
	if v == nil {
		return append(buf, "null"...)
	}
	return appendValue(buf, f.kind, v)
}

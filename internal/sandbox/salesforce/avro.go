package salesforce

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// Avro's binary encoding (Avro 1.11 specification, "Binary Encoding") of the schemas that newEventSchema makes.

func appendLong(buf []byte, n int64) []byte { return binary.AppendVarint(buf, n) } // zig-zag, as Avro has it

func appendText(buf []byte, s string) []byte {
	return append(appendLong(buf, int64(len(s))), s...)
}

func appendTexts(buf []byte, list []string) []byte {
	if len(list) > 0 {
		buf = appendLong(buf, int64(len(list)))
		for _, s := range list {
			buf = appendText(buf, s)
		}
	}
	return appendLong(buf, 0)
}

// changeSymbols are the places of the kinds in the enumeration of the header's schema.
func changeSymbol(kind changeKind) int64 {
	return int64(max(0, slices.Index(changeTypes, kind)))
}

// avro encodes an event.
func (s *eventSchema) avro(c *change, r record) []byte {
	buf := make([]byte, 0, 512)
	if s.change {
		h := headerOf(s, c)
		if c.kind == kindUpdate {
			h.ChangedFields = s.bitmaps(r, func(any) bool { return true })
			h.NulledFields = s.bitmaps(r, func(v any) bool { return v == nil })
			h.DiffFields = s.bitmaps(r, func(v any) bool { _, isDiff := v.(textDiff); return isDiff })
		}
		buf = appendText(buf, h.EntityName)
		buf = appendTexts(buf, h.RecordIDs)
		buf = appendLong(buf, changeSymbol(c.kind))
		buf = appendText(appendText(buf, h.ChangeOrigin), h.TransactionKey)
		buf = appendLong(appendLong(appendLong(buf, h.SequenceNumber), h.CommitTimestamp), h.CommitNumber)
		buf = appendText(buf, h.CommitUser)
		buf = appendTexts(appendTexts(appendTexts(buf, h.NulledFields), h.DiffFields), h.ChangedFields)
	} else {
		buf = appendText(appendLong(buf, c.at.UnixMilli()), c.user)
	}
	r = c.with(r)
	for _, f := range s.fields {
		if f.sub == nil {
			buf = appendUnion(buf, f.f, r[f.f.name])
			continue
		}
		if !slices.ContainsFunc(f.sub, func(sub eventField) bool { return r[sub.f.name] != nil }) {
			buf = appendLong(buf, 0)
			continue
		}
		buf = appendLong(buf, 1)
		for _, sub := range f.sub {
			buf = appendUnion(buf, sub.f, r[sub.f.name])
		}
	}
	return buf
}

// appendUnion writes null, or the second branch and a stored value.
func appendUnion(buf []byte, f *field, v any) []byte {
	if v == nil {
		return appendLong(buf, 0)
	}
	buf = appendLong(buf, 1)
	switch x := v.(type) {
	case int64:
		switch f.kind {
		case typeBoolean:
			return append(buf, byte(x&1))
		case typeDouble, typeCurrency:
			return binary.LittleEndian.AppendUint64(buf, math.Float64bits(float64(x)))
		default:
			return appendLong(buf, x)
		}
	case float64:
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(x))
	case textDiff:
		return appendText(buf, string(x))
	case string:
		if f.kind != typeDate {
			return appendText(buf, x)
		}
		if t, err := time.Parse(time.DateOnly, x); err == nil {
			return appendLong(buf, t.UnixMilli())
		}
	}
	buf[len(buf)-1] = 0 // of no known form: null after all
	return buf
}

// errAvro is a payload that is not of its schema.
var errAvro = errors.New("the payload does not have the form of its schema")

// avroReader reads a payload; the first fault ends it.
type avroReader struct {
	buf []byte
	bad bool
}

func (r *avroReader) fail() { r.buf, r.bad = nil, true }

func (r *avroReader) long() int64 {
	n, size := binary.Varint(r.buf)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *avroReader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.buf)) {
		r.fail()
		return nil
	}
	out := r.buf[:n]
	r.buf = r.buf[n:]
	return out
}

func (r *avroReader) text() string { return string(r.take(r.long())) }

func (r *avroReader) double() float64 {
	raw := r.take(8)
	if raw == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(raw))
}

// decode reads the fields of a published event: texts, numbers, booleans and moments in the form checkDecoded takes.
func (s *eventSchema) decode(payload []byte) (map[string]any, error) {
	r := &avroReader{buf: payload}
	r.long() // CreatedDate and CreatedById are the platform's to set
	r.text()
	out := map[string]any{}
	for _, f := range s.fields {
		branch := r.long()
		if r.bad || branch == 0 {
			continue
		}
		if branch != 1 || f.sub != nil {
			return nil, errAvro
		}
		switch f.f.kind {
		case typeBoolean:
			raw := r.take(1)
			out[f.name] = len(raw) == 1 && raw[0] == 1
		case typeInt:
			out[f.name] = r.long()
		case typeDouble, typeCurrency:
			out[f.name] = r.double()
		case typeDate, typeDateTime:
			out[f.name] = time.UnixMilli(r.long()).UTC().Format(wireTime)
		default:
			out[f.name] = strings.ToValidUTF8(r.text(), "\uFFFD")
		}
	}
	if r.bad || len(r.buf) > 0 {
		return nil, errAvro
	}
	return out, nil
}

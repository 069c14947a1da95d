package salesforce

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/linkedin/goavro/v2"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/errs"
)

// maxPayload bounds an event's payload, in bytes; the platform's own bound is 1 MB.
const maxPayload = 1 << 20

// eventCodec reads the events of one schema. It is safe for concurrent use.
type eventCodec struct {
	codec *goavro.Codec
	names []string // of the schema's fields in order, which the bitmaps of the header count by
}

// maxItems bounds a list within an event. The library makes room for as many items as a list says it has before it reads one.
const maxItems = 100_000

// boundAvro sets the library's bounds, which are its own for the whole program.
var boundAvro = sync.OnceFunc(func() { goavro.MaxBlockCount, goavro.MaxBlockSize = maxItems, maxPayload }) //nolint:gochecknoglobals // once

func newEventCodec(schema string) (*eventCodec, error) {
	boundAvro()
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the schema of an event cannot be read")
	}
	var s struct {
		Fields []struct {
			Name string `json:"name"`
		} `json:"fields"`
	}
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the schema of an event cannot be read")
	}
	c := &eventCodec{codec: codec}
	for _, f := range s.Fields {
		c.names = append(c.names, f.Name)
	}
	return c, nil
}

// gap kinds say that the platform could not tell the fields of a change, or could not tell the changes at all.
const (
	gapPrefix   = "GAP_"
	gapOverflow = "GAP_OVERFLOW"
)

// decode reads a change event; overflow is true when it says that events were lost.
func (e *eventCodec) decode(payload []byte) (ch crm.Change, overflow bool, err error) {
	unreadable := errs.New(errs.Unavailable, "a change event cannot be read by its schema")
	if len(payload) > maxPayload {
		return ch, false, unreadable
	}
	native, _, err := e.codec.NativeFromBinary(payload)
	if err != nil {
		return ch, false, unreadable // its text could quote the event
	}
	rec, _ := native.(map[string]any)
	header, _ := rec["ChangeEventHeader"].(map[string]any)
	if header == nil {
		return ch, false, errs.New(errs.Invalid, "the event is none of a changed record")
	}
	ch.Object, _ = header["entityName"].(string)
	ch.IDs = texts(header["recordIds"])
	if ms, ok := header["commitTimestamp"].(int64); ok {
		ch.At = time.UnixMilli(ms).UTC()
	}
	kind, _ := header["changeType"].(string)
	if kind == gapOverflow {
		return ch, true, nil
	}
	ch.Kind = map[string]crm.ChangeKind{"CREATE": crm.Created, "UPDATE": crm.Updated, "DELETE": crm.Deleted, "UNDELETE": crm.Undeleted}[strings.TrimPrefix(kind, gapPrefix)]
	if ch.Kind == "" {
		ch.Kind = crm.Updated // a snapshot, or a kind to come: look at the record
	}
	if strings.HasPrefix(kind, gapPrefix) || len(texts(header["diffFields"])) > 0 {
		return ch, false, nil // of a large text comes what differs: the record has to be read for it
	}
	ch.Fields = e.fields(rec, ch.Kind, header)
	return ch, false, nil
}

// fields returns the values of a new record that are there, and of a changed one those that changed.
func (e *eventCodec) fields(rec map[string]any, kind crm.ChangeKind, header map[string]any) map[string]any {
	changed := map[string]bool{}
	for _, list := range []string{"changedFields", "nulledFields", "diffFields"} {
		for _, name := range e.named(texts(header[list])) {
			changed[name] = true
		}
	}
	out := map[string]any{}
	for name, v := range rec {
		v = plain(v)
		if name != "ChangeEventHeader" && (changed[name] || kind != crm.Updated && v != nil) {
			out[name] = v
		}
	}
	return out
}

// named resolves the header's bitmaps: "0x2C" has a bit for each field of the schema, the lowest for the first, and
// "5-0x03" for those inside the compound field 5 (Pub/Sub API guide, "Event Deserialization Considerations").
func (e *eventCodec) named(bitmaps []string) (names []string) {
	for _, b := range bitmaps {
		if index, _, nested := strings.Cut(b, "-"); nested {
			if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(e.names) {
				names = append(names, e.names[i])
			}
			continue
		}
		digits := strings.TrimPrefix(strings.ToLower(b), "0x")
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) > 1024 {
			continue
		}
		for i := range e.names {
			at := len(raw) - 1 - i/8
			if at >= 0 && raw[at]>>(i%8)&1 == 1 {
				names = append(names, e.names[i])
			}
		}
	}
	return names
}

// plain takes the value out of an Avro union, {"string": v}, and those inside a compound.
func plain(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if len(m) == 1 {
		for branch, inner := range m {
			switch branch {
			case "string", "long", "int", "double", "float", "boolean", "bytes":
				return inner
			}
			if sub, ok := inner.(map[string]any); ok {
				return plainAll(sub)
			}
		}
	}
	return plainAll(m)
}

func plainAll(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name, v := range m {
		out[name] = plain(v)
	}
	return out
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

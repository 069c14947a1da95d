package flow

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// JSON writes the session as encoding/json would, in half the time: a hub stores each session at each wait. It is not called
// MarshalJSON, whose result the library would read through once more.
// What it writes is what the fields' tags say.
func (s *Session) JSON() ([]byte, error) {
	w := objectWriter{b: make([]byte, 0, 1024)}
	w.begin()
	w.name("flowId")
	w.b = appendString(w.b, s.FlowID)
	w.name("pin")
	w.b = appendString(w.b, s.Pin)
	w.name("contact")
	s.Contact.append(&w)
	w.name("started")
	w.b = appendTime(w.b, s.Started)
	if len(s.Vars) > 0 {
		w.name("vars")
		w.b = appendValue(w.b, map[string]any(s.Vars))
	}
	members(&w, "outputs", s.Outputs, func(b []byte, v Values) []byte { return appendValue(b, map[string]any(v)) })
	s.appendThreads(&w)
	if err := s.appendWaiting(&w); err != nil {
		return nil, err
	}
	w.number("placement", int64(s.Placement))
	members(&w, "loops", s.Loops, func(b []byte, v int) []byte { return strconv.AppendInt(b, int64(v), 10) })
	w.flag("talking", s.Talking)
	w.flag("hungUp", s.HungUp)
	w.flag("hangupSent", s.HangupSent)
	w.flag("left", s.Left)
	w.flag("contactOver", s.ContactOver)
	w.flag("over", s.Over)
	w.number("lastCommand", int64(s.LastCommand))
	w.number("lastThread", int64(s.LastThread))
	return w.end(), nil
}

func (c *Contact) append(w *objectWriter) {
	inner := objectWriter{b: w.b}
	inner.begin()
	inner.name("id")
	inner.b = appendString(inner.b, c.ID)
	inner.text("ani", c.ANI)
	inner.text("dnis", c.DNIS)
	inner.text("entryPointId", c.EntryPointID)
	inner.text("entryPointName", c.EntryPointName)
	inner.text("orgId", c.OrgID)
	inner.text("channel", c.Channel)
	inner.text("direction", c.Direction)
	inner.text("language", c.Language)
	members(&inner, "headers", c.Headers, appendString)
	w.b = inner.end()
}

func (s *Session) appendThreads(w *objectWriter) {
	if len(s.Threads) == 0 {
		return
	}
	w.name("threads")
	w.b = append(w.b, '[')
	for i, t := range s.Threads {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		inner := objectWriter{b: w.b}
		inner.begin()
		inner.name("id")
		inner.b = strconv.AppendInt(inner.b, int64(t.ID), 10)
		inner.text("handler", string(t.Handler))
		inner.text("node", string(t.Node))
		inner.number("wait", int64(t.Wait))
		inner.text("queue", string(t.Queue))
		inner.flag("failing", t.Failing)
		inner.flag("quiet", t.Quiet)
		inner.flag("closing", t.Closing)
		inner.number("tries", int64(t.Tries))
		if len(t.Stack) > 0 {
			inner.name("stack")
			sep := byte('[')
			for _, id := range t.Stack {
				inner.b = appendString(append(inner.b, sep), string(id))
				sep = ','
			}
			inner.b = append(inner.b, ']')
		}
		if !t.Since.IsZero() {
			inner.name("since")
			inner.b = appendTime(inner.b, t.Since)
		}
		w.b = inner.end()
	}
	w.b = append(w.b, ']')
}

func (s *Session) appendWaiting(w *objectWriter) error {
	if len(s.Waiting) == 0 {
		return nil
	}
	w.name("waiting")
	w.b = append(w.b, '[')
	for i := range s.Waiting {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		data, err := json.Marshal(&s.Waiting[i])
		if err != nil {
			return wrapf(err, "writing an outstanding command")
		}
		w.b = append(w.b, data...)
	}
	w.b = append(w.b, ']')
	return nil
}

// appendTime writes a moment as time.Time does.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// objectWriter appends one JSON object. Members that are empty are left out by text, number and flag.
type objectWriter struct {
	b     []byte
	count int
}

func (w *objectWriter) begin() { w.b = append(w.b, '{') }

func (w *objectWriter) end() []byte { return append(w.b, '}') }

func (w *objectWriter) name(n string) {
	if w.count > 0 {
		w.b = append(w.b, ',')
	}
	w.count++
	w.b = append(appendString(w.b, n), ':')
}

func (w *objectWriter) text(n, v string) {
	if v != "" {
		w.name(n)
		w.b = appendString(w.b, v)
	}
}

func (w *objectWriter) number(n string, v int64) {
	if v != 0 {
		w.name(n)
		w.b = strconv.AppendInt(w.b, v, 10)
	}
}

func (w *objectWriter) flag(n string, v bool) {
	if v {
		w.name(n)
		w.b = append(w.b, "true"...)
	}
}

// members writes a map as an object with sorted names, unless it is empty.
func members[K ~string, V any](w *objectWriter, name string, m map[K]V, value func([]byte, V) []byte) {
	if len(m) == 0 {
		return
	}
	w.name(name)
	inner := objectWriter{b: w.b}
	inner.begin()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		inner.name(string(k))
		inner.b = value(inner.b, m[k])
	}
	w.b = inner.end()
}

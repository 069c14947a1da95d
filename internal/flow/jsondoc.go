package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDocDepth is how deep a document from outside may be nested.
const maxDocDepth = 256

var (
	errJSON     = errors.New("it is not JSON")
	errDocDepth = errors.New("it is nested too deep")
)

// decodeJSON decodes one JSON text with its numbers as written (json.Number). Answers of other systems are decoded on the
// way of every call, and this takes a third of the time of encoding/json.
func decodeJSON(data []byte) (any, error) {
	d := docReader{data: string(data)}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.pos != len(d.data) {
		return nil, errTrailing
	}
	return v, nil
}

type docReader struct {
	data string
	pos  int
}

func (d *docReader) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// next skips blanks and returns the next byte without taking it; 0 at the end.
func (d *docReader) next() byte {
	d.space()
	if d.pos == len(d.data) {
		return 0
	}
	return d.data[d.pos]
}

func (d *docReader) value(depth int) (any, error) {
	if depth > maxDocDepth {
		return nil, errDocDepth
	}
	switch c := d.next(); {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '"':
		return d.text()
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	return d.word()
}

func (d *docReader) word() (any, error) {
	rest := d.data[d.pos:]
	switch {
	case strings.HasPrefix(rest, "true"):
		d.pos += 4
		return true, nil
	case strings.HasPrefix(rest, "false"):
		d.pos += 5
		return false, nil
	case strings.HasPrefix(rest, "null"):
		d.pos += 4
		return nil, nil
	}
	return nil, errJSON
}

func (d *docReader) object(depth int) (any, error) {
	d.pos++
	m := make(map[string]any)
	if d.next() == '}' {
		d.pos++
		return m, nil
	}
	for {
		if d.next() != '"' {
			return nil, errJSON
		}
		k, err := d.text()
		if err != nil {
			return nil, err
		}
		if d.next() != ':' {
			return nil, errJSON
		}
		d.pos++
		if m[k], err = d.value(depth + 1); err != nil {
			return nil, err
		}
		if more, err := d.more('}'); !more {
			return m, err
		}
	}
}

func (d *docReader) array(depth int) (any, error) {
	d.pos++
	l := []any{}
	if d.next() == ']' {
		d.pos++
		return l, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
		if more, err := d.more(']'); !more {
			return l, err
		}
	}
}

// more takes a comma, or the end of a list.
func (d *docReader) more(end byte) (bool, error) {
	c := d.next()
	d.pos++
	switch c {
	case ',':
		return true, nil
	case end:
		return false, nil
	}
	return false, errJSON
}

func (d *docReader) text() (string, error) {
	begin := d.pos + 1
	for i := begin; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			return d.data[begin:i], nil
		case c == '\\' || c < 0x20 || c >= utf8.RuneSelf:
			return d.unquote(begin, i)
		}
	}
	return "", errJSON
}

// unquote reads a text with escapes or bytes above ASCII by the library.
func (d *docReader) unquote(begin, i int) (string, error) {
	for ; i < len(d.data); i++ {
		switch d.data[i] {
		case '\\':
			i++
		case '"':
			var s string
			if err := json.Unmarshal([]byte(d.data[begin-1:i+1]), &s); err != nil {
				return "", errJSON
			}
			d.pos = i + 1
			return s, nil
		}
	}
	return "", errJSON
}

func (d *docReader) number() (any, error) {
	s, err := d.digits()
	if err != nil {
		return nil, err
	}
	return json.Number(s), nil
}

func (d *docReader) digits() (string, error) {
	begin := d.pos
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		d.pos++
	}
	s := d.data[begin:d.pos]
	if !isNumber(s) {
		return "", errJSON
	}
	return s, nil
}

// isNumber reports whether s is a number as RFC 8259 §6 has it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	n := digits(s)
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	s = s[n:]
	if strings.HasPrefix(s, ".") {
		if n = digits(s[1:]); n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n = digits(s)
		return n > 0 && n == len(s)
	}
	return s == ""
}

func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// DecodeObject reads one JSON object with its numbers as written (json.Number), for importers: real files have fields that are
// absent, null or of another type than expected, and a decoded object shows them all.
func DecodeObject(data []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, wrapf(err, "reading a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	if m == nil {
		return nil, errors.New("it is not an object")
	}
	return m, nil
}

// ParseNumber reads a finite number from a text with blanks around it; 0 and false if it is none.
func ParseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

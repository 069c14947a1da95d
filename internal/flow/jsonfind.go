package flow

import (
	"strings"
	"unicode/utf8"

	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// valid reports whether the text is one JSON document, without building anything.
func (d *docReader) valid() bool {
	d.pos = 0
	if d.next() == 0 || d.skip(0) != nil {
		return false
	}
	d.space()
	return d.pos == len(d.data)
}

// find decodes the value that a plain path leads to, in a text that is valid. Of members with one name the last counts, as
// when the whole document is decoded.
func (d *docReader) find(steps []jsonpath.Step) (any, error) {
	d.pos = 0
	for i := range steps {
		var at int
		if steps[i].List {
			at = d.element(steps[i].Index)
		} else {
			at = d.member(steps[i].Name)
		}
		if at < 0 {
			return nil, jsonpath.ErrNotFound
		}
		d.pos = at
	}
	v, err := d.value(0)
	if s, ok := v.(string); ok {
		v = strings.Clone(s) // or a variable would keep the whole answer in memory
	}
	return v, err
}

// member is where the value of a member begins; -1 if the value at hand is no object or has no such member.
func (d *docReader) member(name string) int {
	if d.next() != '{' {
		return -1
	}
	d.pos++
	at := -1
	for d.next() == '"' {
		k, err := d.text()
		if err != nil || d.next() != ':' {
			return -1
		}
		d.pos++
		d.space()
		if k == name {
			at = d.pos
		}
		if d.skip(0) != nil {
			return -1
		}
		if more, _ := d.more('}'); !more {
			break
		}
	}
	return at
}

// element is where an element of a list begins; -1 if the value at hand is no list or has no such element.
func (d *docReader) element(index int64) int {
	if d.next() != '[' {
		return -1
	}
	begin := d.pos
	if index < 0 {
		index += d.length()
		d.pos = begin
	}
	if index < 0 {
		return -1
	}
	d.pos++
	for d.next() != ']' {
		if index == 0 {
			return d.pos
		}
		index--
		if d.skip(0) != nil {
			return -1
		}
		if more, _ := d.more(']'); !more {
			break
		}
	}
	return -1
}

// length counts the elements of the list at hand.
func (d *docReader) length() (n int64) {
	d.pos++
	for d.next() != ']' {
		n++
		if d.skip(0) != nil {
			return 0
		}
		if more, _ := d.more(']'); !more {
			break
		}
	}
	return n
}

// skip passes over one value, which it checks as value does.
func (d *docReader) skip(depth int) error {
	if depth > maxDocDepth {
		return errDocDepth
	}
	switch c := d.next(); {
	case c == '{':
		return d.skipList(depth, '}')
	case c == '[':
		return d.skipList(depth, ']')
	case c == '"':
		return d.skipText()
	case c == '-' || c >= '0' && c <= '9':
		_, err := d.digits()
		return err
	}
	_, err := d.word()
	return err
}

// skipList passes over an object or a list.
func (d *docReader) skipList(depth int, end byte) error {
	d.pos++
	if d.next() == end {
		d.pos++
		return nil
	}
	for {
		if end == '}' {
			if d.next() != '"' {
				return errJSON
			}
			if err := d.skipText(); err != nil {
				return err
			}
			if d.next() != ':' {
				return errJSON
			}
			d.pos++
		}
		if err := d.skip(depth + 1); err != nil {
			return err
		}
		if more, err := d.more(end); !more {
			return err
		}
	}
}

func (d *docReader) skipText() error {
	begin := d.pos + 1
	for i := begin; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			return nil
		case c == '\\' || c < 0x20 || c >= utf8.RuneSelf:
			_, err := d.unquote(begin, i)
			return err
		}
	}
	return errJSON
}

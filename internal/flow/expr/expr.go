// Package expr evaluates the template language of Webex Contact Center flows: Pebble (https://pebbletemplates.io) with
// Cisco's additions, the function now() and the filter epoch. A template is compiled once with [Parse] and rendered as
// often as needed with [Template.Render].
//
// The results are those of the Java engine, type by type: integers divide by truncation, int and long overflow
// silently, "a" + 1 concatenates, "b" > "a" fails, doubles print as Java prints them, string offsets count UTF-16 units
// and dates follow SimpleDateFormat, lenient parsing included. It departs from the engine in these points, each on
// purpose:
//
//   - Evaluation is bounded in steps, bytes and depth ([Limits]), and never changes a value of [Env].Vars: sort and
//     reverse return copies, and methods that change a list or map do not exist.
//   - Only the read-only methods of strings, numbers, lists and maps can be called; there is no reflection.
//   - Tags that load other templates (extends, include, import, embed, from) and cache are refused by Parse.
//   - Output is not escaped for HTML unless a template asks for it; the caller can install [Env].Escape.
//   - The contact objects of the platform ([SystemObjects]) resolve their attributes, and NewContact for NewPhoneContact
//     and the reverse, without regard to case when the exact name is absent, because exported flows spell them both ways.
//
// Everything here is pure: no I/O, no clock but [Env].Now.
package expr

import (
	"time"
)

// MaxSource is the longest template text, in bytes, that [Parse] accepts.
const MaxSource = 256 << 10

// Env is what a template is evaluated against. It is only read, so one Env may serve several goroutines at once as long
// as nobody writes to it.
type Env struct {
	// Vars holds the variables by name: string, bool, int64, float64, map[string]any, []any, time.Time or nil, nested
	// at will. Other Go integer types and json.Number are taken for the number they hold.
	Vars map[string]any
	// Now is the clock behind now(); nil means time.Now.
	Now func() time.Time
	// Strict makes a missing variable or attribute an error, as Pebble's strictVariables does. Otherwise it reads as
	// null and renders as nothing.
	Strict bool
	// Zone is the time zone in which dates without a zone are read and written; nil means UTC.
	Zone *time.Location
	// Limits bounds the evaluation; the zero value means the defaults.
	Limits Limits
	// Escape is applied to each value that {{ }} writes, never to the literal text around it; nil writes values as
	// they are. It lets a caller make an interpolated value safe for a URL or a query.
	Escape func(value string) string
	// System says whether a root variable is an object of the platform, beyond SystemObjects, whose attributes may be
	// found without regard to case; nil means no others are.
	System func(name string) bool
}

// Limits bounds one evaluation. A zero field means its default, which keeps an evaluation below 10 ms and 10 MB; a
// larger value than the default is taken as the default.
type Limits struct {
	Steps int // evaluated nodes, loop rounds and list elements; default 20,000
	Bytes int // bytes of all strings, lists and maps that are built; default 1 MiB
}

// A Ref is one place where a template reads a variable of [Env].Vars.
type Ref struct {
	// Name is the variable and Path the longest dotted path of constant attributes, the name included:
	// "NewPhoneContact" and "NewPhoneContact.ANI".
	Name, Path string
	// Guarded tells that the template itself provides for a missing value: default, is null, is defined or is empty.
	Guarded bool
	Pos     int // byte offset in the source
	Line    int // from 1
	Col     int // from 1, in bytes
}

// SegmentKind tells what a [Segment] is.
type SegmentKind int

// The kinds of segments.
const (
	SegmentText    SegmentKind = iota // literal text
	SegmentOutput                     // {{ expression }}
	SegmentTag                        // {% tag %}
	SegmentComment                    // {# comment #}
)

// A Segment is one stretch of a template's source. The segments of a template, in order, make up the whole source.
type Segment struct {
	Kind  SegmentKind
	Text  string // the source text, delimiters included
	Pos   int    // byte offset of its start in the source
	Line  int    // from 1
	Col   int    // from 1, in bytes
	Refs  []Ref  // the variables read in it
	Value string // for SegmentOutput the expression without delimiters and blanks around it
}

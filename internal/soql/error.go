package soql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a fault in a query text. Msg is Salesforce's own wording ("unexpected token: 'X'").
type Error struct {
	Msg string
	Pos Pos
	Row int // from 1
	Col int // from 1, in characters
	src string
}

// Error returns the message and the place.
func (e *Error) Error() string {
	return fmt.Sprintf("%s at row %d, column %d", e.Msg, e.Row, e.Col)
}

// Caret returns the message in the form the REST API uses for faults it can point at: the line, a caret below the place,
// "ERROR at Row:r:Column:c" and the message.
func (e *Error) Caret() string { return Caret(e.src, e.Pos, e.Msg) }

func newError(src string, pos Pos, msg string) *Error {
	row, col, _ := locate(src, pos)
	return &Error{Msg: msg, Pos: pos, Row: row, Col: col, src: src}
}

// caretWindow bounds the length of the line a caret message repeats, in characters.
const caretWindow = 160

// Caret renders msg about the place pos of src in the caret form. A long line is cut around the place.
func Caret(src string, pos Pos, msg string) string {
	row, col, line := locate(src, pos)
	runes := []rune(line)
	at := col - 1
	if len(runes) > caretWindow {
		from := max(0, min(at-caretWindow/2, len(runes)-caretWindow))
		runes, at = runes[from:min(from+caretWindow, len(runes))], at-from
	}
	return fmt.Sprintf("\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s", string(runes), strings.Repeat(" ", at), row, col, msg)
}

// locate returns the row and column of pos, from 1, and the line it stands on.
func locate(src string, pos Pos) (row, col int, line string) {
	at := min(max(int(pos), 0), len(src))
	start := strings.LastIndexByte(src[:at], '\n') + 1
	end := len(src)
	if i := strings.IndexByte(src[at:], '\n'); i >= 0 {
		end = at + i
	}
	return strings.Count(src[:at], "\n") + 1, utf8.RuneCountInString(src[start:at]) + 1, src[start:end]
}

package salesforce

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a CSV file (Bulk API 2.0 guide, "Bulk API Limits").
const (
	maxCSVRecord = 400_000 // bytes of one record
	maxCSVFields = 5000
	maxCSVField  = 32_000 // characters of one value
)

// errCSV is a file that cannot be read on, errInput one that is not as the job says; rowError is one record that cannot be
// read.
var (
	errCSV   = errors.New("InvalidBatch")
	errInput = errors.New("ClientInputError")
)

type rowError struct{ reason string }

func (e *rowError) Error() string { return e.reason }

// csvReader reads records as RFC 4180 has them, with a separator of choice. A record may hold line breaks in quotes.
type csvReader struct {
	r      *bufio.Reader
	comma  byte
	offset int64  // bytes consumed by the records so far
	line   []byte // of the record being read
	crlf   bool   // how the last line ended

	ending string // LF or CRLF: how lines must end; empty: as they like
}

func newCSVReader(r io.Reader, comma byte) *csvReader {
	return &csvReader{r: bufio.NewReaderSize(r, 64<<10), comma: comma}
}

// skipMark drops a byte order mark at the start of the file.
func (c *csvReader) skipMark() {
	if mark, err := c.r.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		n, _ := c.r.Discard(3)
		c.offset += int64(n)
	}
}

// read returns the next record, io.EOF at the end, a *rowError for a record that is wrong in itself, and an error that is
// errCSV or errInput when the rest cannot be told apart. Empty lines are skipped.
func (c *csvReader) read() ([]string, error) {
	record, err := c.next()
	if c.ending != "" && record != nil && c.crlf != (c.ending == "CRLF") && bytes.HasSuffix(c.line, []byte("\n")) {
		return nil, fmt.Errorf("%w : LineEnding is invalid on user data. Current LineEnding setting is %s", errInput, c.ending)
	}
	return record, err
}

func (c *csvReader) next() ([]string, error) {
	for {
		c.line = c.line[:0]
		if err := c.more(); err != nil {
			return nil, err
		}
		text := c.text()
		if len(text) == 0 {
			continue
		}
		if bytes.IndexByte(text, '"') < 0 {
			return c.plain(string(text))
		}
		return c.quoted()
	}
}

// more appends a line of the file to the record.
func (c *csvReader) more() error {
	for {
		part, err := c.r.ReadSlice('\n')
		c.line = append(c.line, part...)
		c.offset += int64(len(part))
		switch {
		case len(c.line) > maxCSVRecord:
			return fmt.Errorf("%w : a record is longer than %d bytes, or a quote is not closed", errCSV, maxCSVRecord)
		case err == nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(part) > 0:
			return nil
		default:
			return err //nolint:wrapcheck // io.EOF is told apart by callers
		}
	}
}

// text is the record without its line break.
func (c *csvReader) text() []byte {
	text, found := bytes.CutSuffix(c.line, []byte("\n"))
	c.crlf = false
	if t, cr := bytes.CutSuffix(text, []byte("\r")); cr && found {
		c.crlf = true
		return t
	}
	return text
}

func (c *csvReader) plain(text string) ([]string, error) {
	n := strings.Count(text, string(rune(c.comma))) + 1
	if n > maxCSVFields {
		return nil, fmt.Errorf("%w : a record has more than %d fields", errCSV, maxCSVFields)
	}
	out := make([]string, 0, n)
	for {
		i := strings.IndexByte(text, c.comma)
		if i < 0 {
			return append(out, text), nil
		}
		out = append(out, text[:i])
		text = text[i+1:]
	}
}

// quoted reads a record that has quotes, and so may go on over line breaks.
func (c *csvReader) quoted() ([]string, error) {
	var out []string
	var buf []byte
	var bad error
	text := c.text()
	for i := 0; ; {
		buf = buf[:0]
		if i < len(text) && text[i] == '"' {
			var err error
			if buf, i, err = c.inQuotes(buf, i+1); err != nil {
				return nil, err
			}
			text = c.text()
			if i < len(text) && text[i] != c.comma && bad == nil {
				bad = &rowError{"text after a closing quote: double the quotes inside a value"}
			}
		}
		rest := text[min(i, len(text)):]
		end := bytes.IndexByte(rest, c.comma)
		if end < 0 {
			end = len(rest)
		}
		if bad == nil && len(buf) == 0 && bytes.HasPrefix(bytes.TrimLeft(rest[:end], " "), []byte("\"")) {
			bad = &rowError{"a space before an opening quote: leave it out, or put it into the quotes"}
		}
		out = append(out, string(append(buf, rest[:end]...)))
		i += end + 1
		if len(out) > maxCSVFields {
			return nil, fmt.Errorf("%w : a record has more than %d fields", errCSV, maxCSVFields)
		}
		if i > len(text) {
			return out, bad
		}
	}
}

// inQuotes reads from after an opening quote to after the closing one.
func (c *csvReader) inQuotes(buf []byte, i int) ([]byte, int, error) {
	for {
		end := bytes.IndexByte(c.line[i:], '"')
		if end < 0 {
			buf = append(buf, c.line[i:]...)
			i = len(c.line)
			if err := c.more(); err != nil {
				if errors.Is(err, io.EOF) {
					return nil, 0, fmt.Errorf("%w : a quote is not closed", errCSV)
				}
				return nil, 0, err
			}
			continue
		}
		buf = append(buf, c.line[i:i+end]...)
		i += end + 1
		if i >= len(c.line) || c.line[i] != '"' {
			return buf, i, nil
		}
		buf = append(buf, '"')
		i++
	}
}

// appendCSV writes a record with every value quoted, as the platform writes results.
func appendCSV(buf []byte, record []string, comma byte, eol string) []byte {
	for i, s := range record {
		if i > 0 {
			buf = append(buf, comma)
		}
		buf = append(buf, '"')
		for {
			q := strings.IndexByte(s, '"')
			if q < 0 {
				break
			}
			buf = append(append(buf, s[:q+1]...), '"')
			s = s[q+1:]
		}
		buf = append(append(buf, s...), '"')
	}
	return append(buf, eol...)
}

// delimiter returns the separator of a name, 0 when the name is unknown.
func delimiter(name string) byte {
	switch strings.ToUpper(name) {
	case "COMMA":
		return ','
	case "SEMICOLON":
		return ';'
	case "TAB":
		return '\t'
	case "PIPE":
		return '|'
	case "CARET":
		return '^'
	case "BACKQUOTE":
		return '`'
	}
	return 0
}

package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// maxDepth is how deep the values of a flow file may be nested.
const maxDepth = 200

// Import reads a flow with the first importer that knows the format. Its error is one line, wraps ErrNotAFlow and has the
// code errs.Invalid.
func (r Registry) Import(data []byte) (*Flow, *Report, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if err := checkText(data); err != nil {
		return nil, nil, errs.Wrap(errs.Invalid, ErrNotAFlow, "%s", err.Error())
	}
	for _, imp := range r {
		if !imp.Sniff(data) {
			continue
		}
		f, rep, err := imp.Import(data)
		if err != nil {
			return nil, nil, errs.Wrap(errs.Invalid, ErrNotAFlow, "%s", err.Error())
		}
		return f, rep, nil
	}
	if !json.Valid(data) { // nor is it in a format that is written otherwise
		return nil, nil, errs.Wrap(errs.Invalid, ErrNotAFlow, "%s", syntaxAt(data).Error())
	}
	return nil, nil, errs.Wrap(errs.Invalid, ErrNotAFlow, "the file is JSON, but none of the flow formats read here (%s)", r.formats())
}

func (r Registry) formats() string {
	names := make([]string, len(r))
	for i, imp := range r {
		names[i] = imp.Format()
	}
	return strings.Join(names, ", ")
}

// checkText refuses what no importer needs to see.
func checkText(data []byte) error {
	switch {
	case len(data) == 0:
		return fmt.Errorf("the file is empty")
	case len(data) > MaxImportBytes:
		return fmt.Errorf("the file has %d bytes, at most %d are read", len(data), MaxImportBytes)
	case depth(data) > maxDepth:
		return fmt.Errorf("the file is nested more than %d deep", maxDepth)
	}
	return nil
}

// syntaxAt says where a text stops being JSON.
func syntaxAt(data []byte) error {
	var v any
	err := json.Unmarshal(data, &v)
	if se, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // Unmarshal gives it as it is
		line := 1 + bytes.Count(data[:min(int(se.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("the file is not JSON: line %d (byte %d): %w", line, se.Offset, err)
	}
	return fmt.Errorf("the file is not JSON")
}

// depth is how deep the brackets outside strings are nested.
func depth(data []byte) int {
	deepest, now, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// Exporters is the list of formats a program writes. It is safe for concurrent use once built.
type Exporters []Exporter

// Export writes a flow in a format and says what it could not write. An unknown format is errs.Invalid.
func (x Exporters) Export(format string, f *Flow) ([]byte, []Loss, error) {
	names := make([]string, len(x))
	for i, e := range x {
		if names[i] = e.Format(); names[i] == format {
			data, losses, err := e.Export(f)
			if err != nil {
				return nil, nil, errs.Wrap(errs.Invalid, err, "the flow cannot be written as %s", format)
			}
			return data, losses, nil
		}
	}
	return nil, nil, errs.New(errs.Invalid, "flows are not written as %q: the formats are %s", format, strings.Join(names, ", "))
}

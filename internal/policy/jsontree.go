package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a JSON value that keeps the order of its fields and the path it stands at. encoding/json alone would drop
// duplicate names, and the last of two "Effect" fields must not win silently.
type node struct {
	kind   nodeKind
	path   string
	text   string // string, number or literal as text
	items  []*node
	fields []field
}

type field struct {
	name  string
	value *node
}

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeString
	nodeNumber
	nodeBool
	nodeList
	nodeObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "a string", "a number", "a boolean", "a list", "an object"}[k]
}

// readTree reads one JSON document; the problem is nil on success.
func readTree(data []byte) (*node, *Problem) {
	if len(data) > MaxDocumentBytes {
		return nil, problem("$", "size", fmt.Sprintf("the document has %d bytes, more than %d", len(data), MaxDocumentBytes),
			"split it into several policies")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, problem("$", "syntax", "the document is not UTF-8", "save it as UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	root, p := readNode(dec, "$", 0)
	if p != nil {
		return nil, p
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, problem("$", "syntax", fmt.Sprintf("something follows the document at byte %d", dec.InputOffset()),
			"keep one JSON object")
	}
	return root, nil
}

func readNode(dec *json.Decoder, path string, depth int) (*node, *Problem) {
	if depth > MaxDepth {
		return nil, problem(path, "depth", fmt.Sprintf("nested deeper than %d", MaxDepth), "a policy needs no such depth")
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, syntaxProblem(dec, path, err)
	}
	n := &node{path: path}
	switch v := tok.(type) {
	case json.Delim:
		if v == '[' {
			n.kind = nodeList
			return readList(dec, n, depth)
		}
		n.kind = nodeObject
		return readObject(dec, n, depth)
	case string:
		n.kind, n.text = nodeString, v
		if len(v) > MaxStringBytes {
			return nil, problem(path, "size", fmt.Sprintf("a string of %d bytes, more than %d", len(v), MaxStringBytes), "shorten it")
		}
	case json.Number:
		n.kind, n.text = nodeNumber, v.String()
	case bool:
		n.kind, n.text = nodeBool, strconv.FormatBool(v)
	}
	return n, nil
}

func readList(dec *json.Decoder, n *node, depth int) (*node, *Problem) {
	for dec.More() {
		if len(n.items) == MaxListLength {
			return nil, problem(n.path, "size", fmt.Sprintf("a list of more than %d entries", MaxListLength), "use wildcards or split the policy")
		}
		item, p := readNode(dec, n.path+"["+strconv.Itoa(len(n.items))+"]", depth+1)
		if p != nil {
			return nil, p
		}
		n.items = append(n.items, item)
	}
	if _, err := dec.Token(); err != nil {
		return nil, syntaxProblem(dec, n.path, err)
	}
	return n, nil
}

func readObject(dec *json.Decoder, n *node, depth int) (*node, *Problem) {
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, syntaxProblem(dec, n.path, err)
		}
		name, _ := tok.(string)
		path := childPath(n.path, name)
		if len(n.fields) == MaxListLength || len(name) > MaxStringBytes {
			return nil, problem(n.path, "size", "an object with too many or too long names", "split the policy")
		}
		if n.get(name) != nil {
			return nil, problem(path, "duplicate-element", "the name occurs twice in one object", "merge the two into a list")
		}
		value, p := readNode(dec, path, depth+1)
		if p != nil {
			return nil, p
		}
		n.fields = append(n.fields, field{name, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, syntaxProblem(dec, n.path, err)
	}
	return n, nil
}

// get returns a field, nil if there is none. Objects of a policy are small: a scan is enough, and MaxListLength bounds it.
func (n *node) get(name string) *node {
	for i := range n.fields {
		if n.fields[i].name == name {
			return n.fields[i].value
		}
	}
	return nil
}

func childPath(parent, name string) string {
	plain := name != ""
	for i := range len(name) {
		c := lowerByte(name[i])
		if letter, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'; !letter && !digit && c != '_' {
			plain = false
			break
		}
	}
	if plain {
		return parent + "." + name
	}
	return parent + "[" + strconv.Quote(name) + "]"
}

func syntaxProblem(dec *json.Decoder, path string, err error) *Problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problem(path, "syntax", "the document ends too early", "close every bracket and quote")
	}
	return problem(path, "syntax", fmt.Sprintf("not JSON at byte %d: %s", dec.InputOffset(),
		strings.TrimPrefix(err.Error(), "json: ")), "correct the JSON")
}

func problem(path, rule, message, fix string) *Problem {
	return &Problem{Path: path, Rule: rule, Message: message, Fix: fix}
}

package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// The REST API speaks XML to clients that ask for it by Accept, or by a path that ends in .xml, and takes records as XML (REST
// API developer guide, "REST Resources and Requests"). Answers are made as JSON and turned into XML on their way out: an array
// becomes repeated elements, and attributes of a record those of its element.

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>`

// represented answers in the format a client asked for.
func (o *Org) represented(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(strings.ToLower(r.URL.Path), "/services/data") {
			next.ServeHTTP(w, r)
			return
		}
		format, r := formatOf(r)
		if format != "xml" {
			next.ServeHTTP(w, r)
			return
		}
		x := &xmlWriter{ResponseWriter: w, path: r.URL.Path}
		next.ServeHTTP(x, r)
		x.finish()
	})
}

// formatOf returns the format an answer is wanted in, "" for JSON, and the request without a suffix that says so. Values of
// external ids end as they like.
func formatOf(r *http.Request) (string, *http.Request) {
	path := r.URL.EscapedPath()
	for _, format := range []string{"json", "xml"} {
		bare, found := strings.CutSuffix(path, "."+format)
		segs := strings.Split(strings.Trim(path, "/"), "/")
		if !found || len(segs) == 7 && strings.EqualFold(segs[3], "sobjects") {
			continue
		}
		return format, withPath(r, bare)
	}
	if wantsXML(r.Header.Get("Accept")) {
		return "xml", r
	}
	return "", r
}

// withPath is a request for another path, which is escaped.
func withPath(r *http.Request, escaped string) *http.Request {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return r
	}
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	out := *r
	out.URL = &u
	return &out
}

// wantsXML reports whether an Accept header prefers XML to JSON.
func wantsXML(accept string) bool {
	var xmlQ, jsonQ, anyQ float64
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(orElse(params["q"], "1"), 64)
		if err != nil {
			continue
		}
		switch kind {
		case "application/xml", "text/xml":
			xmlQ = max(xmlQ, q)
		case "application/json":
			jsonQ = max(jsonQ, q)
		case "*/*", "application/*":
			anyQ = max(anyQ, q)
		}
	}
	return xmlQ > jsonQ && xmlQ >= anyQ
}

// xmlWriter holds a JSON answer back to send it as XML. Answers that are no JSON pass.
type xmlWriter struct {
	http.ResponseWriter
	path   string
	status int
	body   bytes.Buffer
	pass   bool
}

// WriteHeader notes the status of an answer that is held back.
func (x *xmlWriter) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	x.status = status
	if x.pass = !strings.HasPrefix(x.Header().Get("Content-Type"), "application/json"); x.pass {
		x.ResponseWriter.WriteHeader(status)
	}
}

func (x *xmlWriter) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.pass {
		return x.ResponseWriter.Write(p) //nolint:wrapcheck // a writer hands on its writer's error
	}
	return x.body.Write(p) //nolint:wrapcheck // memory
}

// Unwrap lets http.ResponseController reach the connection.
func (x *xmlWriter) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// NoteUser hands on who the request is for.
func (x *xmlWriter) NoteUser(name string) { kit.NoteUser(x.ResponseWriter, name) }

// finish sends what was held back.
func (x *xmlWriter) finish() {
	if x.pass || x.status == 0 {
		return
	}
	out, err := xmlOf(x.body.Bytes(), rootOf(x.path, x.status))
	if err != nil {
		out, x.status = []byte(xmlHead+"<Errors><Error><errorCode>UNKNOWN_EXCEPTION</errorCode><message>the answer cannot be written as XML</message></Error></Errors>"), http.StatusInternalServerError
	}
	x.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	x.Header().Set("Content-Length", strconv.Itoa(len(out)))
	x.ResponseWriter.WriteHeader(x.status)
	_, _ = x.ResponseWriter.Write(out)
}

// rootOf names the outer element of an answer, and for a list the element of each item.
func rootOf(path string, status int) [2]string {
	segs := strings.Split(strings.Trim(kit.CleanPath(path), "/"), "/")
	switch {
	case status >= http.StatusBadRequest:
		return [2]string{"Errors", "Error"}
	case status == http.StatusMultipleChoices:
		return [2]string{"Urls", "Url"}
	case len(segs) == 2:
		return [2]string{"Versions", "Version"}
	case len(segs) == 3:
		return [2]string{"urls", "url"}
	}
	switch strings.ToLower(segs[3]) {
	case "query", "queryall":
		return [2]string{"QueryResult", "records"}
	case "search", "parameterizedsearch":
		return [2]string{"SearchResults", "searchRecords"}
	case "limits":
		return [2]string{"LimitsSnapshot", "Limit"}
	case "sobjects":
		return sobjectRoot(segs[4:], status)
	}
	return [2]string{"Results", "Result"}
}

func sobjectRoot(segs []string, status int) [2]string {
	switch {
	case len(segs) == 0:
		return [2]string{"DescribeGlobal", "sobject"}
	case status == http.StatusCreated:
		return [2]string{"Result", "Result"}
	case len(segs) == 2 && strings.EqualFold(segs[1], "describe"):
		return [2]string{"DescribeSObject", "field"}
	case len(segs) > 2 && strings.EqualFold(segs[1], "describe"):
		return [2]string{"DescribeLayout", "layout"}
	}
	return [2]string{segs[0], "record"}
}

// xmlOf turns JSON into XML below the root. Keys keep their order.
func xmlOf(body []byte, root [2]string) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	out := bytes.NewBufferString(xmlHead)
	list := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	name := root[0]
	if list {
		out.WriteString("<" + root[0] + ">")
		name = root[1]
	}
	err := xmlValue(dec, out, name)
	if list {
		out.WriteString("</" + root[0] + ">")
	}
	return out.Bytes(), err
}

// xmlValue writes the next JSON value as an element, an array as one for each item.
func xmlValue(dec *json.Decoder, out *bytes.Buffer, name string) error {
	tok, err := dec.Token()
	if err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	name = xmlName(name)
	switch v := tok.(type) {
	case json.Delim:
		if v == '[' {
			for dec.More() {
				if err := xmlValue(dec, out, name); err != nil {
					return err
				}
			}
			_, err := dec.Token()
			return err //nolint:wrapcheck // the end of what was read
		}
		return xmlObject(dec, out, name)
	case nil:
		out.WriteString("<" + name + ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>`)
	default:
		out.WriteString("<" + name + ">")
		_ = xml.EscapeText(out, []byte(fmt.Sprint(v))) // memory takes all
		out.WriteString("</" + name + ">")
	}
	return nil
}

// xmlObject writes an object whose opening brace was read. What a record has as attributes its element has.
func xmlObject(dec *json.Decoder, out *bytes.Buffer, name string) error {
	var inner, attrs bytes.Buffer
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return fmt.Errorf("reading JSON: %w", err)
		}
		key, _ := tok.(string)
		if key != "attributes" {
			if err := xmlValue(dec, &inner, key); err != nil {
				return err
			}
			continue
		}
		var list map[string]any
		if err := dec.Decode(&list); err != nil {
			return fmt.Errorf("reading attributes: %w", err)
		}
		for _, k := range []string{"type", "url"} {
			if v, isText := list[k].(string); isText {
				attrs.WriteString(" " + k + `="`)
				_ = xml.EscapeText(&attrs, []byte(v)) // memory takes all
				attrs.WriteString(`"`)
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	out.WriteString("<" + name)
	_, _ = attrs.WriteTo(out)
	out.WriteString(">")
	_, _ = inner.WriteTo(out)
	out.WriteString("</" + name + ">")
	return nil
}

// xmlName makes a key fit to be the name of an element.
func xmlName(key string) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, key)
	if name == "" || name[0] >= '0' && name[0] <= '9' || name[0] == '-' || name[0] == '.' {
		name = "_" + name
	}
	return name
}

const maxXMLDepth = 5

// xmlRecord turns a record in XML into the JSON one: the names below the root are fields, elements within them nested
// references, and xsi:nil clears.
func xmlRecord(body []byte) ([]byte, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.Strict = true
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil, xmlFault(err)
		}
		if start, isStart := tok.(xml.StartElement); isStart {
			v, err := xmlElement(dec, start, 1)
			if err != nil {
				return nil, err
			}
			if _, isRecord := v.(map[string]any); !isRecord {
				v = map[string]any{}
			}
			out, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("encoding a record: %w", err)
			}
			return out, nil
		}
	}
}

func xmlFault(err error) error {
	if errors.Is(err, io.EOF) {
		return badRequest("XML_PARSER_ERROR", noBody)
	}
	return badRequest("XML_PARSER_ERROR", "The body is no XML of a record: %s", shorten(err.Error()))
}

// xmlElement reads the content of an element: text, nothing for xsi:nil, or an object.
func xmlElement(dec *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > maxXMLDepth {
		return nil, badRequest("XML_PARSER_ERROR", "elements may be nested %d deep", maxXMLDepth)
	}
	var text strings.Builder
	var children map[string]any
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil, xmlFault(err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			if children == nil {
				children = map[string]any{}
			}
			v, err := xmlElement(dec, t, depth+1)
			if err != nil {
				return nil, err
			}
			children[t.Name.Local] = v
		case xml.EndElement:
			if children == nil {
				return xmlText(start, text.String()), nil
			}
			for _, a := range start.Attr {
				if a.Name.Local == "type" && depth > 1 {
					children["attributes"] = map[string]string{"type": a.Value}
				}
			}
			return children, nil
		}
	}
}

func xmlText(start xml.StartElement, text string) any {
	for _, a := range start.Attr {
		if a.Name.Local == "nil" && a.Value == "true" {
			return nil
		}
	}
	return text
}

// readXML turns the body of a request about records into JSON where it is XML.
func readXML(rq *request) error {
	kind, _, err := mime.ParseMediaType(rq.header.Get("Content-Type"))
	if err != nil || !isXML(kind) || len(rq.body) == 0 {
		return nil //nolint:nilerr // a type that cannot be read was refused before
	}
	rq.body, err = xmlRecord(rq.body)
	return err
}

func isXML(kind string) bool { return kind == "application/xml" || kind == "text/xml" }

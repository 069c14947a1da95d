package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const ns1 = "http://www.force.com/2009/06/asyncapi/dataload"

// pair1 is an element of an answer and its value.
type pair1 struct {
	name  string
	value any
}

// answer1 is an answer of Bulk API 1.0: an object, a list of objects, an array of texts, text, or a file.
type answer1 struct {
	status int
	name   string
	fields []pair1
	item   string
	list   [][]pair1
	array  []string
	text   []byte
	file   string
	kind   string // media type of the text or the file
}

// add appends names and values in turns.
func (a *answer1) add(turns ...any) {
	for i := 0; i+1 < len(turns); i += 2 {
		name, _ := turns[i].(string)
		a.fields = append(a.fields, pair1{name, turns[i+1]})
	}
}

func (a *answer1) write(w http.ResponseWriter, asJSON bool) error {
	if a.file != "" {
		return a.send(w)
	}
	body, kind := a.text, a.kind
	if body == nil && asJSON {
		var err error
		if body, err = encode(a.plain()); err != nil {
			return err
		}
		kind = "application/json"
	} else if body == nil {
		body, kind = a.xml(), "application/xml"
	}
	w.Header().Set("Content-Type", kind+";charset=UTF-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(body) //nolint:gosec // typed, and escaped where it was made
	return nil
}

func (a *answer1) send(w http.ResponseWriter) error {
	f, err := os.Open(a.file) //nolint:gosec // named by an id of ours
	if errors.Is(err, os.ErrNotExist) {
		return badJob1("InvalidBatch", "the data is not kept any longer")
	} else if err != nil {
		return fmt.Errorf("opening a result: %w", err)
	}
	defer func() { _ = f.Close() }()
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	if _, err := io.Copy(w, f); err != nil {
		panic(http.ErrAbortHandler) // the answer is not whole: the client must not take it for that
	}
	return nil
}

// plain is the answer as JSON has it.
func (a *answer1) plain() any {
	switch {
	case a.item != "":
		list := []any{}
		for _, fields := range a.list {
			list = append(list, asMap(fields))
		}
		return map[string]any{a.item: list}
	case a.array != nil:
		return a.array
	}
	return asMap(a.fields)
}

func asMap(fields []pair1) map[string]any {
	m := map[string]any{}
	for _, p := range fields {
		m[p.name] = p.value
	}
	return m
}

func (a *answer1) xml() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><%s xmlns="%s">`, a.name, ns1)
	elements(&b, a.fields)
	for _, fields := range a.list {
		b.WriteString("<" + a.item + ">")
		elements(&b, fields)
		b.WriteString("</" + a.item + ">")
	}
	for _, v := range a.array {
		b.WriteString("<result>" + escapeXML(v) + "</result>")
	}
	b.WriteString("</" + a.name + ">")
	return b.Bytes()
}

func elements(b *bytes.Buffer, fields []pair1) {
	for _, p := range fields {
		fmt.Fprintf(b, "<%s>%s</%[1]s>", p.name, escapeXML(fmt.Sprint(p.value)))
	}
}

// readInfo1 reads a jobInfo.
func readInfo1(body []byte, isJSON bool) (map[string]string, error) {
	out := map[string]string{}
	if isJSON {
		var in map[string]any
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, badJob1("InvalidJob", "Unable to parse Job: %s", err)
		}
		for k, v := range in {
			if text, isText := v.(string); isText {
				out[k] = text
			}
		}
		return out, nil
	}
	var in struct {
		XMLName xml.Name
		Parts   []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &in); err != nil || in.XMLName.Local != "jobInfo" {
		return nil, badJob1("InvalidJob", "Unable to parse Job: a jobInfo is expected")
	}
	for _, p := range in.Parts {
		out[p.XMLName.Local] = strings.TrimSpace(p.Text)
	}
	return out, nil
}

// outcome is the results of a batch: CSV for a batch of CSV, else JSON.
func (b *batch1) outcome(j *job1) *answer1 {
	if j.content == "JSON" {
		body, err := encode(b.results)
		if err != nil {
			body = []byte("[]")
		}
		return &answer1{status: http.StatusOK, text: body, kind: "application/json"}
	}
	buf := appendQuoted(nil, "Id", "Success", "Created", "Error")
	for _, r := range b.results {
		var why strings.Builder
		for _, e := range r.Errors {
			why.WriteString(e.Code + ":" + e.Message + ":" + strings.Join(e.Fields, " ") + " --")
		}
		buf = appendQuoted(buf, r.ID, boolText(r.Success), boolText(r.Created), why.String())
	}
	return &answer1{status: http.StatusOK, text: buf, kind: csvType1}
}

// appendQuoted appends a line of CSV whose values are all in quotes.
func appendQuoted(buf []byte, values ...string) []byte {
	for i, v := range values {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(append(append(buf, '"'), strings.ReplaceAll(v, `"`, `""`)...), '"')
	}
	return append(buf, '\n')
}

package salesforce

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/tandemcc/tandem/internal/job"
)

// DefaultMarker is the word in the mark of a write, "[ref:K3JX7Q2MPA]".
const DefaultMarker = "ref"

// NoMarker as Options.Marker leaves texts as they are.
const NoMarker = "off"

// markedField says where a kind of record that is only ever added carries the mark of its write, and how it is found again:
// long texts cannot be filtered by in SOQL, so the records of one parent are read and compared here.
type markedField struct {
	object  string
	text    string   // the long text
	limit   int      // characters it takes
	parents []string // fields of the body that narrow the search
}

// markedFields: lengths after the Object Reference.
func markedFields() []markedField {
	return []markedField{
		{"CaseComment", "CommentBody", 4000, []string{"ParentId"}},
		{"Task", "Description", 32_000, []string{"WhatId", "WhoId"}},
		{"Event", "Description", 32_000, []string{"WhatId", "WhoId"}},
		{"FeedItem", "Body", 10_000, []string{"ParentId"}},
		{"Case", "Description", 32_000, []string{"ContactId", "AccountId", "ParentId"}},
		{"Lead", "Description", 32_000, nil},
		{"Opportunity", "Description", 32_000, []string{"AccountId"}},
	}
}

// means is how a repetition of a write is kept from doing harm.
type means int

const (
	meansNone    means = iota // it may have its effect again
	meansRead                 // it has none
	meansUpsert               // an external id names the record: the second time changes it to what it is
	meansCompare              // an update by id: the record is compared first, and then sent under a condition
	meansDelete               // the second time finds nothing
	meansMarker               // a text carries a mark that is looked for first
)

// plan is a write as it will be sent.
type plan struct {
	means   means
	version string // "v68.0"
	object  string
	id      string // a record's id
	ext     string // the external id's field, with value
	value   string
	body    []byte // with the mark, where there is one
	marker  string
	find    markedField // where the mark is
	parent  map[string]string
	comment bool   // a Case's Comments: the platform makes a CaseComment of it
	since   string // Last-Modified that the record was compared at
}

// target matches the sObject resources of the REST API: type, and id or external id field with value.
var target = regexp.MustCompile(`(?i)^/*services/data/(v\d{2,3}\.0)/sobjects/(\w{1,80})(?:/(\w{1,80})(?:/([^/]{1,1000}))?)?/?$`)

var recordID = regexp.MustCompile(`^[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?$`)

// planOf finds out what a repetition of the request would do. key is unique for the write and the same at every attempt.
func planOf(r Request, key, mark string) plan {
	p := plan{body: r.Body}
	if m := strings.ToUpper(r.Method); m == "" || m == http.MethodGet || m == http.MethodHead {
		p.means = meansRead
		return p
	}
	m := targetOf(r)
	if m == nil {
		return p
	}
	p.version, p.object = m[1], m[2]
	switch method := strings.ToUpper(r.Method); {
	case method == http.MethodPost && m[3] == "":
		p.create(key, mark)
	case method == http.MethodPatch && m[4] != "":
		value, err := url.PathUnescape(m[4])
		if err != nil {
			return p
		}
		p.means, p.ext, p.value = meansUpsert, m[3], value
		p.caseComment(key, mark)
	case method == http.MethodPatch && recordID.MatchString(m[3]):
		p.means, p.id = meansCompare, m[3]
		p.caseComment(key, mark)
	case method == http.MethodDelete && m[3] != "":
		p.means, p.id = meansDelete, m[3]
	}
	return p
}

// targetOf takes the path of an sObject resource apart, nil for any other, and for one with a query: it could override the
// method.
func targetOf(r Request) []string {
	path := r.Path
	if isAbsolute(path) {
		if u, err := url.Parse(path); err == nil {
			path = u.EscapedPath() + "?" + u.RawQuery
		}
	}
	path, query, _ := strings.Cut(path, "?")
	if len(r.Query) > 0 || query != "" {
		return nil
	}
	return target.FindStringSubmatch(path)
}

// create looks for a place for the mark in a new record.
func (p *plan) create(key, mark string) {
	for _, f := range markedFields() {
		if !strings.EqualFold(f.object, p.object) {
			continue
		}
		fields, ok := object(p.body)
		if !ok || !p.mark(fields, f.text, f.limit, key, mark) {
			return
		}
		p.means, p.find, p.parent = meansMarker, f, map[string]string{}
		for _, name := range f.parents {
			if v, ok := text(fields, name); ok && recordID.MatchString(v) {
				p.parent[name] = v
			}
		}
	}
}

// caseComment treats the Comments of a Case like the CaseComment that the platform makes of them. A change with them is exact
// by their mark, or not at all.
func (p *plan) caseComment(key, mark string) {
	if !strings.EqualFold(p.object, "Case") {
		return
	}
	fields, ok := object(p.body)
	if !ok {
		return
	}
	v, there := text(fields, "Comments")
	if !there || strings.TrimSpace(v) == "" {
		return
	}
	p.means, p.comment = meansNone, true
	if !p.mark(fields, "Comments", markedFields()[0].limit, key, mark) {
		return
	}
	p.means, p.find = meansMarker, markedFields()[0]
	if p.id != "" {
		p.parent = map[string]string{"ParentId": p.id}
	} else {
		p.parent = map[string]string{"Parent." + p.ext: p.value}
	}
}

// mark appends the mark to a text of the body; false when there is no such text, no room or no mark wanted.
func (p *plan) mark(fields map[string]json.RawMessage, name string, limit int, key, word string) bool {
	v, ok := text(fields, name)
	if !ok || word == NoMarker || key == "" {
		return false
	}
	p.marker = MarkerOf(word, key)
	v = strings.TrimRight(v, " \n") + " " + p.marker
	// Some of the platform's limits count bytes: what fits in bytes fits in characters.
	if len(v) > limit {
		p.marker = ""
		return false
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return false // a string always encodes
	}
	for field := range fields {
		if strings.EqualFold(field, name) {
			fields[field] = raw
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return false // it was JSON
	}
	p.body = body
	return true
}

// MarkerOf returns the mark of the write named by key: "[ref:K3JX7Q2MPA]". The same key gives the same mark.
func MarkerOf(word, key string) string {
	if word == "" {
		word = DefaultMarker
	}
	sum := sha256.Sum256([]byte(key))
	return "[" + word + ":" + base32.StdEncoding.EncodeToString(sum[:])[:10] + "]"
}

// object reads a JSON object; names keep their spelling, which the platform ignores. One with a name twice is refused.
func object(body []byte) (map[string]json.RawMessage, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return nil, false
	}
	seen := map[string]bool{}
	for name := range fields {
		lower := strings.ToLower(name)
		if seen[lower] {
			return nil, false
		}
		seen[lower] = true
	}
	return fields, true
}

// text returns the string of a field whatever its name's case.
func text(fields map[string]json.RawMessage, name string) (string, bool) {
	for field, raw := range fields {
		if strings.EqualFold(field, name) {
			var s string
			err := json.Unmarshal(raw, &s)
			return s, err == nil && len(raw) > 0 && raw[0] == '"'
		}
	}
	return "", false
}

// delivery says in the words of job detail how often the write can have its effect, and why.
func (p *plan) delivery() (d job.Delivery, how string) {
	switch p.means {
	case meansRead:
		return job.ExactlyOnce, "reads only"
	case meansUpsert:
		return job.ExactlyOnce, "external id"
	case meansCompare:
		return job.ExactlyOnce, "comparison and conditional request"
	case meansDelete:
		return job.ExactlyOnce, "deletion by id"
	case meansMarker:
		return job.ExactlyOnce, "marker in the text"
	case meansNone:
	}
	if p.comment {
		return job.AtLeastOnce, "the comment has no room for a marker, or markers are off"
	}
	return job.AtLeastOnce, "the request has no external id and no text for a marker"
}

// RecordKey names the record that a request writes, so that writes of the same one can be kept in order: the same text for
// the same record, nothing else readable from it. A comment stands in the line of its case. It is empty when the request
// names no record.
func RecordKey(connection string, r Request) string {
	p := planOf(r, "", NoMarker)
	if p.object == "" || p.means == meansRead {
		return ""
	}
	parts := []string{connection}
	switch {
	case p.id != "":
		parts = append(parts, p.id[:min(15, len(p.id))])
	case p.ext != "":
		parts = append(parts, strings.ToLower(p.object), strings.ToLower(p.ext), p.value)
	default:
		parent := parentOf(p.object, r.Body)
		if parent == "" {
			return ""
		}
		parts = append(parts, parent[:15])
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "record/" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15])
}

// parentOf returns the id of the record that a new one is added to.
func parentOf(kind string, body []byte) string {
	fields, ok := object(body)
	if !ok {
		return ""
	}
	for _, f := range markedFields() {
		if !strings.EqualFold(f.object, kind) {
			continue
		}
		for _, name := range f.parents {
			if v, ok := text(fields, name); ok && recordID.MatchString(v) {
				return v
			}
		}
	}
	return ""
}

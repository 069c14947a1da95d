package salesforce

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Limits of composite calls (REST API developer guide, "Composite Resources").
const (
	maxSubrequests = 25
	maxHeavy       = 5
)

// errUndo rolls a transaction back whose answer is already made.
var errUndo = errors.New("rolled back")

// composite answers below /composite.
func (o *Org) composite(rq *request) (*response, error) {
	name := ""
	if len(rq.segs) > 1 {
		name = strings.ToLower(rq.segs[1])
	}
	// The versions each came with.
	since := map[string]int{"": 38, "batch": 34, "tree": 34, "sobjects": 42, "graph": 50}[name]
	if since == 0 || rq.version < since {
		return nil, notFound()
	}
	switch name {
	case "sobjects":
		return o.collection(rq)
	case "batch":
		return o.batch(rq)
	case "tree":
		return o.tree(rq)
	case "graph":
		return o.graphs(rq)
	}
	switch rq.method {
	case http.MethodGet:
		base := rq.base() + "/composite/"
		return ok(map[string]string{"tree": base + "tree", "batch": base + "batch", "sobjects": base + "sobjects", "graph": base + "graph"}), nil
	case http.MethodPost:
		return o.compositeRequest(rq)
	}
	return nil, methodNotAllowed(rq.method)
}

// subrequest is a part of a composite or a graph.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
}

type subresponse struct {
	Body    any               `json:"body"`
	Headers map[string]string `json:"httpHeaders"`
	Status  int               `json:"httpStatusCode"`
	Ref     *string           `json:"referenceId"`

	failed bool
}

func (o *Org) compositeRequest(rq *request) (*response, error) {
	var in struct {
		AllOrNone bool         `json:"allOrNone"`
		Collate   *bool        `json:"collateSubrequests"` // the order of the request is as good as any
		Requests  []subrequest `json:"compositeRequest"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if len(in.Requests) == 0 {
		return nil, badRequest("JSON_PARSER_ERROR", "'compositeRequest' is a required field.")
	}
	if err := checkParts(rq.version, in.Requests); err != nil {
		return nil, err
	}
	if over := overSize(in.Requests); over != nil {
		return ok(map[string]any{"compositeResponse": over}), nil
	}
	out, _, err := o.runParts(rq, in.Requests, nil, in.AllOrNone)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"compositeResponse": out}), nil
}

// overSize refuses too many parts, and too many queries and collections among them: the platform answers as if one part had
// failed, which it does not name.
func overSize(list []subrequest) []subresponse {
	over := func(text string, limit int) []subresponse {
		e := badRequest("LIMIT_EXCEEDED", text, limit)
		return []subresponse{{Body: []*apiError{e}, Headers: map[string]string{}, Status: e.Status}}
	}
	if len(list) > maxSubrequests {
		return over("The request can’t contain more than %d operations.", maxSubrequests)
	}
	n := 0
	for _, r := range list {
		path, _, _ := strings.Cut(r.URL, "?")
		switch resourceOf(strings.Split(strings.Trim(kit.CleanPath(path), "/"), "/")) {
		case "query", "queryall", "composite/sobjects":
			n++
		}
	}
	if n > maxHeavy {
		return over("The request can’t contain more than %d query and sObject Collections operations.", maxHeavy)
	}
	return nil
}

// resourceOf names the resource of a path /services/data/vN.0/..., in lower case; with its second part below composite.
func resourceOf(segs []string) string {
	if len(segs) < 4 {
		return ""
	}
	name := strings.ToLower(segs[3])
	if name == "composite" && len(segs) > 4 {
		name += "/" + strings.ToLower(segs[4])
	}
	return name
}

// checkParts refuses a call whose parts are not well formed, before any of them is run.
func checkParts(version int, list []subrequest) error {
	seen := map[string]bool{}
	for _, r := range list {
		if err := r.check(); err != nil {
			return err
		}
		// Up to 51.0 such a name is taken, and only references to it fail.
		if version >= 52 && !isReferenceID(r.ReferenceID) {
			return badRequest("JSON_PARSER_ERROR", "%s", referenceForm(r.ReferenceID))
		}
		if seen[r.ReferenceID] {
			return badRequest("JSON_PARSER_ERROR", "Duplicate referenceId '%s': each subrequest needs one of its own.", shorten(r.ReferenceID))
		}
		seen[r.ReferenceID] = true
	}
	return nil
}

func (r *subrequest) check() error {
	for _, f := range []struct{ name, value string }{{"method", r.Method}, {"url", r.URL}, {"referenceId", r.ReferenceID}} {
		if f.value == "" {
			return badRequest("JSON_PARSER_ERROR", "'%s' is a required field.", f.name)
		}
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, r.Method) {
		return badRequest("JSON_PARSER_ERROR", "'%s' is no method of a subrequest: use POST, PUT, PATCH, GET or DELETE.", shorten(r.Method))
	}
	if !strings.HasPrefix(strings.ToLower(r.URL), "/services/data/v") {
		return badRequest("JSON_PARSER_ERROR", "The url of a subrequest must start with /services/data/vXX.X/: it is %s", shorten(r.URL))
	}
	for name := range r.Headers {
		switch http.CanonicalHeaderKey(name) {
		case "Accept", "Authorization", "Content-Type":
			return badRequest("JSON_PARSER_ERROR", "The header %s of a subrequest is that of the request: leave it out.", name)
		}
	}
	return nil
}

// runParts runs the parts one after the other: in the order given, or in their own. With allOrNone the first failure undoes
// all; then done is false.
func (o *Org) runParts(rq *request, list []subrequest, order []int, allOrNone bool) (out []subresponse, done bool, err error) {
	if order == nil {
		for i := range list {
			order = append(order, i)
		}
	}
	run := func(tx *sql.Tx) error {
		out = make([]subresponse, len(list))
		refs := references{version: rq.version, done: map[string]referenced{}}
		part := *rq
		part.tx, part.allOrNone = tx, allOrNone
		for _, i := range order {
			out[i] = o.runPart(&part, list[i], &refs)
			if allOrNone && out[i].failed {
				halt(out, i, list)
				return errUndo
			}
		}
		return nil
	}
	if allOrNone {
		err = o.update(rq, run)
	} else {
		err = run(rq.tx)
	}
	if errors.Is(err, errUndo) {
		return out, false, nil
	}
	return out, true, err
}

func halted() []*apiError {
	return []*apiError{badRequest("PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.")}
}

// halt marks all but the failed part as not done; -1 is none.
func halt(out []subresponse, failed int, list []subrequest) {
	for i := range list {
		if i != failed {
			out[i] = subresponse{Body: halted(), Headers: map[string]string{}, Status: http.StatusBadRequest, Ref: &list[i].ReferenceID, failed: true}
		}
	}
}

func (o *Org) runPart(rq *request, sub subrequest, refs *references) subresponse {
	res := subresponse{Headers: map[string]string{}, Ref: &sub.ReferenceID}
	target, err := refs.url(sub.URL)
	var body []byte
	if err == nil {
		body, err = refs.body(sub.Body)
	}
	header := http.Header{}
	for name, v := range sub.Headers {
		if err == nil {
			v, err = refs.text(v)
		}
		header.Set(name, v)
	}
	var inner *request
	var answer *response
	if err == nil {
		inner, err = o.subcall(rq, sub.Method, target, body, header)
	}
	if err == nil {
		answer, err = o.route(inner)
	}
	if err != nil {
		res.failed = true
		if many, isMany := errors.AsType[*manyMatches](err); isMany {
			res.Status, res.Body = http.StatusMultipleChoices, many.urls
			return res
		}
		e := o.faultOf(rq, err)
		res.Status, res.Body = e.Status, []*apiError{&e}
		return res
	}
	for k := range answer.header {
		res.Headers[k] = answer.header.Get(k)
	}
	res.Status, res.Body, res.failed = answer.status, answer.body, answer.failed
	raw, err := encode(res.Body)
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err == nil && dec.Decode(&v) == nil {
		refs.done[sub.ReferenceID] = referenced{body: v, row: isRow(inner)}
	}
	return res
}

// isRow reports whether a call read a single record.
func isRow(rq *request) bool {
	return rq.method == http.MethodGet && len(rq.segs) >= 3 && strings.EqualFold(rq.segs[0], "sobjects")
}

// subcall makes a part of a composite into a call of its own.
func (o *Org) subcall(rq *request, method, target string, body []byte, header http.Header) (*request, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, badRequest("INVALID_INPUT", "the url of a subrequest cannot be read: %s", shorten(target))
	}
	segs := strings.Split(strings.Trim(kit.CleanPath("/"+u.EscapedPath()), "/"), "/")
	if len(segs) < 3 {
		return nil, notFound()
	}
	for i, s := range segs {
		// A value that was put in may hold a slash; what was parsed can be unescaped.
		segs[i], _ = url.PathUnescape(s)
	}
	version, err := parseVersion(segs[2])
	if err != nil {
		return nil, err
	}
	switch name := resourceOf(segs); {
	case name == "sobjects", name == "query", name == "queryall":
	case name == "composite/sobjects" && version >= 43:
	default:
		return nil, fault(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist in a composite request: use sobjects, query, queryAll and composite/sobjects")
	}
	return &request{
		ctx: rq.ctx, method: method, version: version, segs: segs[3:], query: u.Query(), header: header, body: body,
		user: rq.user, tx: rq.tx, allOrNone: rq.allOrNone,
	}, nil
}

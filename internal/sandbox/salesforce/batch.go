package salesforce

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// batchPart is a part of /composite/batch. Binary parts belong to blobs, which this org does not have.
type batchPart struct {
	Method    string          `json:"method"`
	URL       string          `json:"url"`
	RichInput json.RawMessage `json:"richInput"` // the body
	Binary    string          `json:"binaryPartName"`
	Alias     string          `json:"binaryPartNameAlias"`
}

type batchResult struct {
	Status int `json:"statusCode"`
	Result any `json:"result"`
}

// batch runs independent calls (REST API developer guide, "Composite Batch").
func (o *Org) batch(rq *request) (*response, error) {
	if rq.method != http.MethodPost {
		return nil, methodNotAllowed(rq.method)
	}
	var in struct {
		Halt  bool        `json:"haltOnError"`
		Parts []batchPart `json:"batchRequests"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	switch {
	case len(in.Parts) == 0:
		return nil, badRequest("JSON_PARSER_ERROR", "'batchRequests' is a required field.")
	case len(in.Parts) > maxSubrequests:
		return nil, badRequest("LIMIT_EXCEEDED", "The request can’t contain more than %d operations.", maxSubrequests)
	}
	calls := make([]*request, len(in.Parts))
	for i := range in.Parts {
		var err error
		if calls[i], err = in.Parts[i].call(rq); err != nil {
			return nil, err
		}
	}
	results := make([]batchResult, 0, len(calls))
	failed := false
	for i, call := range calls {
		if failed && in.Halt {
			stop := fault(http.StatusPreconditionFailed, "BATCH_PROCESSING_HALTED", "Batch processing halted per request")
			results = append(results, batchResult{stop.Status, []*apiError{stop}})
			continue
		}
		res := o.runBatched(call, i == 0)
		failed = failed || res.Status >= http.StatusBadRequest
		results = append(results, res)
	}
	return ok(map[string]any{"hasErrors": failed, "results": results}), nil
}

// call makes a part into a call of its own; what is not well formed fails the batch as a whole.
func (p *batchPart) call(rq *request) (*request, error) {
	method := strings.ToUpper(p.Method)
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, badRequest("JSON_PARSER_ERROR", "'%s' is no method of a subrequest: use GET, HEAD, POST, PUT, PATCH or DELETE.", shorten(p.Method))
	}
	if (p.Binary == "") != (p.Alias == "") {
		return nil, badRequest("JSON_PARSER_ERROR", "binaryPartName and binaryPartNameAlias go together: give both or neither.")
	}
	if p.Binary != "" {
		return nil, badRequest("INVALID_INPUT", "The request has no binary part %s.", shorten(p.Binary))
	}
	u, err := url.Parse(p.URL)
	if err != nil || p.URL == "" {
		return nil, badRequest("JSON_PARSER_ERROR", "The url of a subrequest cannot be read: %s", shorten(p.URL))
	}
	segs := strings.Split(strings.Trim(kit.CleanPath("/"+u.Path), "/"), "/")
	if len(segs) > 2 && strings.EqualFold(segs[0], "services") && strings.EqualFold(segs[1], "data") {
		segs = segs[2:]
	}
	version, err := parseVersion(segs[0])
	if err != nil || version < 34 || version > rq.version {
		return nil, badRequest("JSON_PARSER_ERROR", "The url of a subrequest must have a version from 34.0 to that of the request, %d.0: it is %s", rq.version, shorten(p.URL))
	}
	return &request{
		ctx: rq.ctx, method: method, version: version, segs: segs[1:], query: u.Query(), header: http.Header{}, body: p.RichInput, user: rq.user,
	}, nil
}

// runBatched answers a part. Each counts as a request; the first is the batch, which was counted.
func (o *Org) runBatched(call *request, first bool) batchResult {
	var res *response
	var err error
	switch {
	case !first && o.countRequest() > int64(o.opts.DailyRequests):
		err = fault(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	case !batched(call.segs):
		err = fault(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist in a batch: use limits, sobjects, query, queryAll, search and connect")
	default:
		res, err = o.route(call)
	}
	if many, isMany := errors.AsType[*manyMatches](err); isMany {
		return batchResult{http.StatusMultipleChoices, many.urls}
	}
	if err != nil {
		e := o.faultOf(call, err)
		return batchResult{e.Status, []*apiError{&e}}
	}
	return batchResult{res.status, res.body}
}

// batched reports whether a batch may hold a resource.
func batched(segs []string) bool {
	if len(segs) == 0 {
		return false
	}
	switch strings.ToLower(segs[0]) {
	case "limits", "sobjects", "query", "queryall", "search", "connect", "chatter", "actions":
		return true
	}
	return false
}

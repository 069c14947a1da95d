package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

const (
	batchSize    = 25        // sub-requests of a composite request (REST API Developer Guide, "Composite")
	batchBytes   = 512 << 10 // of their bodies
	batchFlights = 4         // composite requests under way; what comes meanwhile goes with the next
)

// batcher sends small writes of different records together. A write that comes while no others are on their way goes out by
// itself and at once. The order of writes of one record is the caller's: it never has two of them here. It is safe for
// concurrent use.
type batcher struct {
	c *Client

	mu      sync.Mutex // guards what follows
	flights int
	waiting []*batched
}

// batched is one write on its way.
type batched struct {
	ctx     context.Context //nolint:containedctx // of the caller, used when the write goes out by itself
	req     Request
	version string
	answer  chan answer // takes one answer without blocking
}

type answer struct {
	resp *Response
	err  error
}

// send sends one write and waits for its answer. When ctx ends before, the write may have been sent.
func (b *batcher) send(ctx context.Context, r Request, p *plan) (*Response, error) {
	if p.since != "" {
		r.Header = r.Header.Clone()
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("If-Unmodified-Since", p.since)
	}
	r.Retry = httpx.RetryNever
	if !fits(r, p) {
		return b.c.Do(ctx, r)
	}
	w := &batched{ctx: ctx, req: r, version: p.version, answer: make(chan answer, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.start() //nolint:contextcheck // several callers' writes: none of their contexts ends it
	b.mu.Unlock()
	select {
	case a := <-w.answer:
		return a.resp, a.err
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, context.Cause(ctx), "the write was given up before its answer")
	}
}

// fits says whether a write can be part of a composite request.
func fits(r Request, p *plan) bool {
	if p.version == "" || isAbsolute(r.Path) || len(r.Query) > 0 || strings.ContainsAny(r.Path, "?#") || len(r.Body) > batchBytes/4 {
		return false
	}
	for name, values := range r.Header {
		switch strings.ToLower(name) {
		case "accept", "user-agent", "authorization", "if-unmodified-since":
		case "content-type":
			if !strings.HasPrefix(strings.ToLower(strings.Join(values, "")), "application/json") {
				return false
			}
		default:
			return false
		}
	}
	return len(r.Body) == 0 || json.Valid(r.Body)
}

// start sends what waits, as far as flights are free. The caller holds mu.
func (b *batcher) start() {
	for b.flights < batchFlights && len(b.waiting) > 0 {
		group := b.next()
		b.flights++
		b.c.background(func() {
			b.fly(group)
			b.mu.Lock()
			b.flights--
			b.start()
			b.mu.Unlock()
		}, func(err error) {
			for _, w := range group {
				w.answer <- answer{err: err}
			}
			b.flights--
		})
	}
}

// next takes the next writes of one API version. The caller holds mu.
func (b *batcher) next() (group []*batched) {
	size := 0
	rest := b.waiting[:0:0]
	for _, w := range b.waiting {
		if len(group) == batchSize || len(group) > 0 && (w.version != group[0].version || size+len(w.req.Body) > batchBytes) {
			rest = append(rest, w)
			continue
		}
		group, size = append(group, w), size+len(w.req.Body)
	}
	b.waiting = rest
	return group
}

// subrequest and subresponse are the parts of a composite request.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        json.RawMessage   `json:"body,omitempty"`
	HTTPHeaders map[string]string `json:"httpHeaders,omitempty"`
}

type subresponse struct {
	Body           json.RawMessage   `json:"body"`
	HTTPHeaders    map[string]string `json:"httpHeaders"`
	HTTPStatusCode int               `json:"httpStatusCode"`
	ReferenceID    string            `json:"referenceId"`
}

func (b *batcher) fly(group []*batched) {
	if len(group) == 1 {
		w := group[0]
		resp, err := b.c.Do(w.ctx, w.req)
		w.answer <- answer{resp, err}
		return
	}
	var body struct {
		AllOrNone bool         `json:"allOrNone"`
		Requests  []subrequest `json:"compositeRequest"`
	}
	for i, w := range group {
		sub := subrequest{
			Method: strings.ToUpper(w.req.Method), URL: "/" + strings.Trim(w.req.Path, "/"), ReferenceID: "w" + strconv.Itoa(i), Body: w.req.Body,
		}
		if since := w.req.Header.Get("If-Unmodified-Since"); since != "" {
			sub.HTTPHeaders = map[string]string{"If-Unmodified-Since": since}
		}
		body.Requests = append(body.Requests, sub)
	}
	raw, err := json.Marshal(body)
	if err != nil { // each body was valid JSON
		b.all(group, answer{err: errs.Wrap(errs.Internal, err, "encoding a composite request")})
		return
	}
	// The writes belong to several callers: none of them ends it for the others. The HTTP client bounds its time.
	resp, err := b.c.Do(context.WithoutCancel(group[0].ctx), Request{
		Method: http.MethodPost, Path: "/services/data/" + group[0].version + "/composite", Body: raw, Retry: httpx.RetryNever,
	})
	if err != nil || resp.Status >= http.StatusBadRequest {
		b.all(group, answer{resp, err})
		return
	}
	b.distribute(group, resp)
}

func (*batcher) all(group []*batched, a answer) {
	for _, w := range group {
		w.answer <- a
	}
}

// distribute hands each write its part of the answer.
func (b *batcher) distribute(group []*batched, resp *Response) {
	list, err := parseComposite(resp.Body)
	byRef := map[string]subresponse{}
	for _, s := range list {
		byRef[s.ReferenceID] = s
	}
	for i, w := range group {
		s, ok := byRef["w"+strconv.Itoa(i)]
		if err != nil || !ok {
			w.answer <- answer{err: errs.New(errs.Unavailable, "the org's answer to a composite request lacks a part")}
			continue
		}
		h := http.Header{}
		for name, v := range s.HTTPHeaders {
			h.Set(name, v)
		}
		part := &Response{Status: s.HTTPStatusCode, Header: h, secrets: resp.secrets}
		if len(s.Body) > 0 && string(s.Body) != "null" {
			h.Set("Content-Type", "application/json;charset=UTF-8")
			part.Body = s.Body
		}
		e := parseError(part)
		b.c.gate.heard("", e.Code, e.Message)
		w.answer <- answer{resp: part}
	}
}

// parseComposite reads the answer to a composite request.
func parseComposite(body []byte) ([]subresponse, error) {
	var out struct {
		List []subresponse `json:"compositeResponse"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the org's answer to a composite request cannot be read")
	}
	if len(out.List) > batchSize {
		return nil, errs.New(errs.Unavailable, "the org's answer to a composite request has too many parts")
	}
	return out.List, nil
}

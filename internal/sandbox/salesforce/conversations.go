package salesforce

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
)

// uploads are the transcripts that were uploaded, by id: their sizes in bytes. Only that they came is kept.
type uploads struct {
	mu    sync.Mutex // guards all below
	sizes map[string]int64
	order []string
}

const (
	maxUploads     = 1000
	maxUploadIDs   = 100
	maxUploadParts = 50
)

// connect answers /connect/conversations/upload: POST takes transcripts as multipart/form-data, GET ?uploadIds= tells how
// far they are, which is done. The rest of the Connect API is not here.
func (o *Org) connect(rq *request) (*response, error) {
	if !strings.EqualFold(strings.Join(rq.segs, "/"), "connect/conversations/upload") {
		return nil, notFound()
	}
	switch rq.method {
	case http.MethodPost:
		return o.uploadConversations(rq)
	case http.MethodGet:
		return o.uploadState(rq)
	}
	return nil, methodNotAllowed(rq.method)
}

func (o *Org) uploadConversations(rq *request) (*response, error) {
	kind, params, err := mime.ParseMediaType(rq.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, unsupportedMedia(rq.header.Get("Content-Type"))
	}
	var size int64
	parts := 0
	for mr := multipart.NewReader(strings.NewReader(string(rq.body)), params["boundary"]); ; parts++ {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || parts >= maxUploadParts {
			return nil, badRequest("INVALID_MULTIPART_REQUEST", "the parts cannot be read, or there are more than %d", maxUploadParts)
		}
		n, err := io.Copy(io.Discard, part)
		if err != nil {
			return nil, badRequest("INVALID_MULTIPART_REQUEST", "part %d ends early", parts+1)
		}
		size += n
	}
	if parts == 0 || size == 0 {
		return nil, badRequest("INVALID_MULTIPART_REQUEST", "there is no transcript in the request: send it as a part")
	}
	id := o.uploads.add(size)
	return &response{status: http.StatusCreated, body: map[string]any{"uploadIds": []string{id}}}, nil
}

func (u *uploads) add(size int64) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sizes == nil {
		u.sizes = map[string]int64{}
	}
	id := randomText(32)
	u.sizes[id], u.order = size, append(u.order, id)
	if len(u.order) > maxUploads {
		delete(u.sizes, u.order[0])
		u.order = u.order[1:]
	}
	return id
}

func (o *Org) uploadState(rq *request) (*response, error) {
	ids := splitList(rq.query.Get("uploadIds"))
	if len(ids) == 0 || len(ids) > maxUploadIDs {
		return nil, badRequest("INVALID_INPUT", "name 1 to %d uploads as uploadIds", maxUploadIDs)
	}
	o.uploads.mu.Lock()
	defer o.uploads.mu.Unlock()
	list := make([]map[string]any, 0, len(ids))
	for _, id := range ids {
		if _, known := o.uploads.sizes[id]; !known {
			return nil, fault(http.StatusNotFound, "NOT_FOUND", "there is no upload %s", shorten(id))
		}
		list = append(list, map[string]any{"uploadId": id, "status": "Completed"})
	}
	return ok(map[string]any{"uploads": list}), nil
}

// unsupportedMedia is the answer to a body of a type nobody here reads.
func unsupportedMedia(kind string) error {
	return fault(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content type not supported: %s", shorten(kind))
}

// checkMedia refuses bodies that are neither JSON nor, where those are read, CSV or parts. Clients that name no type are
// believed to send what the resource takes.
func checkMedia(r *http.Request, segs []string) error {
	text := r.Header.Get("Content-Type")
	if text == "" || r.Method == http.MethodGet || r.Method == http.MethodDelete || r.Method == http.MethodHead || r.ContentLength == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(text)
	if err != nil {
		return unsupportedMedia(text)
	}
	area := ""
	if len(segs) > 0 {
		area = strings.ToLower(segs[0])
	}
	switch {
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return nil
	case area == "sobjects" && isXML(kind):
		return nil
	case area == "jobs" && (kind == "text/csv" || strings.HasPrefix(kind, "multipart/")):
		return nil
	case area == "connect" && strings.HasPrefix(kind, "multipart/"):
		return nil
	}
	return unsupportedMedia(text)
}

// maxHead is what the address and the headers of a request may have together, in bytes (REST API developer guide, "Status
// Codes": 431).
const maxHead = maxURL

// checkHead refuses a request whose address and headers are too long together.
func checkHead(r *http.Request) error {
	n := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	if n > maxHead {
		return fault(http.StatusRequestHeaderFieldsTooLarge, "REQUEST_HEADER_FIELDS_TOO_LARGE",
			"the URI and the headers have more than %s: send a shorter query, or fewer headers", fmt.Sprintf("%d bytes", maxHead))
	}
	return nil
}

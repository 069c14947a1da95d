package salesforce

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// upload is one uploaded conversation: only that it came, and whether it could be read, is kept.
type upload struct {
	Conversation string  `json:"conversationIdentifier"` // the name of its part
	Error        *string `json:"errorDetail"`
	Status       string  `json:"status"` // SUCCESS or FAILURE
	ID           string  `json:"uploadId"`
}

// uploads are the conversations that were uploaded, by id.
type uploads struct {
	mu    sync.Mutex // guards all below
	byID  map[string]upload
	order []string
}

const (
	maxUploads     = 1000
	maxUploadIDs   = 100
	maxUploadParts = 50
	maxUploadLine  = 1 << 20
	uploadSince    = 51 // API version
)

// connect answers /connect/conversations/upload (Connect REST API developer guide, "Conversations, Bulk Upload and Statuses"):
// POST takes transcripts as multipart/form-data, one part for each conversation, GET ?uploadIds= tells how far they are, which
// is done. The rest of the Connect API is not here.
func (o *Org) connect(rq *request) (*response, error) {
	if rq.version < uploadSince || !strings.EqualFold(strings.Join(rq.segs, "/"), "connect/conversations/upload") {
		return nil, notFound()
	}
	switch rq.method {
	case http.MethodPost:
		return o.uploadConversations(rq)
	case http.MethodGet, http.MethodHead:
		return o.uploadState(rq)
	}
	return nil, methodNotAllowed(rq.method)
}

func (o *Org) uploadConversations(rq *request) (*response, error) {
	kind, params, err := mime.ParseMediaType(rq.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, unsupportedMedia(rq.header.Get("Content-Type"))
	}
	var list []upload
	for mr := multipart.NewReader(bytes.NewReader(rq.body), params["boundary"]); ; {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(list) >= maxUploadParts {
			return nil, badRequest("INVALID_MULTIPART_REQUEST", "the parts cannot be read, or there are more than %d", maxUploadParts)
		}
		u := upload{Conversation: part.FormName(), Status: "SUCCESS", ID: uuid.NewString()}
		if err := readTranscript(part); err != nil {
			reason := err.Error()
			u.Status, u.Error = "FAILURE", &reason
		}
		list = append(list, u)
	}
	if len(list) == 0 {
		return nil, badRequest("INVALID_MULTIPART_REQUEST", "there is no transcript in the request: send it as a part")
	}
	o.uploads.add(list)
	return &response{status: http.StatusCreated, body: map[string]any{"conversationBulkUploadsResults": list}}, nil
}

// readTranscript checks a transcript: a JSON object in each line, which says what it is.
func readTranscript(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxUploadLine)
	n := 0
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		n++
		var entry struct {
			Type    string          `json:"type"`
			Payload json.RawMessage `json:"payload"`
		}
		if err := json.Unmarshal(line, &entry); err != nil || entry.Type == "" || len(entry.Payload) == 0 {
			return fmt.Errorf("line %d is no JSON object with type and payload", n)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d cannot be read: %w", n+1, err)
	}
	if n == 0 {
		return errors.New("the transcript is empty")
	}
	return nil
}

func (u *uploads) add(list []upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = map[string]upload{}
	}
	for _, x := range list {
		u.byID[x.ID], u.order = x, append(u.order, x.ID)
	}
	for len(u.order) > maxUploads {
		delete(u.byID, u.order[0])
		u.order = u.order[1:]
	}
}

func (o *Org) uploadState(rq *request) (*response, error) {
	ids := splitList(rq.query.Get("uploadIds"))
	if len(ids) == 0 || len(ids) > maxUploadIDs {
		return nil, badRequest("INVALID_INPUT", "name 1 to %d uploads as uploadIds", maxUploadIDs)
	}
	o.uploads.mu.Lock()
	defer o.uploads.mu.Unlock()
	list := make([]upload, 0, len(ids))
	for _, id := range ids {
		u, known := o.uploads.byID[strings.TrimSpace(id)]
		if !known {
			return nil, fault(http.StatusNotFound, "NOT_FOUND", "there is no upload %s", shorten(id))
		}
		list = append(list, u)
	}
	return ok(map[string]any{"conversationBulkUploadStatuses": list}), nil
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
	area := ""
	if len(segs) > 0 {
		area = strings.ToLower(segs[0])
	}
	if err != nil || !takes(area, kind) {
		return unsupportedMedia(text)
	}
	return nil
}

// takes reports whether the resources of an area read bodies of a type.
func takes(area, kind string) bool {
	parts := strings.HasPrefix(kind, "multipart/")
	switch {
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return true
	case area == "sobjects":
		return isXML(kind)
	case area == "jobs":
		return kind == "text/csv" || parts
	case area == "connect":
		return parts
	}
	return false
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

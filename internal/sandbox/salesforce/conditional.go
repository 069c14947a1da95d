package salesforce

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Conditional requests (RFC 9110 §13; REST API developer guide, "Conditional Request Headers"). A record's entity tag is
// made of the moment of its last change, which the API knows in whole seconds: so is the tag.

func modified(r record) time.Time {
	ms, _ := r["SystemModstamp"].(int64)
	return time.UnixMilli(ms).UTC().Truncate(time.Second)
}

func entityTag(r record) string {
	return `"` + strings.ToLower(strconv.FormatInt(modified(r).Unix(), 36)+r.text("Id")[12:15]) + `"`
}

func validators(r record) http.Header {
	return http.Header{"Etag": {entityTag(r)}, "Last-Modified": {modified(r).Format(http.TimeFormat)}}
}

// matches reports whether a list of entity tags names the record; * names any.
func matches(list string, r record) bool {
	for tag := range strings.SplitSeq(list, ",") {
		// Proxies put --gzip into a tag when they compress, and the platform itself does.
		tag = strings.Replace(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), "--gzip", "", 1)
		if tag == "*" || tag == entityTag(r) {
			return true
		}
	}
	return false
}

// unchanged reports whether a reader has the record already, and refuses one who wants another.
func unchanged(rq *request, r record) (bool, error) {
	if list := rq.header.Get("If-None-Match"); list != "" {
		return matches(list, r), conflict(rq, r)
	}
	since, given, err := headerTime(rq, "If-Modified-Since")
	if err != nil {
		return false, err
	}
	return given && !modified(r).After(since), conflict(rq, r)
}

func headerTime(rq *request, name string) (at time.Time, given bool, err error) {
	text := rq.header.Get(name)
	if text == "" {
		return at, false, nil
	}
	if at, err = http.ParseTime(text); err != nil {
		return at, false, badRequest("INVALID_HEADER", "%s is no HTTP date: %s", name, shorten(text))
	}
	return at, true, nil
}

// conflict refuses a request that is for another state of the record.
func conflict(rq *request, r record) error {
	changed := fault(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "the record was changed since: read it again")
	if list := rq.header.Get("If-Match"); list != "" {
		if !matches(list, r) {
			return changed
		}
		return nil // If-Unmodified-Since does not count beside it
	}
	since, given, err := headerTime(rq, "If-Unmodified-Since")
	if err != nil {
		return err
	}
	if given && modified(r).After(since) {
		return changed
	}
	return nil
}

// precondition checks the conditions of a change before it is made.
func (o *Org) precondition(rq *request, obj *object, id string) error {
	h := rq.header
	if h.Get("If-Match") == "" && h.Get("If-None-Match") == "" && h.Get("If-Unmodified-Since") == "" {
		return nil
	}
	r, err := readRecord(rq.ctx, o.db(rq), obj, id)
	if err != nil {
		return err
	}
	if list := h.Get("If-None-Match"); list != "" && matches(list, r) {
		return fault(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "the record is there")
	}
	return conflict(rq, r)
}

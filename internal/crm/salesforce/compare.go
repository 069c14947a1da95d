package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// compare reads what an update by id was to write. When the record says it already, the update is done; else the write is
// to be sent on the condition that nobody changes the record in between.
func (c *Client) compare(ctx context.Context, p *plan) (*Response, error) {
	want, names, ok := scalars(p.body)
	if !ok || len(names) == 0 {
		return nil, nil //nolint:nilnil // nothing to compare: an assignment, sent again
	}
	resp, err := c.Do(ctx, Request{
		Path:  "/services/data/" + p.version + "/sobjects/" + p.object + "/" + p.id,
		Query: url.Values{"fields": {strings.Join(names, ",")}},
	})
	if err != nil {
		return nil, err
	}
	if resp.Status == http.StatusNotFound || resp.Status == http.StatusBadRequest {
		return nil, nil //nolint:nilnil // the write itself will say what is wrong
	}
	if err := resp.Err(); err != nil {
		return nil, err
	}
	var have map[string]any
	if err := json.Unmarshal(resp.Body, &have); err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the org's answer cannot be read")
	}
	lower := map[string]any{}
	for name, v := range have {
		lower[strings.ToLower(name)] = v
	}
	for name, v := range want {
		if !same(lower[strings.ToLower(name)], v) {
			p.since = resp.Header.Get("Last-Modified")
			return nil, nil //nolint:nilnil // not there yet
		}
	}
	return made(http.StatusNoContent, ""), nil
}

// same compares values as the platform keeps them: an empty text is none, and texts lose space at their ends.
func same(have, want any) bool {
	if s, ok := want.(string); ok {
		if s = strings.TrimSpace(s); s == "" {
			return have == nil
		}
		h, ok := have.(string)
		return ok && (strings.TrimSpace(h) == s || sameTime(h, s))
	}
	return reflect.DeepEqual(have, want)
}

func sameTime(a, b string) bool {
	parse := func(s string) (time.Time, bool) {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700", "2006-01-02T15:04:05-0700"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t, true
			}
		}
		return time.Time{}, false
	}
	x, ok1 := parse(a)
	y, ok2 := parse(b)
	return ok1 && ok2 && x.Equal(y)
}

// scalars reads the body of an update; ok is false when it holds something other than plain values.
func scalars(body []byte) (fields map[string]any, names []string, ok bool) {
	if json.Unmarshal(body, &fields) != nil {
		return nil, nil, false
	}
	for name, v := range fields {
		if strings.EqualFold(name, "attributes") {
			delete(fields, name)
			continue
		}
		switch v.(type) {
		case nil, string, bool, float64:
			names = append(names, name)
		default:
			return nil, nil, false
		}
	}
	slices.Sort(names)
	return fields, names, true
}

package salesforce

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Limits of the records a user had to do with last.
const (
	maxRecent      = 200 // kept for a user, and shown by /recent
	maxRecentItems = 20  // shown with an entity
	maxRecentUsers = 1000
)

// recents are the records each user had to do with last, newest first. They are kept in memory, as a convenience.
type recents struct {
	mu     sync.Mutex // guards byUser
	byUser map[string][]string
}

// add puts a record before the others of a user.
func (rs *recents) add(user, id string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.byUser == nil || len(rs.byUser) >= maxRecentUsers && rs.byUser[user] == nil {
		rs.byUser = map[string][]string{}
	}
	list := []string{id}
	for _, other := range rs.byUser[user] {
		if other != id && len(list) < maxRecent {
			list = append(list, other)
		}
	}
	rs.byUser[user] = list
}

func (rs *recents) of(user string) []string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.byUser[user] // never changed, only replaced
}

// noteRecent remembers a record the user had to do with, where the call asks for that by Sforce-Mru: updateMru=true.
func (o *Org) noteRecent(rq *request, id string) {
	if headerOption(rq.header.Get("Sforce-Mru"), "updateMru") == "true" {
		o.recent.add(rq.user.user, id)
	}
}

// headerOption reads name=value out of a header of options such as Sforce-Mru, in lower case; "" when it is not there.
func headerOption(header, name string) string {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.ToLower(strings.TrimSpace(value))
		}
	}
	return ""
}

// recentRecords returns the user's last records, of an entity or where it is nil of all, those that are still there.
func (o *Org) recentRecords(rq *request, obj *object, limit int) ([]json.RawMessage, error) {
	out := []json.RawMessage{}
	seen := o.seen(rq)
	for _, id := range o.recent.of(rq.user.user) {
		of := seen.objectOf(id)
		if of == nil || obj != nil && of.name != obj.name || len(out) >= limit {
			continue
		}
		names := []string{"Id"}
		if of.nameField != nil {
			names = append(names, of.nameField.name)
		}
		body, err := o.selectOne(rq, of, id, names)
		if err != nil {
			if o.fail(rq.ctx, err).Status == http.StatusNotFound {
				continue
			}
			return nil, err
		}
		out = append(out, body)
	}
	return out, nil
}

// recentlyUsed answers /recent?limit=.
func (o *Org) recentlyUsed(rq *request) (*response, error) {
	limit := maxRecent
	if text := rq.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, badRequest("INVALID_INPUT", "limit must be a whole number from 1 to %d: it is %s", maxRecent, shorten(text))
		}
		limit = min(n, maxRecent)
	}
	list, err := o.recentRecords(rq, nil, limit)
	if err != nil {
		return nil, err
	}
	return ok(list), nil
}

package salesforce

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
)

// toolingSince is the API version from which the Tooling API makes presence statuses (object reference,
// ServicePresenceStatus); no other API does.
const toolingSince = 65

// toolingWrites reports whether a call of the Tooling API makes, changes or deletes a presence status.
func toolingWrites(rq *request) bool {
	return rq.method != http.MethodGet && rq.method != http.MethodHead && rq.version >= toolingSince && len(rq.segs) > 1 &&
		strings.EqualFold(rq.segs[0], "sobjects") && strings.EqualFold(rq.segs[1], "ServicePresenceStatus")
}

// toolingStatus carries such a call out.
func (o *Org) toolingStatus(rq *request) (*response, error) {
	if !o.viewOf(rq.ctx, rq.user.user).may(modifyAllData) {
		return nil, fault(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	}
	obj := *o.schema.object("ServicePresenceStatus")
	obj.readOnly = false
	switch {
	case len(rq.segs) == 2 && rq.method == http.MethodPost:
		in, err := decodeStatus(rq.body)
		if err != nil {
			return nil, err
		}
		var id string
		err = o.update(rq, func(tx *sql.Tx) error {
			r, err := o.checkInput(rq.ctx, tx, &obj, in, true)
			if err == nil {
				id, err = o.create(rq.ctx, tx, rq.user.user, &obj, r)
			}
			return err
		})
		return &response{status: http.StatusCreated, body: saveResult{ID: id, Success: true, Errors: []apiError{}}}, err
	case len(rq.segs) == 3 && (rq.method == http.MethodPatch || rq.method == http.MethodDelete):
		id, valid := normalID(rq.segs[2])
		if !valid || id[:3] != obj.prefix {
			return nil, notFound()
		}
		return noContent(), o.update(rq, func(tx *sql.Tx) error {
			if rq.method == http.MethodDelete {
				return o.remove(rq.ctx, tx, rq.user.user, &obj, id)
			}
			in, err := decodeStatus(rq.body)
			if err != nil {
				return err
			}
			r, err := o.checkInput(rq.ctx, tx, &obj, in, false)
			if err != nil {
				return err
			}
			return o.change(rq.ctx, tx, rq.user.user, &obj, id, r)
		})
	}
	return nil, methodNotAllowed(rq.method)
}

// decodeStatus reads a presence status in the forms of the Tooling API: by fields, or as FullName and Metadata.
func decodeStatus(body []byte) (map[string]json.RawMessage, error) {
	in, err := decodeRecord(body)
	if err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	for name, raw := range in {
		switch strings.ToLower(name) {
		case "fullname":
			out["DeveloperName"] = raw
		case "metadata":
			var meta struct {
				Label json.RawMessage `json:"label"`
			}
			if err := json.Unmarshal(raw, &meta); err != nil {
				return nil, jsonFault(raw, err)
			}
			if meta.Label != nil {
				out["MasterLabel"] = meta.Label
			}
		default:
			out[name] = raw
		}
	}
	return out, nil
}

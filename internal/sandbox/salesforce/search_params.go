package salesforce

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// searchParams is what parameterizedSearch takes (REST API developer guide, "Parameterized Search").
type searchParams struct {
	Q        string         `json:"q"`
	In       string         `json:"in"`
	Fields   []string       `json:"fields"`
	SObjects []searchObject `json:"sobjects"`
	Default  looseInt       `json:"defaultLimit"`
	Overall  looseInt       `json:"overallLimit"`
	Offset   looseInt       `json:"offset"`
	Metadata string         `json:"metadata"` // LABELS: the answer names the fields for people
	Spelling *bool          `json:"spellCorrection"`
	Tracking bool           `json:"updateTracking"`
	Viewed   bool           `json:"updateViewStat"`

	// What this org has nothing for.
	Categories json.RawMessage `json:"dataCategories"`
	Division   string          `json:"division"`
	Networks   json.RawMessage `json:"netWorkIds"`
	Pricebook  string          `json:"pricebookId"`
	Snippet    json.RawMessage `json:"snippet"`
}

// searchSince is the API version that has parameterized searches.
const searchSince = 36

// searchObject is an entity of the result.
type searchObject struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	Where  string   `json:"where"`
	Order  string   `json:"orderBy"`
	Limit  looseInt `json:"limit"`
}

// looseInt is a number that may be written as text, as the guide's own samples do.
type looseInt int

// UnmarshalJSON reads a number, or a text that is one.
func (n *looseInt) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		return &json.UnmarshalTypeError{Value: "text " + shorten(text), Type: reflect.TypeFor[int](), Field: "a limit or offset"}
	}
	*n = looseInt(v)
	return nil
}

// parameterizedSearch builds the search from parameters or a JSON body.
func (o *Org) parameterizedSearch(rq *request) (*response, error) {
	var in searchParams
	if rq.version < searchSince || len(rq.segs) > 1 {
		return nil, notFound()
	}
	switch rq.method {
	case http.MethodGet, http.MethodHead:
		var err error
		if in, err = searchOfQuery(rq.query); err != nil {
			return nil, err
		}
	case http.MethodPost:
		if err := json.Unmarshal(rq.body, &in); err != nil {
			return nil, jsonFault(rq.body, err)
		}
	default:
		return nil, methodNotAllowed(rq.method)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	res, err := o.search(rq, in.sosl())
	if err != nil || !strings.EqualFold(in.Metadata, "LABELS") {
		return res, err
	}
	body, wrapped := res.body.(map[string]any)
	if wrapped {
		body["metadata"] = map[string]any{"entityMetadata": o.searchLabels(rq, in)}
	}
	return res, nil
}

// searchLabels names the fields of a search for people.
func (o *Org) searchLabels(rq *request, in searchParams) []map[string]any {
	out := []map[string]any{}
	for _, so := range in.SObjects {
		obj := o.seen(rq).object(so.Name)
		if obj == nil {
			continue
		}
		fields := []map[string]any{}
		for _, name := range in.fieldsOf(so) {
			if f := obj.field(name); f != nil {
				fields = append(fields, map[string]any{"name": f.name, "label": f.label})
			}
		}
		out = append(out, map[string]any{"entityName": obj.name, "errorMessages": nil, "fieldMetadata": fields})
	}
	return out
}

// absent refuses what this org has nothing for.
func (in *searchParams) absent() error {
	given := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]" }
	for name, set := range map[string]bool{
		"dataCategories": given(in.Categories), "division": in.Division != "", "netWorkIds": given(in.Networks), "pricebookId": in.Pricebook != "",
		"snippet": given(in.Snippet),
	} {
		if set {
			return badRequest("MALFORMED_SEARCH", "this org has no data categories, divisions, sites and price books, and marks no terms in what it finds: remove %s", name)
		}
	}
	return nil
}

// check refuses what does not fit together.
func (in *searchParams) check() error {
	if err := in.absent(); err != nil {
		return err
	}
	scope := strings.TrimSuffix(strings.ToUpper(orElse(in.In, "ALL")), " FIELDS")
	switch {
	case strings.TrimSpace(in.Q) == "":
		return badRequest("MALFORMED_SEARCH", "q is missing: what to search for")
	case !slices.Contains([]string{"ALL", "EMAIL", "NAME", "PHONE", "SIDEBAR"}, scope):
		return badRequest("MALFORMED_SEARCH", "in takes ALL, EMAIL, NAME, PHONE or SIDEBAR: it is %s", shorten(in.In))
	case in.Offset > 0 && len(in.SObjects) != 1:
		return badRequest("MALFORMED_SEARCH", "offset needs exactly one sobject")
	case in.Offset < 0 || in.Offset > maxOffset:
		return badRequest("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is %d", maxOffset)
	case len(in.Fields) > 0 && len(in.SObjects) == 0:
		return badRequest("MALFORMED_SEARCH", "fields need the sobjects they are of")
	case min(in.Default, in.Overall) < 0 || max(in.Default, in.Overall) > maxFound:
		return badRequest("MALFORMED_SEARCH", "defaultLimit and overallLimit are at most %d", maxFound)
	}
	return nil
}

// fieldsOf are the fields an entity is shown with.
func (in *searchParams) fieldsOf(so searchObject) []string {
	switch {
	case len(so.Fields) > 0:
		return so.Fields
	case len(in.Fields) > 0:
		return in.Fields
	}
	return []string{"Id"}
}

// searchOfQuery reads the parameters of a GET: lists are written with commas, or the parameter several times.
func searchOfQuery(q url.Values) (searchParams, error) {
	list := func(name string) (out []string) {
		for _, v := range q[name] {
			for part := range strings.SplitSeq(v, ",") {
				if part = strings.TrimSpace(part); part != "" {
					out = append(out, part)
				}
			}
		}
		return out
	}
	in := searchParams{
		Q: q.Get("q"), In: q.Get("in"), Fields: list("fields"), Metadata: q.Get("metadata"), Division: q.Get("division"), Pricebook: q.Get("pricebookId"),
		Categories: json.RawMessage(q.Get("dataCategory")), Networks: json.RawMessage(q.Get("netWorkIds")), Snippet: json.RawMessage(q.Get("snippet")),
	}
	for _, name := range []string{"spellCorrection", "updateTracking", "updateViewStat"} {
		if v := strings.ToLower(q.Get(name)); v != "" && v != "true" && v != "false" {
			return in, badRequest("INVALID_INPUT", "%s is true or false: it is %s", name, shorten(v))
		}
	}
	numbers := map[string]*looseInt{"defaultLimit": &in.Default, "overallLimit": &in.Overall, "offset": &in.Offset}
	for _, name := range list("sobject") {
		in.SObjects = append(in.SObjects, searchObject{Name: name, Fields: list(name + ".fields"), Where: q.Get(name + ".where"), Order: q.Get(name + ".orderBy")})
	}
	for i := range in.SObjects {
		numbers[in.SObjects[i].Name+".limit"] = &in.SObjects[i].Limit
	}
	for name, dest := range numbers {
		text := q.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return in, badRequest("INVALID_INPUT", "%s must be a whole number: it is %s", name, shorten(text))
		}
		*dest = looseInt(n)
	}
	return in, nil
}

// sosl writes the search as a statement, which is then read and checked like any other.
func (in *searchParams) sosl() string {
	var b strings.Builder
	b.WriteString("FIND {" + soql.Term(in.Q) + "} IN " + strings.TrimSuffix(strings.ToUpper(orElse(in.In, "ALL")), " FIELDS") + " FIELDS")
	for i, so := range in.SObjects {
		b.WriteString(map[bool]string{true: " RETURNING ", false: ", "}[i == 0])
		b.WriteString(so.Name + "(" + strings.Join(in.fieldsOf(so), ", "))
		for _, part := range [][2]string{{" WHERE ", so.Where}, {" ORDER BY ", so.Order}} {
			if part[1] != "" {
				b.WriteString(part[0] + part[1])
			}
		}
		limit := so.Limit
		if limit == 0 {
			limit = in.Default
		}
		if limit > 0 {
			b.WriteString(" LIMIT " + itoa(int(limit)))
		}
		if in.Offset > 0 {
			b.WriteString(" OFFSET " + itoa(int(in.Offset)))
		}
		b.WriteString(")")
	}
	if in.Overall > 0 {
		b.WriteString(" LIMIT " + itoa(int(in.Overall)))
	}
	return b.String()
}

package salesforce

import (
	"encoding/json"
	"net/http"
	"net/url"
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
	Default  int            `json:"defaultLimit"`
	Overall  int            `json:"overallLimit"`
	Offset   int            `json:"offset"`
}

// searchObject is an entity of the result.
type searchObject struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	Where  string   `json:"where"`
	Order  string   `json:"orderBy"`
	Limit  int      `json:"limit"`
}

// parameterizedSearch builds the search from parameters or a JSON body.
func (o *Org) parameterizedSearch(rq *request) (*response, error) {
	var in searchParams
	switch rq.method {
	case http.MethodGet:
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
	switch {
	case strings.TrimSpace(in.Q) == "":
		return nil, badRequest("MALFORMED_SEARCH", "q is missing: what to search for")
	case in.Offset > 0 && len(in.SObjects) != 1:
		return nil, badRequest("MALFORMED_SEARCH", "offset needs exactly one sobject")
	case in.Offset < 0 || in.Offset > maxOffset:
		return nil, badRequest("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is %d", maxOffset)
	case len(in.Fields) > 0 && len(in.SObjects) == 0:
		return nil, badRequest("MALFORMED_SEARCH", "fields need the sobjects they are of")
	}
	return o.search(rq, in.sosl())
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
	in := searchParams{Q: q.Get("q"), In: q.Get("in"), Fields: list("fields")}
	numbers := map[string]*int{"defaultLimit": &in.Default, "overallLimit": &in.Overall, "offset": &in.Offset}
	for _, name := range list("sobject") {
		in.SObjects = append(in.SObjects, searchObject{Name: name, Fields: list(name + ".fields"), Where: q.Get(name + ".where")})
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
		*dest = n
	}
	return in, nil
}

// sosl writes the search as a statement, which is then read and checked like any other.
func (in *searchParams) sosl() string {
	var b strings.Builder
	b.WriteString("FIND {" + soql.Term(in.Q) + "} IN " + strings.TrimSuffix(strings.ToUpper(orElse(in.In, "ALL")), " FIELDS") + " FIELDS")
	for i, so := range in.SObjects {
		b.WriteString(map[bool]string{true: " RETURNING ", false: ", "}[i == 0])
		fields := so.Fields
		if len(fields) == 0 {
			fields = in.Fields
		}
		b.WriteString(so.Name + "(" + orElse(strings.Join(fields, ", "), "Id"))
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
			b.WriteString(" LIMIT " + itoa(limit))
		}
		if in.Offset > 0 {
			b.WriteString(" OFFSET " + itoa(in.Offset))
		}
		b.WriteString(")")
	}
	if in.Overall > 0 {
		b.WriteString(" LIMIT " + itoa(in.Overall))
	}
	return b.String()
}

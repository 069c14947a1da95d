package salesforce

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Limits of composite graphs (REST API developer guide, "Composite Graph Limits").
const (
	maxGraphs        = 75
	maxNodes         = 500 // of all graphs of a call
	maxGraphDepth    = 15
	maxNodeKinds     = 15
	maxGraphFailures = 14
)

// graph is a set of parts that refer to each other and are done together or not at all.
type graph struct {
	ID    string       `json:"graphId"`
	Nodes []subrequest `json:"compositeRequest"`

	order []int // in which the nodes are run: what is referred to comes first
}

type graphResult struct {
	ID       string         `json:"graphId"`
	Response map[string]any `json:"graphResponse"`
	Done     bool           `json:"isSuccessful"`
}

var graphName = regexp.MustCompile(`^[A-Za-z0-9][^.]{0,38}$`)

// graphs answers /composite/graph.
func (o *Org) graphs(rq *request) (*response, error) {
	if rq.method != http.MethodPost {
		return nil, methodNotAllowed(rq.method)
	}
	var in struct {
		Graphs []graph `json:"graphs"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if err := checkGraphs(rq.version, in.Graphs); err != nil {
		return nil, err
	}
	results := make([]graphResult, 0, len(in.Graphs))
	failures := 0
	for _, g := range in.Graphs {
		var parts []subresponse
		done := false
		if failures > maxGraphFailures {
			parts = make([]subresponse, len(g.Nodes))
			halt(parts, -1, g.Nodes)
		} else {
			var err error
			if parts, done, err = o.runParts(rq, g.Nodes, g.order, true); err != nil {
				return nil, err
			}
		}
		if !done {
			failures++
		}
		results = append(results, graphResult{g.ID, map[string]any{"compositeResponse": parts}, done})
	}
	return ok(map[string]any{"graphs": results}), nil
}

func checkGraphs(version int, list []graph) error {
	if len(list) == 0 {
		return badRequest("JSON_PARSER_ERROR", "'graphs' is a required field.")
	}
	if len(list) > maxGraphs {
		return badRequest("LIMIT_EXCEEDED", "The request can’t contain more than %d graphs.", maxGraphs)
	}
	nodes, names, kinds := 0, map[string]bool{}, map[string]bool{}
	for i := range list {
		g := &list[i]
		if !graphName.MatchString(g.ID) || names[g.ID] {
			return badRequest("JSON_PARSER_ERROR", "The graphId '%s' must be unique, start with a letter or a number, be shorter than 40 characters and have no dot.", shorten(g.ID))
		}
		names[g.ID] = true
		if nodes += len(g.Nodes); nodes > maxNodes {
			return badRequest("LIMIT_EXCEEDED", "The request can’t contain more than %d nodes.", maxNodes)
		}
		if len(g.Nodes) == 0 {
			return badRequest("JSON_PARSER_ERROR", "'compositeRequest' is a required field.")
		}
		if err := checkParts(version, g.Nodes); err != nil {
			return err
		}
		for _, n := range g.Nodes {
			kind, err := graphNode(n)
			if err != nil {
				return err
			}
			kinds[kind] = true
		}
		if err := g.sort(); err != nil {
			return err
		}
	}
	if len(kinds) > maxNodeKinds {
		return badRequest("LIMIT_EXCEEDED", "The request can’t contain more than %d different nodes: they are told apart by version, method and object.", maxNodeKinds)
	}
	return nil
}

// graphNode tells nodes apart by version, method and object, and refuses what is no node: only records can be.
func graphNode(n subrequest) (string, error) {
	path, _, _ := strings.Cut(n.URL, "?")
	segs := strings.Split(strings.Trim(kit.CleanPath(path), "/"), "/")
	methods := map[int][]string{
		5: {http.MethodPost},
		6: {http.MethodDelete, http.MethodGet, http.MethodPatch},
		7: {http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost},
	}[len(segs)]
	if resourceOf(segs) != "sobjects" || !slices.Contains(methods, n.Method) {
		return "", badRequest("JSON_PARSER_ERROR", "%s %s is no node of a graph: a node creates, reads, changes or deletes one record.", n.Method, shorten(n.URL))
	}
	version, err := parseVersion(segs[2])
	if err != nil || version < 50 {
		return "", badRequest("JSON_PARSER_ERROR", "The version of a node must be 50.0 or later: it is %s", shorten(n.URL))
	}
	return strings.ToLower(n.Method + segs[2] + segs[4]), nil
}

// sort puts nodes after those they refer to, and refuses circles and paths that are too long.
func (g *graph) sort() error {
	at := map[string]int{}
	for i, n := range g.Nodes {
		at[n.ReferenceID] = i
	}
	depth := make([]int, len(g.Nodes)) // 0: not seen, -1: being looked at
	var visit func(i int) error
	visit = func(i int) error {
		if depth[i] > 0 {
			return nil
		}
		if depth[i] < 0 {
			return badRequest("JSON_PARSER_ERROR", "The graph '%s' has a circle: %s refers to itself.", g.ID, g.Nodes[i].ReferenceID)
		}
		depth[i] = -1
		deepest := 0
		for _, m := range referencePattern.FindAllStringSubmatch(g.Nodes[i].URL+" "+string(g.Nodes[i].Body), -1) {
			j, known := at[m[1][:strings.IndexAny(m[1]+".", ".[")]]
			if !known {
				continue // fails when it is run
			}
			if err := visit(j); err != nil {
				return err
			}
			deepest = max(deepest, depth[j])
		}
		if depth[i] = deepest + 1; depth[i] > maxGraphDepth {
			return badRequest("LIMIT_EXCEEDED", "The graph '%s' is deeper than %d.", g.ID, maxGraphDepth)
		}
		g.order = append(g.order, i)
		return nil
	}
	for i := range g.Nodes {
		if err := visit(i); err != nil {
			return err
		}
	}
	return nil
}

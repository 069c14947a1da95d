package flowtest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tandemcc/tandem/internal/flow"
)

// Coverage says which nodes and exits of a flow tests have reached. Nodes that nothing leads to are not counted.
type Coverage struct {
	Nodes        int    `json:"nodes"`
	NodesReached int    `json:"nodesReached"`
	Edges        int    `json:"edges"`
	EdgesTaken   int    `json:"edgesTaken"`
	Missed       []Miss `json:"missed"`
	// Unreachable are the names of nodes that neither the start nor a handler leads to.
	Unreachable []string `json:"unreachable"`
}

// Miss is a node that no test reached or, with a port, an exit that none took.
type Miss struct {
	Node string    `json:"node"`
	Port flow.Port `json:"port,omitempty"`
	To   string    `json:"to,omitempty"`
}

// NodeShare and EdgeShare are between 0 and 1; a flow without edges has them all.
func (c Coverage) NodeShare() float64 { return share(c.NodesReached, c.Nodes) }

// EdgeShare is the share of exits taken.
func (c Coverage) EdgeShare() float64 { return share(c.EdgesTaken, c.Edges) }

func share(part, all int) float64 {
	if all == 0 {
		return 1
	}
	return float64(part) / float64(all)
}

type edge struct {
	from flow.NodeID
	port flow.Port
}

// cover collects what runs of one flow have reached.
type cover struct {
	f     *flow.Flow
	nodes map[flow.NodeID]bool
	edges map[edge]bool
}

func newCover(f *flow.Flow) *cover {
	return &cover{f: f, nodes: make(map[flow.NodeID]bool), edges: make(map[edge]bool)}
}

func (c *cover) add(r *Result) {
	for _, s := range r.Trace {
		c.nodes[s.ID] = true
		if s.Port != "" {
			c.edges[edge{s.ID, s.Port}] = true
		}
	}
}

func (c *cover) report() Coverage {
	out := Coverage{Missed: []Miss{}, Unreachable: []string{}}
	live := reachable(c.f)
	for _, id := range byName(c.f) {
		n := c.f.Nodes[id]
		if !live[id] {
			out.Unreachable = append(out.Unreachable, n.Name)
			continue
		}
		out.Nodes++
		if c.nodes[id] {
			out.NodesReached++
		} else {
			out.Missed = append(out.Missed, Miss{Node: n.Name})
		}
		for _, p := range slices.Sorted(maps.Keys(n.Exits)) {
			out.Edges++
			if c.edges[edge{id, p}] {
				out.EdgesTaken++
			} else {
				out.Missed = append(out.Missed, Miss{Node: n.Name, Port: p, To: c.f.Nodes[n.Exits[p]].Name})
			}
		}
	}
	return out
}

// byName lists a flow's nodes by name.
func byName(f *flow.Flow) []flow.NodeID {
	return slices.SortedFunc(maps.Keys(f.Nodes), func(a, b flow.NodeID) int {
		return cmp.Or(cmp.Compare(f.Nodes[a].Name, f.Nodes[b].Name), cmp.Compare(a, b))
	})
}

// reachable are the nodes that the start or a handler leads to.
func reachable(f *flow.Flow) map[flow.NodeID]bool {
	seen := make(map[flow.NodeID]bool, len(f.Nodes))
	todo := []flow.NodeID{f.Start}
	for _, id := range f.On {
		todo = append(todo, id)
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := f.Nodes[id]
		if n == nil || seen[id] {
			continue
		}
		seen[id] = true
		for _, to := range n.Exits {
			todo = append(todo, to)
		}
	}
	return seen
}

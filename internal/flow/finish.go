package flow

// Finish completes an import's report: the references that are still unresolved, and every list in its order. Importers call
// it last.
func Finish(f *Flow, r *Report) {
	r.Unresolved = nil
	type key struct {
		node NodeID
		kind RefKind
		id   string
	}
	seen := make(map[key]bool)
	for _, ref := range f.Refs {
		k := key{ref.Node, ref.Kind, firstText(ref.ID, ref.Name)}
		if ref.Bound != "" || seen[k] {
			continue
		}
		seen[k] = true
		name := ""
		if n := f.Nodes[ref.Node]; n != nil {
			name = n.Name
		}
		r.Unresolved = append(r.Unresolved, Unresolved{Node: name, Kind: ref.Kind, ID: ref.ID, Name: ref.Name})
	}
	sortReport(r)
}

package yaml

import "github.com/tandemcc/tandem/internal/flow"

// opInfo describes an operation for authors: what it does, the names of its inputs, its outputs and its exits. The table is
// generated from the comments beside the operations' constants, which are what the machine's authors keep true.
type opInfo struct {
	op      flow.Op
	doc     string
	inputs  []string
	outputs string
	ports   []string
}

func opNamed(op flow.Op) (opInfo, bool) {
	for _, o := range opTable {
		if o.op == op {
			return o, true
		}
	}
	return opInfo{}, false
}

func opNames() []string {
	out := make([]string, len(opTable))
	for i, o := range opTable {
		out[i] = string(o.op)
	}
	return out
}

package connect

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// errorPorts are the error types that have a port of their own among those every flow knows. Some are written in two ways.
var errorPorts = map[string]flow.Port{
	"": flow.PortError, "NoMatchingError": flow.PortError, "NoMatchingCondition": flow.PortNoMatch,
	"InputTimeLimitExceeded": flow.PortTimeout, "TimeLimitExceeded": flow.PortTimeout, "ConnectionTimeLimitExceeded": flow.PortTimeout,
	"QueueAtCapacity": flow.PortCapacity, "CallFailed": flow.PortFailure,
	"MultipleFound": flow.PortErrorOf("MultipleFoundError"), "NoneFound": flow.PortErrorOf("NoneFoundError"),
}

// errorPort names the port of an error type.
func errorPort(typ string) flow.Port {
	if p, ok := errorPorts[typ]; ok {
		return p
	}
	return flow.PortErrorOf(typ)
}

// conditionPort names the port of a condition on an action's result.
func conditionPort(op flow.Op, operator, operand string) flow.Port {
	if operator != "" && operator != "Equals" {
		return flow.PortCase(operator + " " + operand)
	}
	switch {
	case op == flow.OpLoop && operand == "ContinueLooping":
		return flow.PortContinue
	case op == flow.OpLoop && operand == "DoneLooping":
		return flow.PortDone
	case op == flow.OpHours && operand == "True":
		return flow.PortHoursWork
	case op == flow.OpHours && operand == "False":
		return flow.PortFalse
	case op == flow.OpLoopPrompts:
		return flow.PortInterrupted
	case op == flow.OpMenu:
		return flow.PortDigit(operand)
	}
	return flow.PortCase(operand)
}

// transitions reads where an action leads: conditions on its result, errors, and else NextAction. Port names keep the place
// in the file, so that an export finds it again.
func (im *importing) transitions(a *action) {
	n := a.n
	var match []flow.Value
	for i, item := range a.trans.list("Conditions") {
		c := asProps(item)
		field := fmt.Sprintf("Transitions.Conditions[%d]", i)
		cond := c.obj("Condition")
		operands, values := operandsOf(cond, field)
		first := ""
		if len(operands) > 0 {
			first = operands[0]
		}
		port := unused(n, conditionPort(n.Op, cond.text("Operator"), first))
		if im.edge(n, field, port, c.text("NextAction"), field) {
			match = append(match, flow.Value{Map: map[string]flow.Value{
				"op": {Lit: cmp.Or(cond.text("Operator"), "Equals"), Field: field + ".Condition.Operator"}, "operands": {List: values}, "port": flow.Lit(string(port)),
			}})
		}
	}
	if matches(n.Op) || len(match) > 0 {
		n.In["match"] = flow.Value{List: match}
	}
	for i, item := range a.trans.list("Errors") {
		e := asProps(item)
		field := fmt.Sprintf("Transitions.Errors[%d]", i)
		port := errorPort(e.text("ErrorType"))
		if n.Exits[port] == "" {
			im.edge(n, field, port, e.text("NextAction"), field)
			continue
		}
		im.rep.Edges++
		im.problem(n.Name, field, flow.RuleShape, fixFile, "error type %s stands twice; the first one counts", e.text("ErrorType"))
	}
	if next := a.trans.text("NextAction"); next != "" {
		im.edge(n, "Transitions.NextAction", flow.PortOK, next, "Transitions.NextAction")
	}
	if n.Op == flow.OpMenu {
		n.In["digits"] = digits(match)
	}
	if n.Op == flow.OpSplit {
		shares(n, match)
	}
	im.missing(a)
}

// matches reports whether an operation has a result that conditions are asked of.
func matches(op flow.Op) bool {
	switch op {
	case flow.OpCompare, flow.OpLoop, flow.OpHours, flow.OpMenu, flow.OpMetric, flow.OpWait, flow.OpBot, flow.OpSub, flow.OpLoopPrompts, flow.OpView:
		return true
	default: // has one way on
		return false
	}
}

func operandsOf(cond props, field string) (texts []string, values []flow.Value) {
	list := cond.list("Operands")
	if one, ok := cond.get("Operands").(string); ok {
		list = []any{one}
	}
	for j, o := range list {
		texts = append(texts, scalar(o))
		values = append(values, flow.Dynamic(scalar(o), fmt.Sprintf("%s.Condition.Operands[%d]", field, j)))
	}
	return texts, values
}

// unused makes a port's name one that the node does not have yet.
func unused(n *flow.Node, p flow.Port) flow.Port {
	q := p
	for i := 2; n.Exits[q] != ""; i++ {
		q = p + flow.Port("#"+strconv.Itoa(i))
	}
	return q
}

// edge adds one way from a node to another, and reports whether there is one.
func (im *importing) edge(n *flow.Node, field string, port flow.Port, to, name string) bool {
	im.rep.Edges++
	target, ok := im.byID[to]
	if !ok {
		if to != "" || strings.HasPrefix(field, "Transitions.Conditions") {
			im.problem(n.Name, field+".NextAction", flow.RuleShape, fixFile, "it leads to %q, which is not in the file", to)
		}
		return false
	}
	n.Exits[port] = target
	n.PortNames[port] = name
	return true
}

// digits lists the entries a menu knows.
func digits(match []flow.Value) flow.Value {
	var out []flow.Value
	for _, m := range match {
		for _, v := range m.Map["operands"].List {
			if s, ok := v.Lit.(string); ok && m.Map["op"].Lit == "Equals" {
				out = append(out, flow.Lit(s))
			}
		}
	}
	return flow.Value{List: out}
}

// shares turns the conditions of DistributeByPercentage, upper bounds of a number from 1 to 100, into weights. What no
// condition covers goes to NoMatchingCondition.
func shares(n *flow.Node, match []flow.Value) {
	var weights []flow.Value
	below := 1.0
	add := func(label string, upTo float64) {
		weights = append(weights, flow.Value{Map: map[string]flow.Value{
			"label": flow.Lit(label), "percent": flow.Lit(strconv.FormatFloat(max(0, upTo-below), 'f', -1, 64)),
		}})
		below = max(below, upTo)
	}
	for _, m := range match {
		port := flow.Port(scalar(m.Map["port"].Lit))
		upTo := 0.0
		if ops := m.Map["operands"].List; len(ops) > 0 {
			upTo, _ = strconv.ParseFloat(scalar(ops[0].Lit), 64)
		}
		if m.Map["op"].Lit == "NumberLessOrEqualTo" {
			upTo++
		}
		label := strings.TrimPrefix(string(port), "case:")
		add(label, max(0, min(upTo, 101)))
		n.Exits[flow.PortShare(label)], n.PortNames[flow.PortShare(label)] = n.Exits[port], n.PortNames[port]
		delete(n.Exits, port)
		delete(n.PortNames, port)
	}
	if below <= 100 {
		const rest = "rest"
		from := flow.PortNoMatch
		if n.Exits[from] == "" {
			from = flow.PortOK
		}
		add(rest, 101)
		if to := n.Exits[from]; to != "" {
			n.Exits[flow.PortShare(rest)] = to
		}
	}
	delete(n.In, "match")
	n.In["weights"] = flow.Value{List: weights}
}

// mayFail are the actions whose documentation asks for an error branch.
var mayFail = []string{
	"MessageParticipant", "MessageParticipantIteratively", "GetParticipantInput", "InvokeLambdaFunction", "UpdateContactAttributes", "UpdateFlowAttributes",
	"UpdateContactTargetQueue", "TransferContactToQueue", "TransferToFlow", "InvokeFlowModule", "CheckHoursOfOperation", "CheckMetricData", "GetMetricData",
	"UpdateContactEventHooks", "UpdateContactData", "Wait", "CreateCallbackContact", "TransferParticipantToThirdParty", "ConnectParticipantWithLexBot",
	"ShowView", "CreateTask", "GetCustomerProfile", "CreateCustomerProfile", "UpdateCustomerProfile", "UpdateContactMediaStreamingBehavior",
}

// missing warns of branches without which a contact is dropped.
func (im *importing) missing(a *action) {
	n := a.n
	if slices.Contains(mayFail, a.typ) && n.Exits[flow.PortError] == "" {
		im.problem(n.Name, "Transitions.Errors", flow.RuleErrorBranch, "add a NoMatchingError branch, e.g. to a queue",
			"%s has no error branch: when it fails the contact is dropped", n.Type)
	}
	if n.Op == flow.OpCompare && n.Exits[flow.PortNoMatch] == "" && n.Exits[flow.PortOK] == "" {
		im.problem(n.Name, "Transitions.Errors", flow.RuleErrorBranch, "add a NoMatchingCondition branch",
			"%s has no branch for a value that no condition names: the contact is dropped", n.Type)
	}
}

// placeholder is what deployment tools replace before a flow is put into service.
var placeholder = regexp.MustCompile(`\$\{[^{}]+\}|%{1,2}[A-Za-z_][A-Za-z0-9_.]*%{1,2}|\{\{[^{}]+\}\}`)

// placeholders reports what is to be filled in and is no reference of a known kind.
func (im *importing) placeholders(node string, v any) {
	switch t := v.(type) {
	case props:
		im.placeholders(node, map[string]any(t))
	case map[string]any:
		for _, k := range props(t).names() {
			im.placeholders(node, t[k])
		}
	case []any:
		for _, x := range t {
			im.placeholders(node, x)
		}
	case string:
		for _, id := range placeholder.FindAllString(t, -1) {
			if !slices.ContainsFunc(im.f.Refs, func(r flow.Ref) bool { return string(r.Node) == node && strings.Contains(r.ID, id) }) {
				im.f.Refs = append(im.f.Refs, flow.Ref{Node: flow.NodeID(node), Kind: flow.RefOther, ID: id})
			}
		}
	}
}

// attributes declares the contact's attributes that the flow reads or writes: agents see them.
func (im *importing) attributes() {
	seen := make(map[string]bool)
	add := func(name string) {
		if name == "" || seen[name] || strings.HasPrefix(name, "$") || strings.HasPrefix(name, "Global_") || len(seen) >= flow.MaxVars {
			return
		}
		seen[name] = true
	}
	for _, a := range im.actions {
		for _, item := range a.n.In["sets"].List {
			name, _ := item.Map["var"].Lit.(string)
			add(name)
		}
		eachSource(a.n, func(src string) {
			for _, s := range flow.ConnectSpans(src) {
				if s.Names[0] == "Attributes" && len(s.Names) > 1 {
					add(s.Names[1])
				}
			}
		})
		if a.n.In["secure"].Lit == true {
			seen[stored] = true
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := flow.Var{Name: name, Type: flow.TypeString, CAD: name != stored, Secure: name == stored}
		if v.CAD {
			v.Label = name
		}
		im.f.Vars = append(im.f.Vars, v)
	}
}

// eachSource calls fn for every dynamic value of a node.
func eachSource(n *flow.Node, fn func(string)) {
	var walk func(flow.Value)
	walk = func(v flow.Value) {
		if v.Dialect == flow.DialectConnect {
			fn(v.Src)
		}
		for _, x := range v.List {
			walk(x)
		}
		for _, x := range v.Map {
			walk(x)
		}
	}
	for _, v := range n.In {
		walk(v)
	}
}

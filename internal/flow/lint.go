package flow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow/expr"
	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// linter collects the problems of one flow.
type linter struct {
	f     *Flow
	names map[string]string // what templates may name, by lower-case name
	out   []Problem
}

// Lint names the defects of a flow, in order of nodes and fields. The flow may be any, also one that does not compile.
func Lint(f *Flow) []Problem {
	l := &linter{f: f, names: knownNames(f)}
	for _, id := range slices.Sorted(maps.Keys(f.Nodes)) {
		n := f.Nodes[id]
		eachValue(n, func(v Value) { l.value(n, v) })
		l.queries(n)
		for _, b := range n.Out {
			l.path(n, b)
			l.declared(n, b.Var, b.Field)
		}
		for _, item := range n.In["sets"].List {
			name, _ := item.Map["var"].Lit.(string)
			l.declared(n, name, item.Map["var"].Field)
		}
		l.unguarded(n)
	}
	l.variables()
	l.handler()
	l.exits()
	slices.SortStableFunc(l.out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Position, b.Position),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(l.out, func(a, b Problem) bool { return a == b })
}

func (l *linter) add(n *Node, field string, pos int, rule Rule, msg string) *Problem {
	p := Problem{Field: field, Position: pos, Message: msg, Rule: rule}
	if n != nil {
		p.Node, p.ID = n.Name, n.ID
	}
	l.out = append(l.out, p)
	return &l.out[len(l.out)-1]
}

// replacement gives a problem a text that takes the field's place, if there is one.
func (p *Problem) replacement(text, advice string) {
	p.Fix, p.Replace = text, text != ""
	if !p.Replace {
		p.Fix = advice
	}
}

// knownNames lists what a template may read: variables, nodes, events and the contact.
func knownNames(f *Flow) map[string]string {
	names := make(map[string]string)
	add := func(s string) { names[strings.ToLower(s)] = s }
	for _, s := range expr.SystemObjects() {
		add(s)
	}
	for _, list := range eventAliases {
		for _, s := range list {
			add(s)
		}
	}
	for _, n := range f.Nodes {
		add(n.Name)
		if s, ok := n.In["event"].Lit.(string); ok && n.Op == OpEvent {
			add(s)
		}
	}
	for _, v := range f.Vars {
		add(v.Name)
	}
	return names
}

// value checks one text of a node: that it compiles, and that what it reads exists.
func (l *linter) value(n *Node, v Value) {
	if v.Dialect == DialectConnect {
		l.dynamic(n, v)
	}
	if v.Dialect != DialectPebble {
		return
	}
	t, err := expr.Parse(v.Src)
	if err != nil {
		l.malformed(n, v, err)
		return
	}
	for _, r := range t.Refs() {
		l.read(n, v, r)
	}
	for _, s := range t.Segments() {
		if s.Kind == expr.SegmentOutput && bareNow.MatchString(s.Value) {
			l.bareNow(n, v, s)
		}
	}
}

func (l *linter) malformed(n *Node, v Value, err error) {
	var se *expr.SyntaxError
	if !errors.As(err, &se) {
		se = &expr.SyntaxError{Msg: err.Error()}
	}
	p := l.add(n, v.Field, se.Pos, RuleTemplate, "the template is malformed: "+se.Msg)
	p.replacement(mendTemplate(v.Src, se), "correct the expression at this place")
}

// mendTemplate is the template without its evident mistake, or "".
func mendTemplate(src string, se *expr.SyntaxError) string {
	if se.Fix != "" {
		return se.Fix
	}
	for _, try := range []string{strayBracket.ReplaceAllString(src, "{{ $1 }}")} {
		if _, err := expr.Parse(try); err == nil && try != src {
			return try
		}
	}
	return ""
}

func (l *linter) read(n *Node, v Value, r expr.Ref) {
	if r.Guarded {
		return
	}
	for _, x := range l.f.Vars {
		if x.Name == r.Name {
			return
		}
	}
	known, ok := l.names[strings.ToLower(r.Name)]
	if ok && (known == r.Name || !l.isVar(known)) || strings.HasPrefix(r.Name, "Global_") {
		return
	}
	p := l.add(n, v.Field, r.Pos, RuleUndeclared, fmt.Sprintf("variable %s is not declared and is always empty", r.Name))
	fixed := ""
	if ok && strings.HasPrefix(v.Src[min(r.Pos, len(v.Src)):], r.Name) {
		fixed = v.Src[:r.Pos] + known + v.Src[r.Pos+len(r.Name):]
	}
	p.replacement(fixed, "declare variable "+r.Name+", or correct its name")
}

func (l *linter) isVar(name string) bool {
	return slices.ContainsFunc(l.f.Vars, func(v Var) bool { return v.Name == name })
}

func (l *linter) declared(n *Node, name, field string) {
	if name == "" || l.isVar(name) || strings.HasPrefix(name, "Global_") || strings.HasPrefix(name, "$") {
		return
	}
	p := l.add(n, field, -1, RuleUndeclared, fmt.Sprintf("variable %s is written but not declared; it is kept as STRING", name))
	p.Fix = "declare variable " + name + ", or correct its name"
}

func (l *linter) bareNow(n *Node, v Value, s expr.Segment) {
	at := strings.Index(s.Text, "now()")
	if at < 0 {
		return
	}
	const form = `now() | replace({"[UTC]": ""})`
	p := l.add(n, v.Field, s.Pos+at, RuleNow,
		"now() is an addition of Webex to Pebble and writes 2026-01-31T12:00:00.5Z[UTC], which other systems do not read as a time")
	p.replacement(checked(v.Src[:s.Pos+at]+form+v.Src[s.Pos+at+len("now()"):]), "write "+form)
}

// checked returns a template that compiles, else "".
func checked(src string) string {
	if _, err := expr.Parse(src); err != nil {
		return ""
	}
	return src
}

// path checks one output: that its path is RFC 9535, and that it gives one value where one is wanted.
func (l *linter) path(n *Node, b Bind) {
	src := b.Path
	if src == "" || src == "$" {
		return
	}
	if _, err := jsonpath.Parse(src, jsonpath.Strict); err != nil {
		pos, msg, fix := pathError(src, err)
		p := l.add(n, b.Field, pos, RulePath, "the path is not JSONPath as RFC 9535 has it: "+msg)
		p.replacement(fix, "write the path as RFC 9535 has it, e.g. $.records[0].Id")
		if fix == "" {
			return
		}
		src = fix
	}
	q, err := jsonpath.Parse(src, jsonpath.Jayway)
	if err != nil || q.Definite() || l.typeOf(b.Var) == TypeJSON {
		return
	}
	p := l.add(n, b.Field, max(0, strings.IndexAny(src, "*?")), RuleIndefinite, fmt.Sprintf(
		"the path gives a list of values, and variable %s holds one %s", b.Var, l.typeOf(b.Var)))
	p.replacement(oneValue(src), "name one value, e.g. with [0]")
}

func (l *linter) typeOf(name string) Type {
	for _, v := range l.f.Vars {
		if v.Name == name {
			return v.Type
		}
	}
	return TypeString
}

// pathError reads where a path is wrong, and how to write it.
func pathError(src string, err error) (pos int, msg, fix string) {
	var se *jsonpath.SyntaxError
	if !errors.As(err, &se) {
		se = &jsonpath.SyntaxError{Msg: err.Error()}
	}
	fix = se.Fix
	if fix == "" {
		fix = rfcPath(src)
	}
	if _, err := jsonpath.Parse(fix, jsonpath.Strict); err != nil {
		fix = ""
	}
	return se.Pos, se.Msg, fix
}

// rfcPath writes a path of the Jayway dialect as RFC 9535 has it.
func rfcPath(src string) string {
	s := strings.ReplaceAll(src, ".[", "[")
	switch {
	case strings.HasPrefix(s, "$"):
		return s
	case strings.HasPrefix(s, "["):
		return "$" + s
	}
	return "$." + s
}

// oneValue makes a path definite: the object instead of all of its members, the first element instead of all.
func oneValue(src string) string {
	s := src
	for _, tail := range []string{".*", "[*]"} {
		s = strings.TrimSuffix(s, tail)
	}
	s = strings.ReplaceAll(s, "[*]", "[0]")
	if p, err := jsonpath.Parse(s, jsonpath.Strict); err != nil || !p.Definite() {
		return ""
	}
	return s
}

// variables checks the declarations.
func (l *linter) variables() {
	compared := l.comparedTexts()
	for _, v := range l.f.Vars {
		field := "variables." + v.Name + ".value"
		if _, err := v.Type.convert(plain(v.Value)); err != nil {
			p := l.add(nil, field, 0, RuleValue, fmt.Sprintf("variable %s is %s and its start value does not fit: %v", v.Name, v.Type, err))
			p.Fix = "give it a value of its type, or none"
			continue
		}
		s, _ := v.Value.(string)
		if low := strings.ToLower(s); (low == "null" || low == "none") && !compared[s] {
			p := l.add(nil, field, 0, RuleDefault, fmt.Sprintf(
				"variable %s starts as the text %q, which is no empty value: it is spoken, shown and sent as it stands", v.Name, s))
			p.Fix = "leave the value empty and test it with {{ " + v.Name + " is empty }}"
		}
	}
}

// comparedTexts lists the texts that some condition compares with: a flow that tests for "null" means what it says.
func (l *linter) comparedTexts() map[string]bool {
	out := make(map[string]bool)
	for _, n := range l.f.Nodes {
		if n.Op != OpCond && n.Op != OpCase {
			continue
		}
		eachValue(n, func(v Value) {
			for _, m := range quotedText.FindAllStringSubmatch(v.Src, -1) {
				out[m[1]+m[2]] = true
			}
			if n.Op == OpCase {
				out[text(v.Lit)] = true
			}
		})
	}
	return out
}

// handler checks that something handles requests that get no answer.
func (l *linter) handler() {
	var open []string
	for _, n := range l.f.Nodes {
		if n.Op == OpHTTP && n.Exits[PortError] == "" {
			open = append(open, n.Name)
		}
	}
	if len(open) == 0 {
		return
	}
	slices.Sort(open)
	why := "has no handler for errors"
	if id, ok := l.f.On[OnError]; ok {
		if n := l.f.Nodes[id]; n == nil || len(n.Exits) > 0 || n.Op != OpEvent {
			return
		}
		why = "has a handler for errors that leads nowhere"
	}
	p := l.add(nil, "eventFlows.onEvents.GlobalErrorHandling", -1, RuleNoHandler, fmt.Sprintf(
		"the flow %s: when %s gets no answer, the caller hears an apology and is disconnected", why, strings.Join(open, " or ")))
	p.Fix = "wire GlobalErrorHandling to a queue, so that callers are served while the other system is down"
}

// exits checks that every node can be reached and leads on.
func (l *linter) exits() {
	reached := l.reach(func(*Node) bool { return false })
	for _, n := range l.f.Nodes {
		switch {
		case !reached[n.ID] && n.Op != OpEvent:
			p := l.add(n, "", -1, RuleExit, "no way leads to this node")
			p.Fix = "connect it, or delete it"
		case needsExit(n):
			p := l.add(n, "", -1, RuleExit, "nothing comes after this node: the path ends here")
			p.Fix = "connect its default port"
		}
	}
}

func needsExit(n *Node) bool {
	if len(n.In["match"].List) > 0 {
		return len(n.Exits) == 0
	}
	switch n.Op {
	case OpStart, OpSet, OpSay, OpMusic, OpHTTP, OpParse, OpPop, OpCollect, OpWait:
		return n.Exits[PortOK] == ""
	case OpMenu, OpCase, OpCompare, OpLoop, OpMetric, OpFunction:
		return len(n.Exits) == 0
	case OpCond:
		return n.Exits[PortTrue] == "" || n.Exits[PortFalse] == ""
	default: // ends the path, or may do so
		return false
	}
}

// reach returns the nodes that can be reached without passing through one where stop is true.
func (l *linter) reach(stop func(*Node) bool) map[NodeID]bool {
	seen := make(map[NodeID]bool)
	todo := []NodeID{l.f.Start}
	for _, id := range l.f.On {
		todo = append(todo, id)
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := l.f.Nodes[id]
		if n == nil || seen[id] {
			continue
		}
		seen[id] = true
		if stop(n) {
			continue
		}
		for _, to := range n.Exits {
			todo = append(todo, to)
		}
	}
	return seen
}

package flow

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

var (
	bareNow      = regexp.MustCompile(`now\(\)\s*$`)
	strayBracket = regexp.MustCompile(`\{\{\s*\[\s*([A-Za-z_][\w.]*)\s*\}\}`)
	quotedText   = regexp.MustCompile(`"([^"]*)"|'([^']*)'`)
	simpleChain  = regexp.MustCompile(`^[\w.]+(\s*\|\s*\w+\s*(\([^()]*\))?)*$`)
)

// queries checks what goes into the addresses a node calls or opens.
func (l *linter) queries(n *Node) {
	switch n.Op {
	case OpHTTP:
		l.address(n, n.In["url"])
		l.address(n, n.In["path"])
		for name, v := range n.In["query"].Map {
			l.parameter(n, name, v)
		}
		l.body(n, n.In["body"])
	case OpPop:
		l.address(n, n.In["url"])
	default: // calls nobody
	}
}

// unsafe is one value that goes into a text as it is.
type unsafe struct {
	seg  expr.Segment
	kind string // soql, like, token, odata, url, json
}

// address checks the values in a URL or a path.
func (l *linter) address(n *Node, v Value) {
	src, segs := l.segments(v)
	if segs == nil {
		return
	}
	var bad []unsafe
	var seen strings.Builder
	for _, s := range segs {
		if s.Kind != expr.SegmentOutput {
			seen.WriteString(s.Text)
			continue
		}
		if kind := l.exposure(seen.String(), s); kind != "" {
			bad = append(bad, unsafe{s, kind})
		}
		seen.WriteByte(0)
	}
	fix := escapedText(src, bad)
	for _, u := range bad {
		pos := u.seg.Pos
		if src != v.Src {
			pos = min(pos, len(v.Src)) // the place in the text as it stands, up to the first mended mistake
		}
		p := l.add(n, v.Field, pos, RuleInjection, injectionText(u))
		p.replacement(fix, "escape the value")
	}
}

// body checks what the caller supplies in the texts of a JSON body.
func (l *linter) body(n *Node, v Value) {
	src, segs := l.segments(v)
	pl, isJSON := bodyPlace(contentType(text(n.In["contentType"].Lit)), v.Src).(*jsonPlace)
	if segs == nil || !isJSON {
		return
	}
	var bad []unsafe
	for _, s := range segs {
		switch {
		case s.Kind != expr.SegmentOutput:
			pl.literal(s.Text)
		case pl.inString && l.fromCaller(s) && !jsonFilter.MatchString(s.Value) && !urlencodeFilter.MatchString(s.Value):
			bad = append(bad, unsafe{s, "json"})
		}
	}
	fix := escapedText(src, bad)
	for _, u := range bad {
		l.add(n, v.Field, min(u.seg.Pos, len(v.Src)), RuleInjection, injectionText(u)).replacement(fix, "escape the value")
	}
}

// segments cuts a text into its parts; of a malformed one, its mended form.
func (l *linter) segments(v Value) (string, []expr.Segment) {
	if v.Dialect != DialectPebble {
		return "", nil
	}
	t, err := expr.Parse(v.Src)
	if err == nil {
		return v.Src, t.Segments()
	}
	se, ok := err.(*expr.SyntaxError) //nolint:errorlint // Parse gives it as it is
	if !ok {
		return "", nil
	}
	fixed := mendTemplate(v.Src, se)
	if t, err = expr.Parse(fixed); fixed == "" || err != nil {
		return "", nil
	}
	return fixed, t.Segments()
}

// exposure says how a value could change the meaning of the text before it; "" if it cannot.
func (l *linter) exposure(before string, s expr.Segment) string {
	if authorEscaped(s.Value) || escaperAt(before) == nil {
		return ""
	}
	kind, q := queryLanguage(before)
	switch kind {
	case "soql":
		quoted, like := soqlPlace(q)
		switch {
		case like:
			return "like"
		case quoted:
			return "soql"
		}
		return "token"
	case "odata":
		if strings.Count(q, "'")%2 == 1 {
			return "odata"
		}
	}
	if strings.Contains(s.Value, "urlencode") || !l.fromCaller(s) {
		return ""
	}
	return "url"
}

// fromCaller reports whether an expression reads what a caller supplies.
func (l *linter) fromCaller(s expr.Segment) bool {
	for _, r := range s.Refs {
		low := strings.ToLower(r.Path)
		if !l.isVar(r.Name) && slices.ContainsFunc(expr.SystemObjects(), func(o string) bool { return strings.EqualFold(o, r.Name) }) {
			return strings.HasSuffix(low, ".ani") || strings.Contains(low, ".headers")
		}
		if strings.HasSuffix(low, ".digitsentered") {
			return true
		}
	}
	return false
}

func injectionText(u unsafe) string {
	what := "{{ " + clip(u.seg.Value) + " }}"
	switch u.kind {
	case "soql", "like":
		return what + " goes into a SOQL text as it is: a value with a quote changes the query (SOQL injection)"
	case "token":
		return what + " goes into a SOQL query outside quotes: any value changes the query (SOQL injection)"
	case "odata":
		return what + " goes into an OData filter as it is: a value with a quote changes the filter (injection)"
	}
	if u.kind == "json" {
		return what + " comes from the caller and goes into a JSON text as it is: a value with a quote changes the document (injection)"
	}
	return what + " comes from the caller and goes into the address without URL encoding"
}

// escapedText is the whole template with each unsafe value escaped, in filters that Webex has too.
func escapedText(src string, bad []unsafe) string {
	for _, u := range slices.Backward(bad) {
		src = src[:u.seg.Pos] + "{{ " + escapedExpr(u) + " }}" + src[u.seg.Pos+len(u.seg.Text):]
	}
	return checked(src)
}

// escapedExpr escapes after URL encoding, where a quote is %27 and a backslash %5C, since Pebble's own texts treat
// backslashes in ways of their own.
func escapedExpr(u unsafe) string {
	e := u.seg.Value
	if !simpleChain.MatchString(e) {
		e = "(" + e + ")"
	}
	if u.kind == "odata" {
		return strings.TrimRight(urlencodeFilter.ReplaceAllString(e, ""), " ") + ` | replace({"'": "''"}) | urlencode`
	}
	if u.kind == "json" {
		return e + ` | escape(strategy="json")`
	}
	if !urlencodeFilter.MatchString(e) {
		e += " | urlencode"
	}
	if u.kind == "url" {
		return e
	}
	e += ` | replace({"%5C": "%5C%5C"}) | replace({"%27": "%5C%27"})`
	if u.kind == "like" {
		e += ` | replace({"%25": "%5C%25"}) | replace({"_": "%5C_"})`
	}
	return e
}

// parameter checks a query parameter, which the request encodes by itself.
func (l *linter) parameter(n *Node, name string, v Value) {
	_, segs := l.segments(v)
	var seen strings.Builder
	for _, s := range segs {
		if s.Kind != expr.SegmentOutput {
			seen.WriteString(s.Text)
			continue
		}
		kind, q := languageOf(name, seen.String())
		seen.WriteByte(0)
		if kind == "soql" || kind == "odata" && strings.Count(q, "'")%2 == 1 {
			p := l.add(n, v.Field, s.Pos, RuleInjection, injectionText(unsafe{s, kind}))
			p.Fix = "move the query into the path and escape the value there: " + "{{ " + escapedExpr(unsafe{s, "soql"}) + " }}"
		}
	}
}

// unguarded finds requests that change a record whose identifier comes from a look-up that may have found nothing.
func (l *linter) unguarded(n *Node) {
	if n.Op != OpHTTP {
		return
	}
	switch strings.ToUpper(text(n.In["method"].Lit)) {
	case "", "GET", "HEAD", "OPTIONS":
		return
	}
	for _, v := range []Value{n.In["url"], n.In["path"]} {
		_, segs := l.segments(v)
		for _, s := range segs {
			if s.Kind != expr.SegmentOutput || len(s.Refs) != 1 {
				continue
			}
			name := s.Refs[0].Name
			if !l.mayBeUnset(name) || l.guarded(n, name) {
				continue
			}
			p := l.add(n, v.Field, s.Pos, RuleUnguarded, "the request is sent even if "+name+
				" was not found: the address then ends in an empty value, or in the text the variable started with")
			p.Fix = "put a condition before it: " + guardOf(name)
			p.Var = name
		}
	}
}

// guardOf is the condition under which a variable holds something.
func guardOf(name string) string {
	return "{{ " + name + " is not empty and " + name + ` != "null" and ` + name + ` != "None" }}`
}

// mayBeUnset reports whether a variable starts empty and is filled by a look-up.
func (l *linter) mayBeUnset(name string) bool {
	for _, v := range l.f.Vars {
		if v.Name != name {
			continue
		}
		if !Unset(v.Value) {
			return false
		}
		for _, n := range l.f.Nodes {
			if slices.ContainsFunc(n.Out, func(b Bind) bool { return b.Var == name }) {
				return true
			}
		}
	}
	return false
}

// guarded reports whether every way to a node passes a decision on the variable.
func (l *linter) guarded(n *Node, name string) bool {
	if text(n.In["skipWhenUnset"].Lit) == name {
		return true
	}
	decides := func(x *Node) bool {
		if x.Op != OpCond && x.Op != OpCase {
			return false
		}
		return slices.Contains(readNames(x.In["expr"]), name)
	}
	return !l.reach(decides)[n.ID]
}

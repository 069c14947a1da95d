package flow

import (
	"strings"

	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// Dynamic values of Amazon Connect ("Flow language", JSONPath references): a text with references like $.Attributes.name or
// $.External['a name'] in it. The first name is a namespace; what it holds is kept in variables of the session whose names
// begin with "$", so that it goes along when the contact is handed to another flow. Attributes of the contact are plain
// variables.

// connectRef is one reference.
type connectRef struct {
	src string
	// name is the variable to read, and rest the path within it; nil is all of it.
	name string
	rest *jsonpath.Path
}

// find returns what a reference leads to, nil if to nothing.
func (r *connectRef) find(vars map[string]any) any {
	v := vars[r.name]
	if r.rest == nil || v == nil {
		return v
	}
	x, err := r.rest.One(v)
	if err != nil {
		return nil
	}
	return x
}

// connectAliases are namespaces that the session keeps under a name of its own.
var connectAliases = map[string]string{
	"LanguageCode": "Global_Language", "TextToSpeechVoiceId": "Global_VoiceName", "CustomerCallBackPhoneNumber": "$CallbackNumber",
}

// ConnectSpan is one reference in a dynamic value: where it stands, and its names from the namespace on.
type ConnectSpan struct {
	Start, End int
	Names      []string
}

// ConnectSpans finds the references in a dynamic value of Amazon Connect.
func ConnectSpans(src string) []ConnectSpan {
	var out []ConnectSpan
	for i := 0; i < len(src); {
		at := strings.IndexByte(src[i:], '$')
		if at < 0 {
			break
		}
		at += i
		names, end := scanNames(src, at+1)
		if len(names) == 0 {
			i = at + 1
			continue
		}
		out = append(out, ConnectSpan{at, end, names})
		i = end
	}
	return out
}

// scanNames reads .name, ['name'], .['name'] and [0] from i on.
func scanNames(src string, i int) (names []string, end int) {
	for {
		j := i
		if j < len(src) && src[j] == '.' {
			j++
		}
		if j < len(src) && src[j] == '[' {
			name, next := bracketName(src, j)
			if next < 0 {
				return names, i
			}
			names, i = append(names, name), next
			continue
		}
		k := j
		for k < len(src) && isNameByte(src[k]) {
			k++
		}
		for k > j && src[k-1] == '-' { // a dash that ends a word is punctuation
			k--
		}
		if k == j || j == i {
			return names, i
		}
		names, i = append(names, src[j:k]), k
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// bracketName reads one bracket with a quoted name or a number in it; next is -1 when it is none.
func bracketName(src string, i int) (name string, next int) {
	end := strings.IndexByte(src[i:], ']')
	if end < 0 {
		return "", -1
	}
	in := src[i+1 : i+end]
	if len(in) >= 2 && (in[0] == '\'' || in[0] == '"') {
		if in[len(in)-1] != in[0] {
			return "", -1
		}
		return in[1 : len(in)-1], i + end + 1
	}
	if in == "" || strings.Trim(in, "0123456789") != "" {
		return "", -1
	}
	return "#" + in, i + end + 1
}

// refOf compiles a reference.
func refOf(span ConnectSpan, src string) *connectRef {
	r := &connectRef{src: src[span.Start:span.End]}
	root, rest := span.Names[0], span.Names[1:]
	switch alias := connectAliases[root]; {
	case root == "Attributes" && len(rest) > 0:
		r.name, rest = rest[0], rest[1:]
	case root == "FlowAttributes" && len(rest) > 0:
		r.name, rest = "$FlowAttributes."+rest[0], rest[1:]
	case alias != "":
		r.name = alias
	default:
		r.name = "$" + root
	}
	if len(rest) == 0 {
		return r
	}
	var b strings.Builder
	b.WriteByte('$')
	for _, name := range rest {
		if n, ok := strings.CutPrefix(name, "#"); ok {
			b.WriteString("[" + n + "]")
			continue
		}
		b.WriteString("['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "']")
	}
	p, err := jsonpath.Parse(b.String(), jsonpath.Strict)
	if err != nil {
		return &connectRef{src: r.src, name: "$"} // holds nothing
	}
	r.rest = p
	return r
}

// compileConnect compiles a dynamic value; with a place what it reads is escaped for it.
func compileConnect(src string, pl place) *ctext {
	lit := func(s string) string {
		if pl == nil {
			return s
		}
		return pl.literal(s)
	}
	spans := ConnectSpans(src)
	if len(spans) == 0 {
		return &ctext{lit: lit(src)}
	}
	out := &ctext{size: len(src) + 16*len(spans)}
	at := 0
	for _, s := range spans {
		if s.Start > at {
			out.parts = append(out.parts, tpart{lit: lit(src[at:s.Start])})
		}
		p := tpart{ref: refOf(s, src)}
		if pl != nil {
			p.esc = pl.escape(src[s.Start:s.End])
		}
		out.parts = append(out.parts, p)
		at = s.End
	}
	if at < len(src) {
		out.parts = append(out.parts, tpart{lit: lit(src[at:])})
	}
	return out
}

// connectReads lists the variables a dynamic value reads.
func connectReads(src string) []string {
	var out []string
	for _, s := range ConnectSpans(src) {
		out = append(out, refOf(s, src).name)
	}
	return out
}

// usesConnect reports whether a flow works on the state of Amazon Connect.
func usesConnect(f *Flow) bool {
	for _, n := range f.Nodes {
		switch n.Op {
		case OpCompare, OpSetQueue, OpRouting, OpHooks, OpMetric:
			return true
		case OpQueue, OpCollect:
			if n.In["hook"].Lit != nil || n.In["store"].Lit != nil {
				return true
			}
		default: // only if a value of it does
		}
		found := false
		eachValue(n, func(v Value) { found = found || v.Dialect == DialectConnect })
		if found {
			return true
		}
	}
	return strings.HasPrefix(f.Origin.Format, "connect")
}

// connectRoots are the namespaces that come with the contact.
func connectRoots(vars map[string]any, s *Session) {
	c := &s.Contact
	endpoint := func(number string) map[string]any {
		return map[string]any{"Address": number, "Type": "TELEPHONE_NUMBER"}
	}
	headers := make(map[string]any, len(c.Headers))
	for k, v := range c.Headers {
		headers[k] = v
	}
	vars["$CustomerEndpoint"], vars["$SystemEndpoint"] = endpoint(c.ANI), endpoint(c.DNIS)
	vars["$ContactId"], vars["$InitialContactId"], vars["$PreviousContactId"] = c.ID, c.ID, ""
	vars["$Channel"], vars["$InitiationMethod"] = connectChannel(c.Channel), firstText(strings.ToUpper(c.Direction), "INBOUND")
	vars["$Media"] = map[string]any{"Sip": map[string]any{"Headers": headers}}
	vars["$CallbackNumber"] = c.ANI
}

// connectChannel names a channel as Amazon Connect does.
func connectChannel(ch string) string {
	switch c := strings.ToUpper(ch); c {
	case "", "TELEPHONY", "PHONE", "CALL":
		return "VOICE"
	default:
		return c
	}
}

// carryOver takes over what the flow before has left: attributes that this flow does not declare, and the state.
func carryOver(s *Session, vars map[string]any) {
	for name, v := range vars {
		switch _, declared := s.Vars[name]; {
		case declared, strings.HasPrefix(name, "$FlowAttributes."):
		case len(s.Vars) >= 2*MaxVars:
			return
		case strings.HasPrefix(name, "$"):
			s.Vars[name] = plain(v)
		default:
			if str := text(plain(v)); len(str) <= MaxVarBytes {
				s.Vars[name] = str
			}
		}
	}
}

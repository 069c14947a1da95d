package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// token is a piece of a pattern: text, a wildcard, or a policy variable.
type token struct {
	kind   tokenKind
	text   string // literal text, or the name of the variable
	def    string // default of a variable
	hasDef bool
	key    int // number of the variable's key in its Set
}

type tokenKind uint8

const (
	tokenText tokenKind = iota
	tokenStar
	tokenOne
	tokenVar
)

// template collects tokens, joining neighbouring texts.
type template []token

func (t *template) text(s string) {
	switch n := len(*t); {
	case s == "":
	case n > 0 && (*t)[n-1].kind == tokenText:
		(*t)[n-1].text += s
	default:
		*t = append(*t, token{kind: tokenText, text: s})
	}
}

func (t *template) star() {
	if n := len(*t); n == 0 || (*t)[n-1].kind != tokenStar {
		*t = append(*t, token{kind: tokenStar})
	}
}

// variable reads the ${...} at the front of s and returns what follows it.
func (t *template) variable(s string) (rest string, err error) {
	inner, rest, ok := strings.Cut(s[2:], "}")
	if !ok {
		return "", fmt.Errorf("the variable %q has no closing brace", s)
	}
	v, err := parseVariable(inner)
	if err != nil {
		return "", err
	}
	if v.kind == tokenText {
		t.text(v.text)
	} else {
		*t = append(*t, v)
	}
	return rest, nil
}

// parseTemplate splits a text into tokens. Without vars, ${...} is text; without wild, * and ? are.
func parseTemplate(s string, vars, wild bool) ([]token, error) {
	var out template
	for s != "" {
		i := strings.IndexAny(s, "*?$")
		if i < 0 {
			out.text(s)
			break
		}
		out.text(s[:i])
		s = s[i:]
		var err error
		switch {
		case vars && strings.HasPrefix(s, "${"):
			s, err = out.variable(s)
			if err != nil {
				return nil, err
			}
			continue
		case wild && s[0] == '*':
			out.star()
		case wild && s[0] == '?':
			out = append(out, token{kind: tokenOne})
		default:
			out.text(s[:1])
		}
		s = s[1:]
	}
	return out, nil
}

// parseVariable reads what stands between ${ and }: *, ?, $, a key, or a key with a default in single quotes.
func parseVariable(inner string) (token, error) {
	switch inner {
	case "*", "?", "$":
		return token{kind: tokenText, text: inner}, nil
	case "":
		return token{}, errors.New("the variable ${} has no name")
	}
	name, def, hasDef := strings.Cut(inner, ",")
	name, def = strings.TrimSpace(name), strings.TrimSpace(def)
	if hasDef {
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
			return token{}, fmt.Errorf("the default of ${%s} is not in single quotes", inner)
		}
		def = def[1 : len(def)-1]
	}
	if name == "" || strings.ContainsAny(name, "*?$'{ ") {
		return token{}, fmt.Errorf("${%s} is not the name of a condition key", inner)
	}
	return token{kind: tokenVar, text: name, def: def, hasDef: hasDef}, nil
}

// pattern is a compiled text with wildcards and variables. The commonest shapes have a path of their own.
type pattern struct {
	kind   patternKind
	text   string
	tail   string
	tokens []token
}

type patternKind uint8

const (
	patternExact  patternKind = iota // text and nothing else
	patternAny                       // *
	patternPrefix                    // text*
	patternEnds                      // text*tail
	patternTokens
)

func newPattern(tokens []token) pattern {
	switch {
	case len(tokens) == 0:
		return pattern{}
	case len(tokens) == 1 && tokens[0].kind == tokenText:
		return pattern{text: tokens[0].text}
	case len(tokens) == 1 && tokens[0].kind == tokenStar:
		return pattern{kind: patternAny}
	case len(tokens) == 2 && tokens[0].kind == tokenText && tokens[1].kind == tokenStar:
		return pattern{kind: patternPrefix, text: tokens[0].text}
	case len(tokens) == 3 && tokens[0].kind == tokenText && tokens[1].kind == tokenStar && tokens[2].kind == tokenText:
		return pattern{kind: patternEnds, text: tokens[0].text, tail: tokens[2].text}
	default:
		return pattern{kind: patternTokens, tokens: tokens}
	}
}

// match reports whether the pattern covers the whole of s. known is false if a variable has no value in the request.
func (p *pattern) match(s string, e *env) (matched, known bool) {
	switch p.kind {
	case patternExact:
		return s == p.text, true
	case patternAny:
		return true, true
	case patternPrefix:
		return strings.HasPrefix(s, p.text), true
	case patternEnds:
		return len(s) >= len(p.text)+len(p.tail) && strings.HasPrefix(s, p.text) && strings.HasSuffix(s, p.tail), true
	default:
		return matchTokens(p.tokens, s, e)
	}
}

// matchTokens goes back to the last star only, so that its cost is bounded by len(tokens) times len(s). The values of
// variables are taken literally: a * in a tag is no wildcard.
func matchTokens(tokens []token, s string, e *env) (matched, known bool) {
	for i := range tokens {
		if tokens[i].kind == tokenVar {
			if _, ok := e.resolve(&tokens[i]); !ok {
				return false, false
			}
		}
	}
	ti, si, starTok, starPos := 0, 0, -1, 0
	for {
		if ti < len(tokens) && tokens[ti].kind == tokenStar {
			starTok, starPos = ti, si
			ti++
			continue
		}
		if ti == len(tokens) && (si == len(s) || tokens[ti-1].kind == tokenStar) {
			return true, true
		}
		if ti < len(tokens) {
			if n, ok := step(&tokens[ti], s[si:], e); ok {
				si += n
				ti++
				continue
			}
		}
		if starTok < 0 || starPos >= len(s) {
			return false, true
		}
		starPos += runeLen(s[starPos:])
		ti, si = starTok+1, starPos
	}
}

// step matches one token other than a star at the front of s.
func step(t *token, s string, e *env) (n int, ok bool) {
	switch t.kind {
	case tokenText:
		return len(t.text), strings.HasPrefix(s, t.text)
	case tokenOne:
		return runeLen(s), s != ""
	default:
		v, _ := e.resolve(t)
		return len(v), strings.HasPrefix(s, v)
	}
}

// runeLen is the width of the first character, so that ? stands for a letter and not for a byte.
func runeLen(s string) int {
	if s == "" {
		return 0
	}
	if s[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// matchFold compares without regard to case; there are no wildcards in p.
func (p *pattern) matchFold(s string, e *env) (matched, known bool) {
	if p.kind == patternExact {
		return strings.EqualFold(s, p.text), true
	}
	matched = true
	for i := range p.tokens {
		t := &p.tokens[i]
		want := t.text
		if t.kind == tokenVar {
			v, ok := e.resolve(t)
			if !ok {
				return false, false
			}
			want = v
		}
		if !matched || len(s) < len(want) || !strings.EqualFold(s[:len(want)], want) {
			matched = false
			continue
		}
		s = s[len(want):]
	}
	return matched && s == "", true
}

// arnPattern matches ARNs part by part: a * in one of the first five parts never crosses a colon.
type arnPattern struct {
	whole pattern // used unless parts is set
	parts []pattern
}

// newARNPattern compiles an ARN with wildcards. One of fewer than six parts is completed with * (IAM User Guide, "Using
// wildcards in resource ARNs"). number gives variables their key.
func newARNPattern(s string, vars bool, number func([]token)) (arnPattern, error) {
	tokens, err := parseTemplate(s, vars, true)
	if err != nil {
		return arnPattern{}, err
	}
	number(tokens)
	whole := newPattern(tokens)
	segments := splitParts(s, vars)
	plainHead := !strings.ContainsAny(strings.Join(segments[:len(segments)-1], ":"), "*?$")
	switch {
	case !strings.HasPrefix(s, "arn:"):
		return arnPattern{whole: whole}, nil
	case len(segments) == 6 && plainHead && (whole.kind == patternExact || whole.kind == patternPrefix):
		return arnPattern{whole: whole}, nil
	}
	parts := make([]pattern, 6)
	for i := range parts {
		if i >= len(segments) {
			parts[i] = pattern{kind: patternAny}
			continue
		}
		t, err := parseTemplate(segments[i], vars, true)
		if err != nil {
			return arnPattern{}, err
		}
		number(t)
		parts[i] = newPattern(t)
	}
	return arnPattern{parts: parts}, nil
}

// splitParts cuts at the first five colons that do not stand in a variable.
func splitParts(s string, vars bool) []string {
	var out []string
	start, depth := 0, false
	for i := 0; i < len(s) && len(out) < 5; i++ {
		switch {
		case vars && strings.HasPrefix(s[i:], "${"):
			depth = true
		case s[i] == '}':
			depth = false
		case s[i] == ':' && !depth:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func (p *arnPattern) match(r *Resource, e *env) (matched, known bool) {
	if p.parts == nil {
		return p.whole.match(r.arn, e)
	}
	if !r.isARN {
		return false, true
	}
	matched = true
	for i := len(p.parts) - 1; i >= 0; i-- { // the last part differs most often
		ok, known := p.parts[i].match(r.segment(i), e)
		if !known {
			return false, false
		}
		if !ok {
			matched = false
		}
	}
	return matched, true
}

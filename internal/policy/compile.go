package policy

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// blockSize is the number of statements one action trie answers for: one bit of a word each.
const blockSize = 64

// Set is one or more documents of the same kind, compiled. It is immutable and safe for concurrent use. The nil Set holds
// no policy; in Layers that means "no such layer", where a Set made of no documents means "a layer that allows nothing".
type Set struct {
	kind   Kind
	blocks []block
	keys   []contextKey
	docs   []*Document

	// Statements of one role tend to repeat resources and conditions; each is kept, and per request tried, once.
	resources  []resourceList
	conditions []condition
}

// resourceList is a compiled Resource or NotResource element.
type resourceList struct {
	not      bool
	patterns []arnPattern // empty in trust policies: any
}

// block is up to 64 statements and the trie that finds those whose Action or NotAction names an operation.
type block struct {
	statements []statement
	actions    trie
	denies     uint64
	notActions uint64
}

// statement is a compiled Statement.
type statement struct {
	src           *Statement
	doc           int
	effect        Effect
	hasPrincipal  bool
	notPrincipal  bool
	principals    []principalPattern
	resources     int      // index into Set.resources
	conditions    []int    // indices into Set.conditions
	actionGlobs   []string // lower case, for Explain
	notActionFlag bool
}

// Compile makes a Set of documents of one kind. It fails if the kinds differ or a document is not one that Parse returned.
func Compile(docs ...*Document) (*Set, error) {
	s := &Set{}
	c := compiler{set: s, keys: make(map[string]int), seen: make(map[string]int)}
	for i, doc := range docs {
		if doc == nil {
			return nil, fmt.Errorf("compiling policy %d: it is nil: pass what Parse returned", i)
		}
		if i > 0 && doc.Kind != s.kind {
			return nil, fmt.Errorf("compiling policy %d: it is of kind %s, the others of kind %s: compile them apart", i, doc.Kind, s.kind)
		}
		s.kind = doc.Kind
		s.docs = append(s.docs, doc)
		for j := range doc.Statements {
			if err := c.add(i, doc, &doc.Statements[j]); err != nil {
				return nil, fmt.Errorf("compiling policy %d: %w", i, err)
			}
		}
	}
	return s, nil
}

// Load parses and compiles documents of one kind.
func Load(kind Kind, documents ...[]byte) (*Set, error) {
	docs := make([]*Document, len(documents))
	for i, data := range documents {
		doc, err := Parse(data, kind)
		if err != nil {
			return nil, fmt.Errorf("reading %s policy %d: %w", kind, i, err)
		}
		docs[i] = doc
	}
	s, err := Compile(docs...)
	if err != nil {
		return nil, err
	}
	s.kind = kind
	return s, nil
}

// Kind returns the kind of the documents.
func (s *Set) Kind() Kind { return s.kind }

// Documents returns the documents the Set was made of. They are not to be changed.
func (s *Set) Documents() []*Document { return append([]*Document(nil), s.docs...) }

type compiler struct {
	set  *Set
	keys map[string]int
	seen map[string]int // resources and conditions by their text
}

func (c *compiler) add(doc int, d *Document, src *Statement) error {
	s := statement{src: src, doc: doc, effect: src.Effect}
	vars := d.Version == Version2012
	s.principals, s.hasPrincipal = compilePrincipals(src.Principal), len(src.Principal) > 0
	if len(src.NotPrincipal) > 0 {
		s.principals, s.hasPrincipal, s.notPrincipal = compilePrincipals(src.NotPrincipal), true, true
	}
	if d.Kind.takesPrincipal() && !s.hasPrincipal {
		return errors.New(src.Path + ": the statement has no Principal")
	}
	var err error
	if s.resources, err = c.resourceList(src, d.Kind, vars); err != nil {
		return fmt.Errorf("%s: %w", src.Path, err)
	}
	for i := range src.Conditions {
		cond, err := c.condition(&src.Conditions[i], vars)
		if err != nil {
			return fmt.Errorf("%s: %w", src.Conditions[i].Path, err)
		}
		s.conditions = append(s.conditions, cond)
	}
	actions := src.Action
	if len(src.NotAction) > 0 {
		actions, s.notActionFlag = src.NotAction, true
	}
	if len(actions) == 0 {
		return errors.New(src.Path + ": the statement has no Action")
	}
	for _, a := range actions {
		s.actionGlobs = append(s.actionGlobs, lowerASCII(a))
	}
	c.place(s)
	return nil
}

// place puts a statement into the last block, or a new one.
func (c *compiler) place(s statement) {
	set := c.set
	if n := len(set.blocks); n == 0 || len(set.blocks[n-1].statements) == blockSize {
		set.blocks = append(set.blocks, block{})
	}
	b := &set.blocks[len(set.blocks)-1]
	bit := uint64(1) << len(b.statements)
	for _, a := range s.actionGlobs {
		b.actions.insert(a, bit)
	}
	if s.effect == Deny {
		b.denies |= bit
	}
	if s.notActionFlag {
		b.notActions |= bit
	}
	b.statements = append(b.statements, s)
}

func (c *compiler) resourceList(src *Statement, kind Kind, vars bool) (int, error) {
	list, texts := resourceList{}, src.Resource
	if len(src.NotResource) > 0 {
		list.not, texts = true, src.NotResource
	}
	if len(texts) == 0 && kind != KindTrust {
		return 0, errors.New("the statement has no Resource")
	}
	id := fmt.Sprintf("r %v %v %q", list.not, vars, texts)
	if i, ok := c.seen[id]; ok {
		return i, nil
	}
	for _, text := range texts {
		p, err := newARNPattern(text, vars, c.number)
		if err != nil {
			return 0, err
		}
		list.patterns = append(list.patterns, p)
	}
	c.seen[id] = len(c.set.resources)
	c.set.resources = append(c.set.resources, list)
	return c.seen[id], nil
}

func (c *compiler) condition(src *Condition, vars bool) (int, error) {
	op, fix := parseOperator(src.Operator)
	if fix != "" {
		return 0, errors.New(fix)
	}
	id := fmt.Sprintf("c %+v %v %q %q", op, vars, strings.ToLower(src.Key), src.Values)
	if i, ok := c.seen[id]; ok {
		return i, nil
	}
	out := condition{op: op, key: c.key(src.Key)}
	for _, text := range src.Values {
		v, err := op.compileValue(text, vars && op.takesVariables())
		switch {
		case err != nil && hasPlaceholder(text):
			v = operand{never: true}
		case err != nil:
			return 0, fmt.Errorf("value %q: %w", text, err)
		}
		c.number(v.text.tokens)
		c.number(v.arn.whole.tokens)
		for i := range v.arn.parts {
			c.number(v.arn.parts[i].tokens)
		}
		out.values = append(out.values, v)
	}
	c.seen[id] = len(c.set.conditions)
	c.set.conditions = append(c.set.conditions, out)
	return c.seen[id], nil
}

// number gives each variable the number of its key.
func (c *compiler) number(tokens []token) {
	for i := range tokens {
		if tokens[i].kind == tokenVar {
			tokens[i].key = c.key(tokens[i].text)
		}
	}
}

func (c *compiler) key(name string) int {
	lower := strings.ToLower(name)
	if i, ok := c.keys[lower]; ok {
		return i
	}
	i := len(c.set.keys)
	c.keys[lower] = i
	c.set.keys = append(c.set.keys, contextKey{name: lower, derived: derivedKey(lower)})
	return i
}

// candidates returns the statements whose Action or NotAction covers the operation, one bit each.
func (b *block) candidates(action string) uint64 {
	all := ^uint64(0) >> (blockSize - len(b.statements))
	return (b.actions.find(action) ^ b.notActions) & all
}

// trie holds lower-case action patterns; find returns the union of the bits of those that match.
type trie struct {
	root trieNode
}

type trieNode struct {
	edges []trieEdge
	exact uint64 // patterns that end here
	star  uint64 // patterns that end here with a *
	globs []trieGlob
}

type trieEdge struct {
	label string
	node  *trieNode
}

// trieGlob is a pattern with a wildcard before its end.
type trieGlob struct {
	rest string
	mask uint64
}

func (t *trie) insert(pattern string, mask uint64) {
	literal, rest := pattern, ""
	if i := strings.IndexAny(pattern, "*?"); i >= 0 {
		literal, rest = pattern[:i], pattern[i:]
	}
	n := t.root.descend(literal)
	switch {
	case rest == "":
		n.exact |= mask
	case strings.Trim(rest, "*") == "":
		n.star |= mask
	default:
		n.globs = append(n.globs, trieGlob{rest, mask})
	}
}

// descend returns the node for a literal, splitting edges on the way.
func (n *trieNode) descend(literal string) *trieNode {
	for literal != "" {
		next := (*trieNode)(nil)
		for i := range n.edges {
			e := &n.edges[i]
			k := commonPrefix(e.label, literal)
			if k == 0 {
				continue
			}
			if k < len(e.label) {
				mid := &trieNode{edges: []trieEdge{{e.label[k:], e.node}}}
				e.label, e.node = e.label[:k], mid
			}
			next, literal = e.node, literal[k:]
			break
		}
		if next == nil {
			next = &trieNode{}
			n.edges = append(n.edges, trieEdge{literal, next})
			literal = ""
		}
		n = next
	}
	return n
}

func (t *trie) find(action string) uint64 {
	n, mask := &t.root, uint64(0)
	for {
		mask |= n.star
		for i := range n.globs {
			if g := &n.globs[i]; mask&g.mask != g.mask && globFold(g.rest, action) {
				mask |= g.mask
			}
		}
		if action == "" {
			return mask | n.exact
		}
		var next *trieNode
		first := lowerByte(action[0])
		for i := range n.edges {
			if e := &n.edges[i]; e.label[0] == first {
				if !hasPrefixFold(action, e.label) {
					return mask
				}
				next, action = e.node, action[len(e.label):]
				break
			}
		}
		if next == nil {
			return mask
		}
		n = next
	}
}

// globFold matches a lower-case pattern of *, ? and text. It goes back to the last star only: len(pattern) * len(s) steps.
func globFold(pattern, s string) bool {
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(s) {
		switch {
		case pi < len(pattern) && pattern[pi] == '*':
			star, mark = pi, si
			pi++
		case pi < len(pattern) && (pattern[pi] == '?' || pattern[pi] == lowerByte(s[si])):
			pi++
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[pi:], "*") == ""
}

func hasPrefixFold(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if lowerByte(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(s string) string {
	out := []byte(s)
	for i, c := range out {
		out[i] = lowerByte(c)
	}
	return string(out)
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// nextBit takes the lowest bit out of a mask.
func nextBit(mask *uint64) int {
	i := bits.TrailingZeros64(*mask)
	*mask &= *mask - 1
	return i
}

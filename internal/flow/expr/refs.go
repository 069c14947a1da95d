package expr

import "slices"

// refCollector gathers the variables that a template reads while it is parsed. It follows the scopes that tags open, so
// that a loop's variable is not taken for a variable of Env.Vars.
type refCollector struct {
	refs   []Ref
	open   map[expression]int // expressions that a path can still grow from: index into refs
	scopes [][]string
	locals []int // scopes below which nothing is seen
}

func (c *refCollector) push(names ...string) { c.scopes = append(c.scopes, names) }

func (c *refCollector) pushLocal(names []string) {
	c.locals = append(c.locals, len(c.scopes))
	c.scopes = append(c.scopes, names)
}

func (c *refCollector) pop() {
	c.scopes = c.scopes[:len(c.scopes)-1]
	if n := len(c.locals); n > 0 && c.locals[n-1] == len(c.scopes) {
		c.locals = c.locals[:n-1]
	}
}

func (c *refCollector) define(name string) {
	if len(c.scopes) == 0 {
		c.scopes = append(c.scopes, nil)
	}
	last := len(c.scopes) - 1
	c.scopes[last] = append(slices.Clip(c.scopes[last]), name)
}

func (c *refCollector) add(v *variable) {
	for _, names := range c.scopes {
		if slices.Contains(names, v.name) {
			return
		}
	}
	if len(c.locals) > 0 {
		return // a macro sees its arguments only
	}
	if c.open == nil {
		c.open = map[expression]int{}
	}
	c.open[v] = len(c.refs)
	c.refs = append(c.refs, Ref{Name: v.name, Path: v.name, Pos: v.pos})
}

// extend lets the path of a variable grow by a constant attribute.
func (c *refCollector) extend(e expression) {
	a, ok := e.(*attribute)
	if !ok {
		return
	}
	i, ok := c.open[a.obj]
	if !ok {
		return
	}
	delete(c.open, a.obj)
	key, ok := a.key.(*literal)
	if !ok {
		return
	}
	c.refs[i].Path += "." + text(key.val)
	c.open[a] = i
}

func (c *refCollector) guard(e expression) {
	if i, ok := c.open[e]; ok {
		c.refs[i].Guarded = true
	}
}

package policy

import "cmp"

// condition is one compiled operator on one key.
type condition struct {
	op     operator
	key    int
	values []operand
}

// match decides the condition. The rules for missing keys (IAM User Guide, "Conditions with multiple context keys or
// values"): a missing key fails a positive operator and satisfies a negated one, IfExists and ForAllValues; ForAnyValue on
// a missing key is false even if negated. A single-value operator never matches a key of several values.
func (c *condition) match(e *env) bool {
	a := e.lookup(c.key)
	if c.op.family == familyNull {
		return c.matchNull(a)
	}
	switch c.op.set {
	case forAnyValue:
		return a != nil && c.matchAny(a, e)
	case forAllValues:
		return a == nil || c.matchAll(a, e)
	default:
		if a == nil {
			return c.op.negated || c.op.ifExists
		}
		return a.kind != attrList && c.matchOne(a, e)
	}
}

func (c *condition) matchNull(a *Attr) bool {
	absent := a == nil || a.kind == attrList && len(a.list) == 0
	for i := range c.values {
		if v := &c.values[i]; !v.never && v.truth == absent {
			return true
		}
	}
	return false
}

func (c *condition) matchAny(a *Attr, e *env) bool {
	if a.kind != attrList {
		return c.matchOne(a, e)
	}
	for _, text := range a.list {
		if item := (Attr{text: text}); c.matchOne(&item, e) {
			return true
		}
	}
	return false
}

func (c *condition) matchAll(a *Attr, e *env) bool {
	if a.kind != attrList {
		return c.matchOne(a, e)
	}
	for _, text := range a.list {
		if item := (Attr{text: text}); !c.matchOne(&item, e) {
			return false
		}
	}
	return true
}

// matchOne compares one value with the values of the policy: any of them for a positive operator, none for a negated one.
// A variable without a value makes the condition false, negated or not.
func (c *condition) matchOne(a *Attr, e *env) bool {
	found, text := false, a.text
	if a.kind != attrString && a.kind != attrBool && c.op.family.readsText() {
		text, _ = a.render()
	}
	for i := range c.values {
		matched, known := c.compare(a, text, &c.values[i], e)
		if !known {
			if c.op.negated {
				return false
			}
			continue
		}
		if matched {
			found = true
			if !c.op.negated {
				return true
			}
		}
	}
	return found != c.op.negated
}

// compare applies the positive form of the operator. A value of the request that is not of the operator's type compares
// as false, so that the negated forms hold for it.
func (c *condition) compare(a *Attr, text string, v *operand, e *env) (matched, known bool) {
	if v.never {
		return false, true
	}
	switch c.op.family {
	case familyString, familyLike:
		return v.text.match(text, e)
	case familyFold:
		return v.text.matchFold(text, e)
	case familyARN:
		r := NewResource(text, "")
		return v.arn.match(&r, e)
	case familyBinary:
		return text == v.text.text, true
	default:
		return c.compareTyped(a, v), true
	}
}

func (c *condition) compareTyped(a *Attr, v *operand) bool {
	switch c.op.family {
	case familyNumeric:
		n, ok := a.number()
		return ok && c.op.cmp.holds(cmp.Compare(n, v.number))
	case familyDate:
		at, ok := a.instant()
		if !ok {
			return false
		}
		sign := cmp.Compare(at.sec, v.at.sec)
		if sign == 0 {
			sign = cmp.Compare(at.nano, v.at.nano)
		}
		return c.op.cmp.holds(sign)
	case familyIP:
		addr, ok := a.ip()
		return ok && v.net.Contains(addr)
	case familyBool:
		return a.isBool(v.truth)
	default:
		return false
	}
}

package expr

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// attribute is obj.name, obj[key] or obj.name(args).
type attribute struct {
	pos      int
	obj, key expression
	args     []expression
	called   bool
}

func (e *attribute) at() int { return e.pos }

func (e *attribute) eval(r *run) (any, error) {
	obj, err := e.obj.eval(r)
	if err != nil {
		return nil, err
	}
	key, err := e.key.eval(r)
	if err != nil {
		return nil, err
	}
	if err := r.step(1); err != nil {
		return nil, at(e.pos, err)
	}
	var args []any
	for _, a := range e.args {
		v, err := a.eval(r)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	v, ok, err := e.resolve(r, obj, key, args)
	if err != nil || ok {
		return v, at(e.pos, err)
	}
	if r.env.Strict {
		return nil, at(e.pos, &failure{
			msg:     "the attribute " + text(key) + " does not exist",
			fix:     "check the spelling; names differ in case",
			missing: true,
		})
	}
	return nil, nil
}

// resolve finds an attribute in the order of Pebble's DefaultAttributeResolver: a map's key or a list's index, then a
// method of the object.
func (e *attribute) resolve(r *run, obj, key any, args []any) (any, bool, error) {
	if obj == nil {
		return nil, false, nil
	}
	if !e.called {
		switch x := obj.(type) {
		case map[string]any:
			return e.fromVars(r, x, key)
		case *hashMap:
			return fromMap(r, x, key)
		case *array:
			v, ok := indexed(x.items, key)
			return v, ok || !r.env.Strict, nil
		case []any:
			if _, err := strconv.ParseInt(text(key), 10, 32); err == nil {
				v, ok := indexed(x, key)
				return v, ok || !r.env.Strict, nil
			}
		}
	}
	name := text(key)
	if name == "" {
		return nil, false, fail("an attribute needs a name")
	}
	return r.method(obj, name, args)
}

func indexed(items []any, key any) (any, bool) {
	i, err := strconv.ParseInt(text(key), 10, 32)
	if err != nil || i < 0 || int(i) >= len(items) {
		return nil, false
	}
	return norm(items[i]), true
}

// fromVars reads a map of Env.Vars, with the leniency that system objects enjoy.
func (e *attribute) fromVars(r *run, m map[string]any, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return fromMap(r, m, key)
	}
	if v, ok := m[name]; ok {
		return norm(v), true, nil
	}
	if root, ok := e.obj.(*variable); ok {
		if v, ok := r.env.systemAttr(root.name, m, name); ok {
			return v, true, nil
		}
	}
	return nil, false, nil
}

// fromMap reads a map by any key. A number is first cast to the type of the map's first key, as Pebble does.
func fromMap(r *run, m, key any) (any, bool, error) {
	if mapLen(m) == 0 {
		return nil, false, nil
	}
	if _, ok := number(key); ok {
		first, err := firstKey(m)
		if err != nil {
			return nil, false, err
		}
		if key, err = castKey(key, first); err != nil {
			return nil, false, err
		}
	}
	if err := r.step(1 + mapLen(m)/readPerStep); err != nil {
		return nil, false, err
	}
	v, ok := mapGet(m, key)
	return norm(v), ok, nil
}

func firstKey(m any) (any, error) {
	if h, ok := m.(*hashMap); ok {
		if k := h.keys[h.order()[0]]; k != nil {
			return k, nil
		}
		return nil, fail("a map with the key null cannot be read by a number")
	}
	return "", nil
}

func castKey(key, like any) (any, error) {
	switch like.(type) {
	case long:
		i, _ := integral(key)
		return long(i), nil
	case int32:
		i, _ := toInt(key)
		return int32(i), nil //nolint:gosec // toInt is within 32 bits
	case float64:
		f, _ := number(key)
		return f, nil
	}
	return nil, failFix("a map with keys of "+kindName(like)+" cannot be read by a number", "write the key as a string")
}

// method calls a read-only method of a Java object. A name is found without regard to case, and also with get, is or has
// in front. A method that takes an int is found for an Integer only, not for a Long, as in Java.
func (r *run) method(obj any, name string, args []any) (any, bool, error) {
	switch strings.ToLower(name) {
	case "class", "getclass", "wait", "notify", "notifyall":
		if len(args) == 0 {
			return nil, false, fail("access to " + name + " is not allowed")
		}
	}
	if s, ok := obj.(string); ok {
		if err := r.read(len(s)); err != nil {
			return nil, false, err
		}
	}
	for _, prefix := range [...]string{"", "get", "is", "has"} {
		v, ok, err := r.invoke(obj, strings.ToLower(prefix+name), args)
		if ok || err != nil {
			return v, ok, err
		}
	}
	return nil, false, nil
}

func (r *run) invoke(obj any, name string, args []any) (any, bool, error) {
	if v, ok, err := r.objectMethod(obj, name, args); ok || err != nil {
		return v, ok, err
	}
	switch x := obj.(type) {
	case string:
		return r.stringMethod(x, name, args)
	case []any:
		return r.listMethod(x, name, args)
	case *collection:
		return r.collectionMethod(x.items, name, args)
	case map[string]any, *hashMap:
		return r.mapMethod(x, name, args)
	case *loop:
		v, ok := x.attr(name)
		return v, ok && len(args) == 0, nil
	case *entry:
		switch {
		case len(args) > 0:
		case name == "getkey":
			return x.key, true, nil
		case name == "getvalue":
			return norm(x.val), true, nil
		}
	case time.Time:
		v, ok := timeMethod(x, name)
		return v, ok && len(args) == 0, nil
	}
	return numberMethod(obj, name, args)
}

// objectMethod are the methods of java.lang.Object and Comparable.
func (r *run) objectMethod(obj any, name string, args []any) (any, bool, error) {
	switch {
	case name == "tostring" && len(args) == 0:
		s, err := r.str(obj)
		return s, true, err
	case name == "hashcode" && len(args) == 0:
		if err := r.equalCost(obj, obj); err != nil {
			return nil, false, err
		}
		return javaHash(obj), true, nil
	case name == "equals" && len(args) == 1:
		if err := r.equalCost(obj, args[0]); err != nil {
			return nil, false, err
		}
		return javaEquals(obj, args[0]), true, nil
	}
	return nil, false, nil
}

func numberMethod(obj any, name string, args []any) (any, bool, error) {
	if b, ok := obj.(bool); ok && name == "booleanvalue" && len(args) == 0 {
		return b, true, nil
	}
	f, ok := number(obj)
	if !ok || len(args) > 0 {
		return nil, false, nil
	}
	switch name {
	case "intvalue":
		i, _ := toInt(obj)
		return int32(i), true, nil //nolint:gosec // toInt is within 32 bits
	case "longvalue":
		i, _ := integral(obj)
		return long(i), true, nil
	case "doublevalue":
		return f, true, nil
	}
	if _, ok := obj.(float64); ok {
		switch name {
		case "isnan":
			return math.IsNaN(f), true, nil
		case "isinfinite":
			return math.IsInf(f, 0), true, nil
		}
	}
	return nil, false, nil
}

func timeMethod(t time.Time, name string) (any, bool) {
	switch name {
	case "getyear":
		return int32(t.Year()), true //nolint:gosec // a year
	case "getmonthvalue":
		return int32(t.Month()), true //nolint:gosec // 1 to 12
	case "getdayofmonth":
		return int32(t.Day()), true //nolint:gosec // 1 to 31
	case "getdayofyear":
		return int32(t.YearDay()), true //nolint:gosec // 1 to 366
	case "gethour":
		return int32(t.Hour()), true //nolint:gosec // 0 to 23
	case "getminute":
		return int32(t.Minute()), true //nolint:gosec // 0 to 59
	case "getsecond":
		return int32(t.Second()), true //nolint:gosec // 0 to 59
	case "toepochsecond":
		return long(t.Unix()), true
	case "getdayofweek":
		return strings.ToUpper(t.Weekday().String()), true
	case "getmonth":
		return strings.ToUpper(t.Month().String()), true
	}
	return nil, false
}

func (r *run) collectionMethod(items []any, name string, args []any) (any, bool, error) {
	switch {
	case name == "size" && len(args) == 0:
		return int32(len(items)), true, nil //nolint:gosec // bounded by Limits
	case name == "isempty" && len(args) == 0:
		return len(items) == 0, true, nil
	case name == "contains" && len(args) == 1:
		ok, err := r.has(items, args[0])
		return ok, true, err
	case name == "containsall" && len(args) == 1:
		if args[0] == nil {
			return nil, false, fail("containsAll takes a list")
		}
		if _, isMap := args[0].(map[string]any); isMap {
			return nil, false, nil
		}
		v, err := (&contains{}).inList(r, items, args[0])
		return v, true, err
	}
	return nil, false, nil
}

func (r *run) listMethod(items []any, name string, args []any) (any, bool, error) {
	switch {
	case name == "get" && len(args) == 1:
		i, ok := args[0].(int32)
		if !ok {
			return nil, false, nil
		}
		if int(i) < 0 || int(i) >= len(items) {
			return nil, false, fail("the list has no element " + text(i))
		}
		return norm(items[i]), true, nil
	case (name == "indexof" || name == "lastindexof") && len(args) == 1:
		return r.indexOf(items, args[0], name == "lastindexof")
	case name == "sublist" && len(args) == 2:
		return subList(items, args)
	}
	return r.collectionMethod(items, name, args)
}

func subList(items, args []any) (any, bool, error) {
	from, ok1 := args[0].(int32)
	to, ok2 := args[1].(int32)
	if !ok1 || !ok2 {
		return nil, false, nil
	}
	if from < 0 || to < from || int(to) > len(items) {
		return nil, false, fail("the list has no elements " + text(from) + " to " + text(to))
	}
	return items[from:to:to], true, nil
}

func (r *run) indexOf(items []any, v any, last bool) (any, bool, error) {
	found := -1
	for i, item := range items {
		if err := r.step(1); err != nil {
			return nil, false, err
		}
		if err := r.equalCost(norm(item), v); err != nil {
			return nil, false, err
		}
		if javaEquals(item, v) {
			found = i
			if !last {
				break
			}
		}
	}
	return int32(found), true, nil
}

func (r *run) mapMethod(m any, name string, args []any) (any, bool, error) {
	switch len(args) {
	case 0:
		return r.mapView(m, name)
	case 1:
		switch name {
		case "get", "containskey":
			if err := r.keyCost(m, args[0]); err != nil {
				return nil, false, err
			}
			v, ok := mapGet(m, args[0])
			if name == "containskey" {
				return ok, true, nil
			}
			return v, true, nil
		case "containsvalue":
			v, _, err := r.mapView(m, "values")
			if err != nil {
				return nil, false, err
			}
			items, _ := listOf(v)
			ok, err := r.has(items, args[0])
			return ok, true, err
		}
	case 2:
		if name == "getordefault" {
			if err := r.keyCost(m, args[0]); err != nil {
				return nil, false, err
			}
			if v, ok := mapGet(m, args[0]); ok {
				return v, true, nil
			}
			return args[1], true, nil
		}
	}
	return nil, false, nil
}

func (r *run) mapView(m any, name string) (any, bool, error) {
	switch name {
	case "size":
		return int32(mapLen(m)), true, nil //nolint:gosec // bounded by Limits
	case "isempty":
		return mapLen(m) == 0, true, nil
	case "keyset", "values", "entryset":
	default:
		return nil, false, nil
	}
	if err := r.build(mapLen(m) * 64); err != nil {
		return nil, false, err
	}
	items := entriesOf(m)
	for i, v := range items {
		e, ok := v.(*entry)
		if !ok {
			continue
		}
		switch name {
		case "keyset":
			items[i] = e.key
		case "values":
			items[i] = e.val
		}
	}
	return &collection{items}, true, nil
}

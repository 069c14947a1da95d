package flow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// compiler holds what compiling one flow's nodes needs.
type compiler struct {
	p    *Program
	f    *Flow
	refs map[RefKind]map[string]string
	err  error // the first fault of the node at hand
}

// loopLimits are how often one contact may run an operation of a node (Webex, "Flow Designer limits"; flows.md 1.7).
var loopLimits = map[Op]int{OpMenu: 100, OpCollect: 100, OpQueue: 100, OpCallback: 10, OpBot: 20, OpStream: 20, OpQueueInfo: 1500}

func (c *compiler) node(n *Node) *cnode {
	out := &cnode{id: n.ID, name: n.Name, op: n.Op, limit: loopLimits[n.Op]}
	c.err = nil
	switch n.Op {
	case OpStart, OpEvent, OpPass:
		out.exec = execPass
	case OpSet:
		out.data, out.exec = c.set(n), execSet
	case OpSay:
		out.data, out.exec = c.say(n), execSay
	case OpMusic:
		out.data, out.exec = c.music(n), execMusic
	case OpMenu, OpCollect:
		out.data, out.exec = c.gather(n), execGather
	case OpCond:
		out.data, out.exec = c.text(n.In["expr"]), execCond
	case OpCase:
		out.data, out.exec = c.cases(n), execCase
	case OpHTTP:
		out.data, out.exec = c.http(n), execHTTP
	case OpParse:
		out.data, out.exec = c.parse(n), execParse
	case OpHangup:
		out.exec = execHangup
	case OpEnd:
		out.exec = execEnd
	case OpEndSub:
		out.data, out.exec = c.text(n.In["outcome"]), execEndSub
	default:
		c.routing(n, out)
	}
	out.binds, out.match = c.binds(n), c.matches(n)
	out.secret = c.readsHidden(n)
	if c.err != nil {
		out.fault = c.err.Error()
		out.exec = execFault
	}
	return out
}

// routing compiles what concerns queues, agents, hours of operation and other flows.
func (c *compiler) routing(n *Node, out *cnode) {
	switch n.Op {
	case OpQueue, OpQueueAgent:
		q := c.queue(n)
		out.data, out.exec = q, execQueue
		if q.hook != "" {
			out.exec = execHookQueue
		}
	case OpPop:
		out.data, out.exec = c.pop(n), execPop
	case OpTransfer:
		d := c.transfer(n)
		out.limit = 10
		if d.bridged {
			out.limit = 75
		}
		out.data, out.exec = d, execTransfer
	case OpCallback:
		out.data, out.exec = c.callback(n), execCallback
	case OpHours:
		out.data, out.exec = c.ask(n, AskHours, RefHours, "hours"), execAsk
	case OpQueueInfo:
		out.data, out.exec = c.ask(n, AskQueueInfo, RefQueue, "queue"), execAsk
	case OpBot:
		out.data, out.exec = c.ask(n, AskBot, RefBot, "bot"), execAsk
	case OpSub:
		out.data, out.exec = c.ask(n, AskSub, RefFlow, "flow"), execSub
	case OpGoto:
		out.data, out.exec = c.ask(n, "", RefFlow, "flow"), execGoto
	default:
		c.connect(n, out)
	}
}

// readsHidden reports whether a node reads a secure variable, or one that was set from one.
func (c *compiler) readsHidden(n *Node) bool {
	found := false
	if len(c.p.hidden) > 0 {
		eachValue(n, func(v Value) {
			found = found || slices.ContainsFunc(readNames(v), func(name string) bool { return c.p.hidden[name] })
		})
	}
	return found
}

func (c *compiler) fail(v Value, err error) {
	if c.err == nil {
		where := v.Field
		if where == "" {
			where = "an input"
		}
		c.err = fmt.Errorf("%s: %w", where, err)
	}
}

// text compiles an input that is used as it is.
func (c *compiler) text(v Value) *ctext {
	if v.Dialect == DialectConnect {
		return compileConnect(v.Src, nil)
	}
	if v.Dialect != DialectPebble {
		return &ctext{lit: text(v.Lit)}
	}
	t, err := compileText(v.Src)
	if err != nil {
		c.fail(v, err)
		return &ctext{}
	}
	return t
}

// safe compiles an input whose values are escaped for their place, unless the flow has turned that off.
func (c *compiler) safe(v Value, pl place) *ctext {
	if c.p.opts.RawInterpolation || pl == nil {
		return c.text(v)
	}
	src := v.Src
	if v.Dialect == DialectConnect {
		return compileConnect(src, pl)
	}
	if v.Dialect != DialectPebble {
		return &ctext{lit: pl.literal(text(v.Lit))}
	}
	t, err := compileSafe(src, pl)
	if err != nil {
		c.fail(v, err)
		return &ctext{}
	}
	return t
}

func (c *compiler) number(v Value, def int) int {
	if v.Dialect != DialectLiteral {
		return def
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text(v.Lit)), 64)
	if err != nil || f != f || f > 1<<31 || f < -(1<<31) {
		return def
	}
	return int(f)
}

func (c *compiler) float(v Value) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(text(v.Lit)), 64)
	if err != nil || f != f || f > 1e6 || f < -1e6 {
		return 0
	}
	return f
}

func (c *compiler) flag(v Value) bool {
	b, err := toBoolean(v.Lit)
	return err == nil && v.Lit != nil && b == true
}

func (c *compiler) pairs(v Value, pl func(name string) place) []cpair {
	out := make([]cpair, 0, len(v.Map))
	for _, k := range slices.Sorted(maps.Keys(v.Map)) {
		out = append(out, cpair{k, c.safe(v.Map[k], pl(k))})
	}
	return out
}

// resolve returns our identifier for a reference of the source system.
func (c *compiler) resolve(kind RefKind, id, name string) string {
	if b := c.refs[kind][id]; b != "" {
		return b
	}
	if b := c.refs[kind][name]; b != "" && name != "" {
		return b
	}
	return id
}

func (c *compiler) binds(n *Node) []cbind {
	var out []cbind
	for _, b := range n.Out {
		if b.Path == "" || b.Path == "$" {
			out = append(out, cbind{nil, b.Var})
			continue
		}
		p, err := jsonpath.Parse(b.Path, jsonpath.Jayway)
		if err != nil {
			c.fail(Value{Field: b.Field}, err)
			continue
		}
		out = append(out, cbind{p, b.Var})
	}
	return out
}

// cwait is a time to wait and how many milliseconds its unit has.
type cwait struct {
	time *ctext
	unit float64
}

type cpair struct {
	name string
	val  *ctext
}

type cset struct {
	name string
	typ  Type
	val  *ctext
	from string // the name of the variable to copy
	// check is the type of the error for a value that is no phone number; "" takes any value.
	check string
}

func (c *compiler) set(n *Node) []cset {
	var out []cset
	for _, item := range n.In["sets"].List {
		name, _ := item.Map["var"].Lit.(string)
		s := cset{name: name, typ: c.typeOf(name), check: text(item.Map["check"].Lit)}
		v := item.Map["value"]
		if item.Map["from"].Lit == "var" && v.Dialect != DialectPebble {
			s.from = text(v.Lit)
		} else {
			s.val = c.text(v)
		}
		out = append(out, s)
	}
	return out
}

func (c *compiler) typeOf(name string) Type {
	if i, ok := c.p.varIndex[name]; ok {
		return c.p.vars[i].Type
	}
	return TypeString
}

type cprompt struct {
	kind PromptKind
	ssml bool
	val  *ctext
}

type csay struct {
	prompts       []cprompt
	lang, voice   *ctext
	rate, gain    float64
	interruptible bool
}

func (c *compiler) say(n *Node) *csay {
	s := &csay{
		lang: c.text(n.In["language"]), voice: c.text(n.In["voice"]),
		rate: c.float(n.In["rate"]), gain: c.float(n.In["gain"]), interruptible: c.flag(n.In["interruptible"]),
	}
	for _, item := range n.In["prompts"].List {
		k := PromptTTS
		if item.Map["kind"].Lit == string(PromptFile) {
			k = PromptFile
		}
		s.prompts = append(s.prompts, cprompt{k, item.Map["kind"].Lit == KindSSML, c.text(item.Map["text"])})
	}
	return s
}

type cmusic struct {
	file             *ctext
	duration, offset int
}

func (c *compiler) music(n *Node) *cmusic {
	return &cmusic{file: c.text(n.In["file"]), duration: max(0, c.number(n.In["durationMS"], 0)), offset: max(0, c.number(n.In["offsetMS"], 0))}
}

type cgather struct {
	say      *csay
	menu     bool
	digits   map[string]bool
	min, max int
	term     string
	entryMS  int
	interMS  int
	maxTries int
	// store is the state variable that takes what was entered, and phone how a number among it is checked and completed.
	store, phone, prefix string
}

func (c *compiler) gather(n *Node) *cgather {
	g := &cgather{
		say: c.say(n), menu: n.Op == OpMenu, digits: make(map[string]bool), min: 1, max: 1,
		entryMS: clamp(c.number(n.In["entryTimeoutMS"], 5000), 100, 600_000),
		interMS: clamp(c.number(n.In["interDigitTimeoutMS"], 3000), 100, 600_000), maxTries: clamp(c.number(n.In["maxTries"], 1), 1, 10),
	}
	for _, d := range n.In["digits"].List {
		g.digits[text(d.Lit)] = true
	}
	if !g.menu {
		g.min = clamp(c.number(n.In["min"], 1), 0, 128)
		g.max = clamp(c.number(n.In["max"], 32), max(1, g.min), 128)
		g.term = text(n.In["terminators"].Lit)
		g.store, g.phone, g.prefix = text(n.In["store"].Lit), text(n.In["phone"].Lit), text(n.In["phonePrefix"].Lit)
	}
	return g
}

func clamp(v, low, high int) int { return max(low, min(v, high)) }

type ccase struct {
	val   *ctext
	cases []*ctext
	ports []Port
}

func (c *compiler) cases(n *Node) *ccase {
	out := &ccase{val: c.text(n.In["expr"])}
	seen := make(map[Port]int)
	for _, v := range n.In["cases"].List {
		out.cases = append(out.cases, c.text(v))
		out.ports = append(out.ports, CasePort(seen, v))
	}
	return out
}

// CasePort names the port of the next case of an OpCase node; seen counts the values so far, so that a value that stands
// twice gets two ports. Importers and the machine name ports by it.
func CasePort(seen map[Port]int, v Value) Port {
	p := PortCase(v.Src)
	if v.Dialect != DialectPebble {
		p = PortCase(text(v.Lit))
	}
	seen[p]++
	if n := seen[p]; n > 1 {
		p += Port("#" + strconv.Itoa(n))
	}
	return p
}

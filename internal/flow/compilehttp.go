package flow

import (
	"strconv"
	"strings"
)

type chttp struct {
	connector, connectorName string
	method                   string
	url, path, body          *ctext
	headers, query           []cpair
	contentType              string
	timeoutMS, retries       int
	skip                     string
	parse                    bool
	status, response, header bool // which outputs templates read
}

// Bounds of a request, whatever a flow says.
const (
	maxHTTPTimeoutMS = 60_000
	maxHTTPRetries   = 5
)

func (c *compiler) http(n *Node) *chttp {
	h := &chttp{
		method:    strings.ToUpper(strings.TrimSpace(text(n.In["method"].Lit))),
		url:       c.safe(n.In["url"], &urlPlace{}),
		path:      c.safe(n.In["path"], &urlPlace{}),
		timeoutMS: clamp(c.number(n.In["timeoutMS"], DefaultHTTPTimeoutMS), 100, maxHTTPTimeoutMS),
		retries:   clamp(c.number(n.In["retries"], 1), 0, maxHTTPRetries),
		skip:      text(n.In["skipWhenUnset"].Lit),
		parse:     len(n.Out) > 0,
	}
	if h.method == "" {
		h.method = "GET"
	}
	id, name := text(n.In["connector"].Lit), text(n.In["connectorName"].Lit)
	h.connector, h.connectorName = c.resolve(RefConnector, id, name), name
	h.contentType = contentType(text(n.In["contentType"].Lit))
	h.body = c.safe(n.In["body"], bodyPlace(h.contentType, n.In["body"].Src))
	h.headers = c.pairs(n.In["headers"], func(string) place { return headerPlace{} })
	h.query = c.pairs(n.In["query"], func(name string) place { return &queryPlace{name: name} })
	h.status = c.p.readsField(n.Name, "httpStatusCode")
	h.response = c.p.readsField(n.Name, "httpResponseBody")
	h.header = c.p.readsField(n.Name, "httpResponseHeaders")
	return h
}

// contentType writes the content type of a Webex export, "Application/JSON", as a header has it.
func contentType(s string) string {
	t := strings.ToLower(strings.TrimSpace(s))
	switch t {
	case "", "none", "others", "other":
		return ""
	case "json":
		return "application/json"
	}
	return t
}

type cparse struct {
	name string
	val  *ctext
}

func (c *compiler) parse(n *Node) *cparse {
	v := n.In["input"]
	if v.Dialect == DialectPebble {
		return &cparse{val: c.text(v)}
	}
	return &cparse{name: text(v.Lit)}
}

type cskill struct {
	id, name, op string
	val          *ctext
}

type cqueue struct {
	queue, priority, fallback *ctext
	name                      string
	agent                     *ctext
	agentBy                   string
	skills                    []cskill
	park                      bool
	hook                      string // the treatment is the flow of this hook, and the queue the one chosen before
	resolve                   func(id, name string) string
}

func (c *compiler) queue(n *Node) *cqueue {
	q := &cqueue{
		queue: c.text(n.In["queue"]), priority: c.text(n.In["priority"]), fallback: c.text(n.In["fallback"]),
		name: text(n.In["queueName"].Lit), agentBy: text(n.In["lookup"].Lit), park: c.flag(n.In["park"]),
	}
	q.hook = text(n.In["hook"].Lit)
	refs := c.refs[RefQueue]
	q.resolve = func(id, name string) string {
		if b := refs[id]; b != "" {
			return b
		}
		if b := refs[name]; b != "" && name != "" {
			return b
		}
		return id
	}
	if n.Op == OpQueueAgent {
		q.agent = c.text(n.In["agent"])
	}
	for _, s := range n.In["skills"].List {
		q.skills = append(q.skills, cskill{text(s.Map["id"].Lit), text(s.Map["name"].Lit), text(s.Map["op"].Lit), c.text(s.Map["value"])})
	}
	return q
}

type cpop struct {
	url    *ctext
	query  []cpair
	label  *ctext
	target string
}

func (c *compiler) pop(n *Node) *cpop {
	return &cpop{
		url:   c.safe(n.In["url"], &urlPlace{}),
		query: c.pairs(n.In["query"], func(name string) place { return &queryPlace{name: name} }),
		label: c.text(n.In["label"]), target: text(n.In["target"].Lit),
	}
}

type ctransfer struct {
	number    *ctext
	bridged   bool
	timeoutMS int
	caller    *ctext
	digits    *ctext
}

func (c *compiler) transfer(n *Node) *ctransfer {
	return &ctransfer{
		number: c.text(n.In["number"]), bridged: c.flag(n.In["bridged"]), timeoutMS: clamp(c.number(n.In["timeoutMS"], 30_000), 1000, 600_000),
		caller: c.text(n.In["callerId"]), digits: c.text(n.In["sendDigits"]),
	}
}

type ccallback struct {
	number, queue, ani     *ctext
	delay, retry, attempts int
	resolve                func(string) string
}

func (c *compiler) callback(n *Node) *ccallback {
	refs := c.refs[RefQueue]
	const day = 86_400
	return &ccallback{
		number: c.text(n.In["number"]), queue: c.text(n.In["queue"]), ani: c.text(n.In["ani"]),
		delay: clamp(c.number(n.In["delaySeconds"], 0), 0, 3*day), retry: clamp(c.number(n.In["retrySeconds"], 0), 0, 3*day),
		attempts: clamp(c.number(n.In["attempts"], 0), 0, 100), resolve: func(id string) string {
			if b := refs[id]; b != "" {
				return b
			}
			return id
		},
	}
}

type cask struct {
	what    string
	ref     *ctext
	name    string
	params  []cpair
	resolve func(string) string
}

func (c *compiler) ask(n *Node, what string, kind RefKind, input string) *cask {
	a := &cask{what: what, ref: c.text(n.In[input]), name: text(n.In[input+"Name"].Lit)}
	name := a.name
	refs := c.refs[kind]
	a.resolve = func(id string) string {
		if b := refs[id]; b != "" {
			return b
		}
		if b := refs[name]; b != "" && name != "" {
			return b
		}
		return id
	}
	for _, group := range []string{"params", "inputs"} {
		a.params = append(a.params, c.pairs(n.In[group], func(string) place { return nil })...)
	}
	for _, k := range []string{"lookbackMinutes", "event"} {
		if v, ok := n.In[k]; ok && n.Op != OpEvent {
			a.params = append(a.params, cpair{k, c.text(v)})
		}
	}
	return a
}

type csplit struct {
	labels []string
	upTo   []uint64 // running sums of the weights, in hundredths
}

func (c *compiler) split(n *Node) *csplit {
	s := &csplit{}
	var sum uint64
	for _, w := range n.In["weights"].List {
		f, err := strconv.ParseFloat(strings.TrimSpace(text(w.Map["percent"].Lit)), 64)
		if err != nil || f < 0 || f > 1e6 || f != f {
			continue
		}
		sum += uint64(f*100 + 0.5)
		s.labels = append(s.labels, text(w.Map["label"].Lit))
		s.upTo = append(s.upTo, sum)
	}
	return s
}

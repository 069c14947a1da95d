package flow

import (
	"bytes"
	"strconv"
	"strings"
)

func execPass(*machine, *Thread, *cnode) result { return on(PortOK, "") }

func execFault(_ *machine, _ *Thread, n *cnode) result { return failed("%s", n.fault) }

func execEnd(*machine, *Thread, *cnode) result { return ended("end") }

func execHangup(m *machine, t *Thread, n *cnode) result {
	m.cancelPlacement()
	if !m.s.HangupSent {
		m.hangup(t.ID, n.id)
	}
	return ended("disconnected")
}

// execUnsupported leaves a step we cannot run by its error port, by its only port, or fails.
func execUnsupported(_ *machine, _ *Thread, n *cnode) result {
	if n.exits[PortError] == nil && len(n.exits) == 1 {
		for p := range n.exits {
			return on(p, "not supported: passed over")
		}
	}
	if n.exits[PortError] == nil && n.next != nil {
		return on(PortOK, "not supported: passed over")
	}
	return failed("this step is not supported")
}

func execSet(m *machine, _ *Thread, n *cnode) result {
	sets, _ := n.data.([]cset)
	detail := ""
	for i := range sets {
		s := &sets[i]
		v, err := m.setValue(s)
		if s.check != "" && err == nil {
			if _, ok := phoneNumber(text(v), "", ""); !ok {
				return result{way: wayFail, port: PortErrorOf(s.check), detail: "the value is no phone number"}
			}
		}
		if err == nil {
			err = m.setVar(s.name, v)
		}
		if err != nil {
			return failedErr("setting "+s.name, m.discreet(s.name, err))
		}
		if detail != "" {
			detail += ", "
		}
		if m.p.hidden[s.name] {
			detail += s.name + " (secure)"
		} else {
			detail += s.name + " = " + clip(text(m.s.Vars[s.name]))
		}
	}
	return on(PortOK, clip(detail))
}

func (m *machine) setValue(s *cset) (any, error) {
	if s.from != "" {
		return lookup(m.env.Vars, s.from), nil
	}
	if s.typ == TypeString {
		return s.val.render(m.env)
	}
	return s.val.value(m.env)
}

// discreet keeps the value of a secure variable out of an error's text.
func (m *machine) discreet(name string, err error) error {
	if m.p.hidden[name] {
		return errSecure
	}
	return err
}

// lookup finds a variable or a field of an object by its dotted name; nil if there is none.
func lookup(vars map[string]any, path string) any {
	if v, ok := vars[path]; ok {
		return v
	}
	root, rest, found := strings.Cut(path, ".")
	v := vars[root]
	for found {
		var name string
		name, rest, found = strings.Cut(rest, ".")
		obj, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if v, ok = obj[name]; ok {
			continue
		}
		for k, x := range obj {
			if strings.EqualFold(k, name) {
				v = x
			}
		}
	}
	return v
}

func (m *machine) prompts(s *csay) ([]Prompt, error) {
	out := make([]Prompt, 0, len(s.prompts))
	lang, err := s.lang.render(m.env)
	if err != nil {
		return nil, err
	}
	voice, err := s.voice.render(m.env)
	if err != nil {
		return nil, err
	}
	for i := range s.prompts {
		txt, err := s.prompts[i].val.render(m.env)
		if err != nil {
			return nil, err
		}
		if s.prompts[i].ssml {
			txt = speechText(txt)
		}
		if strings.TrimSpace(txt) == "" {
			continue
		}
		if s.prompts[i].kind == PromptFile {
			out = append(out, Prompt{Kind: PromptFile, File: txt})
			continue
		}
		out = append(out, Prompt{
			Kind: PromptTTS, Text: txt, Fixed: s.prompts[i].val.fixed(), Language: m.language(lang), Voice: m.voice(voice), Rate: s.rate, GainDB: s.gain,
		})
	}
	return out, nil
}

func execSay(m *machine, t *Thread, n *cnode) result {
	s, _ := n.data.(*csay)
	ps, err := m.prompts(s)
	if err != nil {
		return failedErr("writing the prompt", err)
	}
	if len(ps) == 0 {
		if n.next == n {
			return failed("there is nothing to play, again and again")
		}
		return on(PortOK, "nothing to play")
	}
	m.command(t, n.id, Command{Kind: CmdPlay, Play: &Play{Prompts: ps, Interruptible: s.interruptible}})
	return wait("")
}

func execMusic(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cmusic)
	file, err := d.file.render(m.env)
	if err != nil {
		return failedErr("naming the music", err)
	}
	m.command(t, n.id, Command{Kind: CmdMusic, Music: &Music{File: file, DurationMS: d.duration, OffsetMS: d.offset}})
	return wait("")
}

func execGather(m *machine, t *Thread, n *cnode) result {
	g, _ := n.data.(*cgather)
	ps, err := m.prompts(g.say)
	if err != nil {
		return failedErr("writing the prompt", err)
	}
	m.command(t, n.id, Command{Kind: CmdGather, Gather: &Gather{
		Prompts: ps, Min: g.min, Max: g.max, Terminators: g.term, EntryTimeoutMS: g.entryMS, InterDigitTimeoutMS: g.interMS,
		Interruptible: g.say.interruptible,
	}})
	return wait("")
}

func execCond(m *machine, _ *Thread, n *cnode) result {
	c, _ := n.data.(*ctext)
	v, err := c.value(m.env)
	if err != nil {
		return failedErr("evaluating the condition", err)
	}
	b, err := toBoolean(v)
	switch {
	case err != nil:
		return failed("the condition is neither true nor false")
	case b == true:
		return on(PortTrue, "")
	}
	return on(PortFalse, "")
}

func execCase(m *machine, _ *Thread, n *cnode) result {
	c, _ := n.data.(*ccase)
	v, err := c.val.render(m.env)
	if err != nil {
		return failedErr("evaluating the cases", err)
	}
	v = strings.TrimSpace(v)
	for i, x := range c.cases {
		want, err := x.render(m.env)
		if err != nil {
			return failedErr("evaluating the cases", err)
		}
		if v == strings.TrimSpace(want) {
			return on(c.ports[i], "")
		}
	}
	return on(PortNoMatch, "")
}

func execParse(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*cparse)
	var v any
	var err error
	if d.val != nil {
		v, err = d.val.value(m.env)
	} else {
		v = lookup(m.env.Vars, d.name)
	}
	if err != nil {
		return failedErr("reading the input", err)
	}
	doc, ok := v, true
	if s, isText := v.(string); isText {
		doc, ok = documentOf([]byte(s))
	}
	if !ok {
		return on(PortOK, "the input is no JSON document: variables stay as they are")
	}
	return on(PortOK, m.bindAll(n, doc))
}

// bindAll stores the parts of a result. A path that leads to nothing leaves its variable as it is: exported flows
// recognise "not found" by the value the variable was declared with. A value that does not fit the type does the same.
func (m *machine) bindAll(n *cnode, doc any) string {
	missing := 0
	for i := range n.binds {
		b := &n.binds[i]
		v, err := doc, error(nil)
		if b.path != nil {
			v, err = b.path.One(doc)
		}
		if err == nil {
			err = m.setVar(b.name, v)
		}
		if err != nil {
			missing++
		}
	}
	return notFound(missing, len(n.binds))
}

// bindText stores the parts of a result that is still JSON text, as bindAll does; false if it is no JSON. Only what the
// paths lead to is decoded: answers of other systems are long, and flows take little of them.
func (m *machine) bindText(n *cnode, body []byte) (string, bool) {
	if !plainBinds(n) {
		doc, ok := documentOf(body)
		if !ok {
			return "", false
		}
		return m.bindAll(n, doc), true
	}
	d := docReader{data: string(body)}
	if !d.valid() {
		return "", false
	}
	missing := 0
	for i := range n.binds {
		b := &n.binds[i]
		steps, _ := b.path.Plain()
		v, err := d.find(steps)
		if err == nil {
			err = m.setVar(b.name, v)
		}
		if err != nil {
			missing++
		}
	}
	return notFound(missing, len(n.binds)), true
}

func plainBinds(n *cnode) bool {
	for i := range n.binds {
		if n.binds[i].path == nil {
			return false
		}
		if _, ok := n.binds[i].path.Plain(); !ok {
			return false
		}
	}
	return true
}

func notFound(missing, of int) string {
	if missing > 0 {
		return strconv.Itoa(missing) + " of " + strconv.Itoa(of) + " outputs not found"
	}
	return ""
}

// documentOf decodes a JSON document; false if it is none.
func documentOf(data []byte) (any, bool) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, false
	}
	doc, err := decodeJSON(data)
	return doc, err == nil
}

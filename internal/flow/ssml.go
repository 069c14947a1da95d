package flow

import (
	"html"
	"strings"
)

// speechText turns SSML into plain text for synthesizers that read none: a pause becomes a comma or, when it is strong, a
// full stop, substitutes take the place of what they stand for, and digits that are to be spelled out stand apart.
// Anything that is no well-formed markup is read as it stands.
func speechText(s string) string {
	if !strings.Contains(s, "<") {
		return html.UnescapeString(s)
	}
	w := &ssmlWriter{}
	for s != "" {
		at := strings.IndexByte(s, '<')
		if at < 0 {
			break
		}
		end := strings.IndexByte(s[at:], '>')
		if end < 0 {
			break
		}
		w.text(html.UnescapeString(s[:at]))
		w.tag(s[at+1 : at+end])
		s = s[at+end+1:]
	}
	w.text(html.UnescapeString(s))
	return strings.Join(strings.Fields(w.b.String()), " ")
}

type ssmlWriter struct {
	b     strings.Builder
	spell bool
	skip  bool
}

func (w *ssmlWriter) text(s string) {
	if w.skip {
		return
	}
	if !w.spell {
		w.b.WriteString(s)
		return
	}
	for i, r := range strings.TrimSpace(s) {
		if i > 0 {
			w.b.WriteByte(' ')
		}
		w.b.WriteRune(r)
	}
}

func (w *ssmlWriter) tag(t string) {
	name, _, _ := strings.Cut(strings.TrimSpace(strings.TrimSuffix(t, "/")), " ")
	switch strings.ToLower(name) {
	case "break":
		strength := ssmlAttr(t, "strength")
		if ssmlAttr(t, "time") == "0s" || strength == "none" {
			return
		}
		if strength == "strong" || strength == "x-strong" {
			w.pause(". ")
			return
		}
		w.pause(", ")
	case "/p", "/s":
		w.pause(". ")
	case "say-as":
		switch strings.ToLower(ssmlAttr(t, "interpret-as")) {
		case "digits", "telephone", "spell-out", "characters":
			w.spell = true
		}
	case "/say-as":
		w.spell = false
	case "sub":
		w.text(html.UnescapeString(ssmlAttr(t, "alias")))
		w.skip = true
	case "/sub":
		w.skip = false
	}
}

// pause ends a clause, unless something has ended it already.
func (w *ssmlWriter) pause(mark string) {
	said := strings.TrimRight(w.b.String(), " \t\r\n")
	if said == "" {
		return
	}
	if strings.ContainsAny(said[len(said)-1:], ".,;:!?") {
		mark = " "
	}
	w.b.Reset()
	w.b.WriteString(said + mark)
}

// ssmlAttr reads an attribute of a tag.
func ssmlAttr(tag, name string) string {
	for _, quote := range []string{`"`, `'`} {
		_, rest, ok := strings.Cut(tag, name+"="+quote)
		if !ok {
			continue
		}
		if v, _, ok := strings.Cut(rest, quote); ok {
			return v
		}
	}
	return ""
}

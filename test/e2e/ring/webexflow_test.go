package ring

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// webexDoc builds a raw export of the Flow Designer; nodes are named by their ids.
type webexDoc struct {
	kind       string // FLOW or SUBFLOW
	vars       []map[string]any
	activities map[string]any
	links      []any
	handlers   map[string]any // activities of event flows
	onEvents   map[string]string
	eventLinks []any
}

func newWebex(kind string) *webexDoc {
	w := &webexDoc{kind: kind, activities: map[string]any{}, handlers: map[string]any{}, onEvents: map[string]string{}}
	w.activities["NewPhoneContact"] = map[string]any{"id": "NewPhoneContact", "name": "NewPhoneContact", "group": "start", "properties": map[string]any{
		"activityName": "NewPhoneContact", "activityId": "start", "event": "NewPhoneContact", "flowType": map[string]any{"eventSpecificationName": "ContactStartWorkflow"},
	}}
	return w
}

func (w *webexDoc) variable(name, value string, shown bool) *webexDoc {
	w.vars = append(w.vars, map[string]any{"name": name, "type": "STRING", "value": value, "isCAD": shown, "desktopLabel": name})
	return w
}

func webexLinks(from string, to []string) (out []any) {
	for _, l := range to {
		port, target, _ := strings.Cut(l, " ")
		out = append(out, map[string]any{"id": from + port, "sourceActivityId": from, "targetActivityId": target, "conditionExpr": port, "properties": map[string]any{"value": port}})
	}
	return out
}

// node adds an activity; to are its links as "port target".
func (w *webexDoc) node(id, activity string, properties map[string]any, to ...string) *webexDoc {
	p := map[string]any{"name": id, "activityName": activity, "activityId": activity}
	maps.Copy(p, properties)
	w.activities[id] = map[string]any{"id": id, "name": id, "group": "action", "properties": p}
	w.links = append(w.links, webexLinks(id, to)...)
	return w
}

// onEnd adds a handler of the contact's end that sets a variable.
func (w *webexDoc) onEnd(variable, value string) *webexDoc {
	w.handlers["ContactEnded"] = map[string]any{"id": "ContactEnded", "name": "ContactEnded", "group": "event", "properties": map[string]any{"name": "ContactEnded", "activityId": "event", "event": "PhoneContactEnded", "eventSpecificationName": "ContactEnded"}}
	w.handlers["Note"] = map[string]any{"id": "Note", "name": "Note", "group": "set-variable", "properties": set(variable, value)}
	w.handlers["Over"] = map[string]any{"id": "Over", "name": "Over", "group": "end", "properties": map[string]any{"name": "Over", "activityName": "end", "activityId": "end"}}
	w.eventLinks = append(webexLinks("ContactEnded", []string{"out Note"}), webexLinks("Note", []string{"out Over"})...)
	w.onEvents["ContactEnded"] = "ContactEnded"
	return w
}

func (w *webexDoc) file(t *testing.T, first string) []byte {
	t.Helper()
	links := append(webexLinks("NewPhoneContact", []string{"out " + first}), w.links...)
	raw, err := json.Marshal(map[string]any{
		"orgId": "o", "version": 1, "id": "f-1", "flowId": "f-1", "name": "x", "flowType": w.kind, "variables": w.vars,
		"process":     map[string]any{"activities": w.activities, "links": links},
		"eventFlows":  map[string]any{"eventsMap": map[string]any{"GLOBAL_EVENTS": map[string]any{"id": "GLOBAL_EVENTS", "process": map[string]any{"activities": w.handlers, "links": w.eventLinks}, "onEvents": w.onEvents}}},
		"diagram":     map[string]any{"widgets": map[string]any{}},
		"validating":  true,
		"persist":     true,
		"description": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func set(variable, value string) map[string]any {
	return map[string]any{
		"name": "Note", "activityName": "set-variable", "activityId": "set-variable", "srcVariable": variable, "srcVariableType": "STRING", "setTo": "set-to-literal", "expr": value, "literal": value,
		"setVariablesArray": []any{map[string]any{"srcVariable": variable, "srcVariableType": "STRING", "setTo": "set-to-literal", "literal": value, "expr": value}},
	}
}

func speak(text string) map[string]any {
	return map[string]any{"toggle": true, "promptsTts": []any{map[string]any{"type": "tts", "value": text}}}
}

func keyMenu(text string) map[string]any {
	p := speak(text)
	p["menuLinks"], p["menuLinks_input"], p["entryTimeout"], p["interruptible"] = []string{"1", "2"}, []string{"a", "b"}, "60", true
	return p
}

// TestWebexFlow: a Webex flow asks for business hours by id and by variable, runs a subflow that has a node of the same name as one of
// its own, and goes on in the versions it began with when the hub was started anew.
func TestWebexFlow(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	s := with(t, h)
	s.make("/hours", map[string]any{
		"name": "Office hours", "zone": "America/New_York", "week": []map[string]any{},
		"overrides": []map[string]any{{"name": "Jubilee", "from": "2000-01-01T00:00", "to": "2199-01-01T00:00"}},
	})
	s.make("/hours", always())
	version := func(n, mainID, subID string) (string, string) {
		sub := newWebex("SUBFLOW").variable("topic", "", true).
			node("Ask", "ivr-menu", keyMenu("subflow "+n), "1 Keep", "2 Keep", "timeout Keep", "invalid Keep").
			node("Keep", "set-variable", set("topic", "{{ Ask.OptionEntered }} of "+n), "out Back").
			node("Back", "end-subflow", nil)
		subID = s.load(subID, "Survey", sub.file(t, "Ask"), nil)
		main := newWebex("FLOW").variable("topic", "", true).variable("choice", "", true).variable("end", "", true).variable("table", "Always", false).
			node("Hours", "business-hours", map[string]any{"businessHoursId": "bh-1", "businessHoursId:name": "Office hours"}, "workingHours Bye", "holidays Bye", "override Special", "default Bye").
			node("Special", "play-message", speak("Special times"), "default Again").
			node("Again", "business-hours", map[string]any{"businessHoursVariable": "table"}, "workingHours Ask", "holidays Bye", "override Bye", "default Bye").
			node("Ask", "ivr-menu", keyMenu("main "+n), "1 Sub", "2 Sub", "timeout Bye", "invalid Bye").
			node("Sub", "subflow-handoff", map[string]any{"subflowId": "sf-1", "subflowId:name": "Survey"}, "default Keep").
			node("Keep", "set-variable", set("choice", "{{ Ask.OptionEntered }}"), "out Queue").
			node("Queue", "queue-contact", map[string]any{"destination": "q-1", "destination:name": "Support", "queueRadioGroup": "staticQueue"}, "default Wait", "failure Bye").
			node("Wait", "play-music", map[string]any{"prompt": "defaultmusic_on_hold.wav", "duration": "30"}, "default Wait").
			node("Bye", "disconnect-contact", nil).
			onEnd("end", "ended in "+n)
		return s.load(mainID, "Hotline", main.file(t, "Hours"), nil), subID
	}
	main, sub := version("one", "", "")
	s.point("3010", main)
	call := dial(h, "+15005550160", "3010", callerTone)
	id := contactOf(h, "+15005550160")
	prompted(h, id, "Special times", 1)
	prompted(h, id, "main one", 1)
	version("two", main, sub)
	keys(t, call, "2")
	prompted(h, id, "subflow one", 1)
	keys(t, call, "1")
	queued(h, "+15005550160")
	agent := sit(t, h, "ada", agentTone)
	agent.accepts()
	h.Eventually("both hear each other", func() bool { return call.ear.hears(agentTone) && agent.ear.hears(callerTone) })
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	again := hub.Start(t, hub.Options{Dir: h.Dir})
	agent = &desk{Client: again.SignIn("ada"), h: again, t: t}
	agent.is("wrapup")
	agent.finishes(id, "resolved", "")
	r := closed(t, again, id)
	vars := map[string]string{}
	for _, v := range r.Variables {
		vars[v.Name] = v.Value
	}
	if vars["topic"] != "1 of one" || vars["choice"] != "2" || vars["end"] != "ended in one" || r.Had("error") {
		t.Errorf("variables %v, timeline %+v", vars, r.Timeline)
	}
	if got := steps(again, id); !strings.Contains(got, "Hours hours:override, Special ok, Again hours:work, Ask digit:2, Sub ok, NewPhoneContact ok, Ask_1 digit:1, Keep_1 ok") {
		t.Errorf("the flow went %s", got)
	}
}

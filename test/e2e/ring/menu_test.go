package ring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// contactOf waits for the contact of a caller.
func contactOf(h *hub.Hub, number string) (id string) {
	h.Eventually("the call from "+number+" is there", func() bool {
		for _, r := range h.Records() {
			if r.ANI == number {
				id = r.ID
			}
		}
		return id != ""
	})
	return id
}

// prompted waits until a contact was played n prompts with a text.
func prompted(h *hub.Hub, id, text string, n int) {
	h.Eventually(fmt.Sprintf("prompt %d %q", n, text), func() bool {
		have := 0
		for _, m := range h.Record(id).Timeline {
			if m.Type == "prompt" && strings.Contains(m.Detail, text) {
				have++
			}
		}
		return have >= n
	})
}

const (
	menuPrompt  = "For an order, press 1."
	orderPrompt = "order number"
	sorryPrompt = "did not get that"
)

// menuCase is one way through the menu: what is pressed at which prompt, and where it leads.
type menuCase struct {
	name         string
	menu         []string // a key at each round of the menu; "" waits out the time
	order        string   // keys at the order's prompt; a final "." waits out the time
	queue, topic string
	orderNumber  string
	ports        string // of the nodes MainMenu and AskOrder, in their order
}

var menuCases = []menuCase{
	{name: "anything else", menu: []string{"0"}, queue: "Support", topic: "Other", ports: "digit:0"},
	{name: "sales", menu: []string{"2"}, queue: "Sales", topic: "Sales", ports: "digit:2"},
	{name: "order", menu: []string{"1"}, order: "12345#", queue: "Support", topic: "Order", orderNumber: "12345", ports: "digit:1 ok"},
	{name: "longest order", menu: []string{"1"}, order: "12345678", queue: "Support", topic: "Order", orderNumber: "12345678", ports: "digit:1 ok"},
	{name: "order without hash", menu: []string{"1"}, order: "4711.", queue: "Support", topic: "Order", orderNumber: "4711", ports: "digit:1 ok"},
	{name: "order too short", menu: []string{"1"}, order: "12#", queue: "Support", topic: "Other", ports: "digit:1 nomatch"},
	{name: "no order", menu: []string{"1"}, order: ".", queue: "Support", topic: "Other", ports: "digit:1 timeout"},
	{name: "wrong key, then right", menu: []string{"9", "2"}, queue: "Sales", topic: "Sales", ports: "nomatch digit:2"},
	{name: "only wrong keys", menu: []string{"9", "*", "5"}, queue: "Support", topic: "Other", ports: strings.Repeat(" nomatch", 3)[1:]},
	{name: "no input", menu: []string{"", "", ""}, queue: "Support", topic: "Other", ports: strings.Repeat(" timeout", 3)[1:]},
}

// TestMenu goes every way through the sample menu, all of them at the same time in one hub.
func TestMenu(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	for i, c := range menuCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			number := fmt.Sprintf("+1500555%04d", i)
			menuWay(t, h, dial(h, number, "1001", 0), number, c)
		})
	}
}

func menuWay(t *testing.T, h *hub.Hub, call *line, number string, c menuCase) {
	id := contactOf(h, number)
	for round, key := range c.menu {
		prompted(h, id, menuPrompt, round+1)
		if key != "" {
			keys(t, call, key)
		}
	}
	if c.order != "" {
		prompted(h, id, orderPrompt, 1)
		keys(t, call, strings.TrimSuffix(c.order, "."))
	}
	h.Eventually("the call waits", func() bool { return h.Record(id).State == "queued" })
	r := h.Record(id)
	vars := map[string]string{}
	for _, v := range r.Variables {
		vars[v.Name] = v.Value
	}
	if r.Queue.Name != c.queue || vars["topic"] != c.topic || vars["orderNumber"] != c.orderNumber {
		t.Errorf("queue %s, variables %v, want %s, %s, %q", r.Queue.Name, vars, c.queue, c.topic, c.orderNumber)
	}
	var ports []string
	for _, s := range h.Trace(id) {
		if (s.Name == "MainMenu" || s.Name == "AskOrder") && s.Port != "" {
			ports = append(ports, s.Port)
		}
	}
	if got := strings.Join(ports, " "); got != c.ports {
		t.Errorf("ports %s, want %s", got, c.ports)
	}
	call.Hangup()
	if r := closed(t, h, id); r.EndReason != "abandoned" {
		t.Errorf("the record says %q", r.EndReason)
	}
}

func keys(t *testing.T, call *line, list string) {
	t.Helper()
	<-call.Answered()
	if list == "" {
		return
	}
	if err := call.SendDigits(list); err != nil {
		t.Fatal(err)
	}
}

// TestMenuClock: the menu's time-out follows the hub's clock and starts at the end of the prompt.
func TestMenuClock(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	call := dial(h, "+15005550142", "1001", 0)
	id := contactOf(h, "+15005550142")
	prompted(h, id, menuPrompt, 1)
	h.Eventually("the prompt is heard", func() bool { return len(call.ear.audio(4)) == 4 && !call.ear.silent() })
	h.Advance(20 * time.Second)
	prompted(h, id, menuPrompt, 1)
	if h.Record(id).Had("queued") || len(h.Record(id).Timeline) != 2 {
		t.Errorf("the time ran under the prompt: %+v", h.Record(id).Timeline)
	}
	keys(t, call, "0")
	queued(h, "+15005550142")
}

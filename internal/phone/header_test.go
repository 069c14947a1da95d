package phone

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/voice"
)

func TestSplitList(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"<sip:a;lr>":                        {"<sip:a;lr>"},
		"<sip:a;lr>, <sip:b;lr>":            {"<sip:a;lr>", "<sip:b;lr>"},
		`"x, y" <sip:a,b@c>;p=1,<sip:d>`:    {`"x, y" <sip:a,b@c>;p=1`, "<sip:d>"},
		"":                                  {""},
		`"unclosed, <sip:a>, <sip:b>`:       {`"unclosed, <sip:a>, <sip:b>`},
		"<sip:a>,<sip:b>;x=\"1,2\",<sip:c>": {"<sip:a>", `<sip:b>;x="1,2"`, "<sip:c>"},
	} {
		if diff := cmp.Diff(want, splitList(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	msg := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "x"})
	msg.AppendHeader(sip.NewHeader("Record-Route", "<sip:a;lr>, <sip:b;lr>"))
	msg.AppendHeader(sip.NewHeader("Record-Route", "<sip:c>"))
	if diff := cmp.Diff([]string{"<sip:a;lr>", "<sip:b;lr>", "<sip:c>"}, routeSet(msg, false)); diff != "" {
		t.Error(diff)
	}
	reversed := routeSet(msg, true)
	if diff := cmp.Diff([]string{"<sip:c>", "<sip:b;lr>", "<sip:a;lr>"}, reversed); diff != "" {
		t.Error(diff)
	}
	target := sip.Uri{Scheme: "sip", User: "bob", Host: "192.0.2.4"}
	uri, routes := routed(target, reversed[1:])
	if uri.Host != target.Host || len(routes) != 2 {
		t.Errorf("loose: %s, %v", uri.String(), routes)
	}
	// RFC 3261 §12.2.1.1: a strict router becomes the request URI, the target goes to the end.
	uri, routes = routed(target, reversed)
	if diff := cmp.Diff([]string{"<sip:b;lr>", "<sip:a;lr>", "<sip:bob@192.0.2.4>"}, routes); diff != "" || uri.Host != "c" {
		t.Errorf("strict: %s, %s", uri.String(), diff)
	}
}

func TestBehindNAT(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		contact, source string
		want            bool
	}{
		{"192.168.1.5", "203.0.113.9:5060", true},
		{"192.168.1.5", "192.168.1.1:5060", false},
		{"203.0.113.8", "203.0.113.9:5060", false},
		{"pbx.example", "203.0.113.9:5060", false},
		{"10.0.0.1", "nonsense", false},
	} {
		if got := behindNAT(tc.contact, tc.source); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// A request within a dialog takes the way of the call, through the proxy that asked to stay on it.
func TestRequestsFollowTheRoute(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, answering(t, legs))
	b, proxy := newPeer(t, p.Addr()), newPeer(t, p.Addr())
	b.head = "Record-Route: <sip:" + proxy.addr() + ";lr>\r\n"
	b.invite()
	res := b.response("INVITE")
	for res.StatusCode != sip.StatusOK {
		res = b.response("INVITE")
	}
	if !strings.Contains(header(res, "Record-Route"), proxy.addr()) {
		t.Errorf("200 without Record-Route: %s", res)
	}
	b.request("ACK", 1, "", "")
	receive(t, legs).Hangup("")
	bye := proxy.incoming("BYE")
	if bye.Recipient.User != "bob" || !strings.Contains(header(bye, "Route"), proxy.addr()) {
		t.Errorf("BYE %s", bye)
	}
	proxy.reply(bye, 200, "", "")
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	a, err := New(Config{Addr: "[::1]:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = a.Stop(ctx)
	}()
	b := start(t, Config{Addr: "[::1]:0"}, answering(t, legs))
	out := dial(t, a, b)
	await(t, out, voice.LegAnswered)
	in := receive(t, legs)
	for out.Media().Stats().Received == 0 || in.Media().Stats().Received == 0 {
		<-time.After(10 * time.Millisecond)
	}
	out.Hangup("")
	await(t, in, voice.LegEnded)
}

// FuzzHeaders feeds what strangers write into the small parsers.
func FuzzHeaders(f *testing.F) {
	f.Add(`"Ann, \"B" <sip:+1;x=y@h:5060;lr>;tag=1, <tel:+1>`, "Signal=5\r\nDuration=160")
	f.Add("<", "Signal=\x00")
	f.Fuzz(func(t *testing.T, value, body string) {
		joined := 0
		for _, part := range splitList(value) {
			joined += len(part) + 1
		}
		if joined > len(value)+1 {
			t.Errorf("%q grew", value)
		}
		identity(value)
		routed(sip.Uri{Scheme: "sip", Host: "h"}, []string{value})
		if d, ok := infoDigit("application/dtmf-relay", body); ok && !strings.ContainsRune("0123456789*#ABCD", d.Key) {
			t.Errorf("key %q", d.Key)
		}
		if text := headerText(value); len(text) > maxHeaderText || strings.ContainsAny(text, "\r\n\"") {
			t.Errorf("header text %q", text)
		}
		if user := userPart(value); strings.ContainsAny(user, "@<>\r\n \"") {
			t.Errorf("user %q", user)
		}
	})
}

package httpx

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestAddressClasses(t *testing.T) {
	t.Parallel()
	g, err := newGuard(Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for want, list := range map[reach]string{
		public: "8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 192.167.1.1 100.63.0.1 100.128.0.1 2606:4700::1111 2001:4860:4860::8888 " +
			"::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1",
		inside: "127.0.0.1 127.255.0.3 ::1 10.1.2.3 172.16.0.1 172.31.9.9 192.168.1.1 fc00::1 fd12::9 100.64.0.1 100.127.0.1 198.18.0.1 " +
			"::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::",
		forbidden: "0.0.0.0 0.1.2.3 :: 169.254.169.254 169.254.0.1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 fe80::1 " +
			"fe80::1%eth0 fec0::1 224.0.0.1 239.1.1.1 ff02::1 255.255.255.255 240.0.0.1 192.0.0.192 192.0.2.1 198.51.100.7 203.0.113.9 " +
			"100.100.100.200 fd00:ec2::254 2001::1 2001:db8::1 64:ff9b:1::a00:1 ::127.0.0.1 100::1",
	} {
		for s := range strings.FieldsSeq(list) {
			if got := g.classify(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s has class %d, want %d", s, got, want)
			}
		}
	}
	if g.classify(netip.Addr{}) != forbidden {
		t.Error("no address is not refused")
	}
}

func TestAllowList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		allow   []string
		private bool
		host    string
		port    string
		ip      string
		ok      bool
	}{
		{"public", nil, false, "example.com", "443", "8.8.8.8", true},
		{"loopback by name", nil, false, "localhost", "443", "127.0.0.1", false},
		{"listed name to loopback", []string{"Sandbox.test.:8090"}, false, "sandbox.TEST", "8090", "127.0.0.1", true},
		{"listed name, other port", []string{"sandbox.test:8090"}, false, "sandbox.test", "443", "127.0.0.1", false},
		{"listed name to metadata", []string{"sandbox.test:80"}, false, "sandbox.test", "80", "169.254.169.254", false},
		{"listed address", []string{"127.0.0.1:8090"}, false, "127.0.0.1", "8090", "127.0.0.1", true},
		{"listed address by another name", []string{"127.0.0.1:8090"}, false, "localhost", "8090", "127.0.0.1", true},
		{"listed address, mapped form", []string{"127.0.0.1:8090"}, false, "::ffff:127.0.0.1", "8090", "::ffff:127.0.0.1", true},
		{"listed metadata address", []string{"169.254.169.254:80"}, false, "169.254.169.254", "80", "169.254.169.254", true},
		{"private allowed", nil, true, "crm.lan", "443", "10.0.0.5", true},
		{"private allowed, metadata", nil, true, "crm.lan", "80", "169.254.169.254", false},
		{"private allowed, IPv6 metadata", nil, true, "crm.lan", "80", "fd00:ec2::254", false},
		{"IPv6 listed", []string{"[::1]:8090"}, false, "::1", "8090", "::1", true},
	} {
		g, err := newGuard(Options{Allow: c.allow, AllowPrivate: c.private}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if err := g.check(c.host, c.port, netip.MustParseAddr(c.ip)); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for _, bad := range []string{"localhost", ":8090", "localhost:http", "localhost:0", "localhost:70000", "::1"} {
		if _, err := New(Options{Allow: []string{bad}}); !errs.Is(err, errs.Invalid) {
			t.Errorf("allow entry %q gives %v", bad, err)
		}
	}
	if _, err := New(Options{Ports: []int{0}}); !errs.Is(err, errs.Invalid) {
		t.Error("port 0 is accepted")
	}
}

// names is a resolver whose answers change with each question.
type names struct {
	answers [][]string
	asked   atomic.Int64
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	i := int(n.asked.Add(1)) - 1
	if i >= len(n.answers) {
		i = len(n.answers) - 1
	}
	if n.answers[i] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var out []netip.Addr
	for _, s := range n.answers[i] {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

// target is a server on loopback that counts its requests.
func target(t *testing.T, h http.HandlerFunc) (srv *httptest.Server, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv, hits
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func hostPort(srv *httptest.Server) string { return strings.TrimPrefix(srv.URL, "http://") }

func TestNamesThatLeadInside(t *testing.T) {
	t.Parallel()
	srv, hits := target(t, ok)
	_, port, _ := net.SplitHostPort(hostPort(srv))
	p := int(netip.MustParseAddrPort(hostPort(srv)).Port())
	for name, c := range map[string]struct {
		answers [][]string
		host    string
	}{
		"plain":            {[][]string{{"127.0.0.1"}}, "evil.example"},
		"mapped":           {[][]string{{"::ffff:127.0.0.1"}}, "evil.example"},
		"unspecified":      {[][]string{{"0.0.0.0"}}, "evil.example"},
		"several":          {[][]string{{"127.0.0.1", "::1", "169.254.169.254"}}, "evil.example"},
		"literal":          {nil, "127.0.0.1"},
		"literal, IPv6":    {nil, "[::ffff:7f00:1]"},
		"literal, NAT64":   {nil, "[64:ff9b::7f00:1]"},
		"literal, odd one": {[][]string{{"127.0.0.1"}}, "2130706433"},
		"octal":            {[][]string{{"127.0.0.1"}}, "0177.0.0.1"},
		"trailing dot":     {[][]string{{"127.0.0.1"}}, "localhost."},
	} {
		cl := client(t, Options{Resolver: &names{answers: c.answers}, Ports: []int{p}})
		_, err := cl.Do(t.Context(), &Request{URL: "http://" + c.host + ":" + port + "/secret?token=abc"})
		if !errs.Is(err, errs.Denied) || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: got %v, want denied", name, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests reached the server", hits.Load())
	}
}

func TestRebinding(t *testing.T) {
	t.Parallel()
	srv, hits := target(t, ok)
	p := netip.MustParseAddrPort(hostPort(srv)).Port()
	// The first answer is public: nothing listens there in a test, so the connection itself is refused or times out in the
	// socket check only when it is inside. The second answer, at the repetition, is loopback.
	n := &names{answers: [][]string{nil, {"127.0.0.1"}}}
	cl := client(t, Options{Resolver: n, Ports: []int{int(p)}, MaxAttempts: 3, Backoff: 1})
	_, err := cl.Do(t.Context(), &Request{URL: "http://rebind.example:" + portText(srv) + "/"})
	if !errs.Is(err, errs.Denied) || n.asked.Load() != 2 {
		t.Errorf("got %v after %d look-ups, want denied after 2", err, n.asked.Load())
	}
	// A name that passed one check is checked again at the socket, with the address it really connects to.
	g, _ := newGuard(Options{}.withDefaults())
	if _, err := g.connect(t.Context(), "tcp", "rebind.example", "80", netip.MustParseAddr("127.0.0.1"), 0); !isRefusal(err) {
		t.Errorf("the socket check gave %v", err)
	}
	if hits.Load() != 0 {
		t.Error("a request reached the server")
	}
}

func isRefusal(err error) bool { _, is := safe(err).(*refusal); return is } //nolint:errorlint // safe returns it bare

func portText(srv *httptest.Server) string {
	_, port, _ := net.SplitHostPort(hostPort(srv))
	return port
}

func TestMixedAnswers(t *testing.T) {
	t.Parallel()
	srv, hits := target(t, ok)
	// One address is refused, the other one is listed: the listed one is used.
	cl := client(t, Options{
		Resolver: &names{answers: [][]string{{"169.254.169.254", "127.0.0.1"}}},
		Allow:    []string{"crm.example:" + portText(srv)},
	})
	resp, err := cl.Do(t.Context(), &Request{URL: "http://CRM.example:" + portText(srv) + "/"})
	if err != nil || string(resp.Body) != "ok" || hits.Load() != 1 {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	cl := client(t, Options{})
	for _, u := range []string{"http://example.com:25/", "https://example.com:22/x", "http://127.0.0.1:6379/"} {
		if _, err := cl.Do(t.Context(), &Request{URL: u}); !errs.Is(err, errs.Denied) || !strings.Contains(err.Error(), "port") {
			t.Errorf("%s gives %v", u, err)
		}
	}
}

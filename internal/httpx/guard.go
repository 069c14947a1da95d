package httpx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// refusal is an error of the client's own rules, as opposed to one of the network.
type refusal struct {
	code errs.Code
	msg  string
}

// Error returns the rule that was broken, fit to show.
func (r *refusal) Error() string { return r.msg }

func refuse(code errs.Code, format string, args ...any) error {
	return &refusal{code: code, msg: fmt.Sprintf(format, args...)}
}

// reach says how far an address is from the public Internet.
type reach int

const (
	public    reach = iota
	inside          // loopback, private and shared networks: Allow and AllowPrivate open them
	forbidden       // metadata services, link-local, multicast, reserved: only an address in Allow opens them
)

// guard decides which addresses may be connected to. It checks what a name resolved to at the moment of the connection,
// so a name that changes between check and use (DNS rebinding) gains nothing.
type guard struct {
	allowed      map[string]bool // "host:port" in lower case
	allowPrivate bool
	ports        []int
	resolver     Resolver
	timeout      time.Duration // of one connection
	insideNets   []netip.Prefix
	forbidNets   []netip.Prefix
}

func newGuard(o Options) (*guard, error) {
	g := &guard{
		allowed: map[string]bool{}, allowPrivate: o.AllowPrivate, ports: o.Ports, resolver: o.Resolver, timeout: o.ConnectTimeout,
		insideNets: prefixes("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "100.64.0.0/10", "198.18.0.0/15"),
		// IANA special-purpose registries, and the metadata services that lie inside private ranges.
		forbidNets: prefixes("0.0.0.0/8", "::/96", "169.254.0.0/16", "fe80::/10", "fec0::/10", "224.0.0.0/4", "ff00::/8",
			"240.0.0.0/4", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "192.88.99.0/24",
			"100::/64", "2001::/32", "2001:db8::/32", "64:ff9b:1::/48", "fd00:ec2::254/128", "100.100.100.200/32"),
	}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	for _, entry := range o.Allow {
		host, port, err := net.SplitHostPort(entry)
		if err != nil || host == "" {
			return nil, fmt.Errorf("allowed address %q must be host:port, such as 127.0.0.1:8090", entry)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("allowed address %q needs a port of 1 to 65535", entry)
		}
		g.allowed[hostKey(host, port)] = true
	}
	return g, nil
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// hostKey is how hosts are compared: lower case, no trailing dot, addresses in their one canonical form.
func hostKey(host, port string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	return net.JoinHostPort(host, port)
}

// checkPort says whether a URL's host and port may be called at all, before any name is resolved.
func (g *guard) checkPort(host, port string) error {
	n, err := strconv.Atoi(port)
	if g.allowed[hostKey(host, port)] || err == nil && slices.Contains(g.ports, n) {
		return nil
	}
	return refuse(errs.Denied, "port %s of %s must not be called: use a usual web port, or have the operator allow %s", port, host, net.JoinHostPort(host, port))
}

// classify looks through the forms in which IPv6 carries an IPv4 address.
func (g *guard) classify(ip netip.Addr) reach {
	ip = ip.WithZone("").Unmap()
	if v4, ok := embedded(ip); ok {
		return max(g.classify(v4), public)
	}
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	switch {
	case !ip.IsValid():
		return forbidden
	case ip == netip.IPv6Loopback():
		return inside
	case slices.ContainsFunc(g.forbidNets, in):
		return forbidden
	case slices.ContainsFunc(g.insideNets, in):
		return inside
	default:
		return public
	}
}

// embedded returns the IPv4 address inside a NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0, 1: 0x64, 2: 0xff, 3: 0x9b}), 96).Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// check says whether ip may be connected to on behalf of host, the name in the URL.
func (g *guard) check(host, port string, ip netip.Addr) error {
	r := g.classify(ip)
	switch {
	case r == public, g.allowed[net.JoinHostPort(ip.WithZone("").Unmap().String(), port)]:
		return nil
	case r == inside && (g.allowPrivate || g.allowed[hostKey(host, port)]):
		return nil
	}
	return refuse(errs.Denied, "%s is at an address that must not be called (loopback, private or reserved): use a public address, or have the operator allow %s", host, net.JoinHostPort(host, port))
}

// maxAddresses bounds how many of a name's addresses are tried.
const maxAddresses = 4

// dial connects to the first of a host's addresses that is permitted and answers.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if err := g.checkPort(host, port); err != nil {
		return nil, err
	}
	ips, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var refused error
	ips = slices.DeleteFunc(ips, func(ip netip.Addr) bool {
		err := g.check(host, port, ip)
		if err != nil {
			refused = err
		}
		return err != nil
	})
	if len(ips) == 0 {
		return nil, refused
	}
	ips = ips[:min(len(ips), maxAddresses)]
	var failures []error
	for _, ip := range ips {
		conn, err := g.connect(ctx, network, host, port, ip, g.timeout/time.Duration(len(ips)))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (g *guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	ips, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return ips, err
}

func (g *guard) connect(ctx context.Context, network, host, port string, ip netip.Addr, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{
		Timeout:   max(timeout, time.Second),
		KeepAlive: 30 * time.Second,
		// Asked once more with what the socket really connects to.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return refuse(errs.Denied, "the address of %s cannot be read", host)
			}
			return g.check(host, strconv.Itoa(int(ap.Port())), ap.Addr())
		},
	}
	return d.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
}

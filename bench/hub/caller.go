package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// callMaker is a SIP caller that does no more than a call needs (RFC 3261): INVITE, ACK, BYE over one UDP socket, and a socket
// for each call's audio. It retransmits an INVITE twice.
type callMaker struct {
	conn *net.UDPConn
	to   *net.UDPAddr

	mu    sync.Mutex // guards calls
	calls map[string]chan answer
	seq   int
}

type answer struct {
	status int
	method string
	to     string
	at     time.Time
}

type result struct {
	calls, failed int
	setup, first  []time.Duration
}

func newCaller(hub string) (*callMaker, error) {
	to, err := net.ResolveUDPAddr("udp", hub)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	c := &callMaker{conn: conn, to: to, calls: map[string]chan answer{}}
	go c.read()
	return c, nil
}

func (c *callMaker) close() { _ = c.conn.Close() }

func (c *callMaker) read() {
	buf := make([]byte, 65_536)
	for {
		n, _, err := c.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		at, msg := time.Now(), string(buf[:n])
		a, id := parse(msg)
		a.at = at
		if a.status == 0 { // a request of the hub: BYE
			c.reply(msg)
			continue
		}
		c.mu.Lock()
		ch := c.calls[id]
		c.mu.Unlock()
		if ch != nil {
			select {
			case ch <- a:
			default:
			}
		}
	}
}

func parse(msg string) (a answer, callID string) {
	lines := strings.Split(msg, "\r\n")
	if rest, ok := strings.CutPrefix(lines[0], "SIP/2.0 "); ok && len(rest) >= 3 {
		a.status, _ = strconv.Atoi(rest[:3])
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "call-id":
			callID = value
		case "to":
			a.to = value
		case "cseq":
			_, a.method, _ = strings.Cut(value, " ")
		}
	}
	return a, callID
}

// reply answers a request 200.
func (c *callMaker) reply(msg string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 200 OK\r\n")
	for _, l := range strings.Split(msg, "\r\n")[1:] {
		name, _, _ := strings.Cut(l, ":")
		switch strings.ToLower(name) {
		case "via", "from", "to", "call-id", "cseq":
			b.WriteString(l + "\r\n")
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	_, _ = c.conn.WriteToUDP([]byte(b.String()), c.to)
}

// step offers calls at a rate and waits until the last has ended.
func (c *callMaker) step(ctx context.Context, rate int, length time.Duration, o options, callers []string) *result {
	r := &result{}
	var mu sync.Mutex // guards r
	var wg sync.WaitGroup
	gap := time.Second / time.Duration(rate)
	next, end := time.Now(), time.Now().Add(length)
	for next.Before(end) && ctx.Err() == nil {
		if d := time.Until(next); d > 0 {
			<-time.After(d)
		}
		next = next.Add(gap)
		c.seq++
		from := callers[c.seq%len(callers)]
		id := "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.Itoa(c.seq)
		wg.Go(func() {
			setup, first, err := c.call(id, from, o)
			mu.Lock()
			defer mu.Unlock()
			r.calls++
			if err != nil {
				r.failed++
				return
			}
			r.setup = append(r.setup, setup)
			if first > 0 {
				r.first = append(r.first, first)
			}
		})
	}
	wg.Wait()
	return r
}

// call is one call: it returns the times from INVITE to 200 and to the first audio packet.
func (c *callMaker) call(id, from string, o options) (setup, first time.Duration, err error) {
	rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = rtp.Close() }()
	ch := make(chan answer, 16)
	c.mu.Lock()
	c.calls[id] = ch
	c.mu.Unlock()
	defer func() { c.mu.Lock(); delete(c.calls, id); c.mu.Unlock() }()
	begin := time.Now()
	local, ok := rtp.LocalAddr().(*net.UDPAddr)
	if !ok {
		return 0, 0, fmt.Errorf("no UDP address")
	}
	taken, err := c.invite(id, from, o.number, local.Port, ch)
	if err != nil {
		return 0, 0, err
	}
	c.send("ACK", id, from, o.number, taken.to, 1, "")
	firstAt := make(chan time.Time, 1)
	go func() {
		buf := make([]byte, 2048)
		for got := false; ; {
			if _, _, err := rtp.ReadFromUDP(buf); err != nil {
				return
			}
			if !got {
				got = true
				firstAt <- time.Now()
			}
		}
	}()
	<-time.After(o.hold)
	select {
	case at := <-firstAt:
		first = at.Sub(begin)
	default:
	}
	c.send("BYE", id, from, o.number, taken.to, 2, "")
	return taken.at.Sub(begin), first, c.await(ch, "BYE", 5*time.Second, func() { c.send("BYE", id, from, o.number, taken.to, 2, "") })
}

func (c *callMaker) invite(id, from, number string, port int, ch chan answer) (answer, error) {
	ip := "127.0.0.1"
	sdp := "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip + "\r\nt=0 0\r\nm=audio " + strconv.Itoa(port) +
		" RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
	again := time.NewTicker(time.Second)
	defer again.Stop()
	limit := time.After(8 * time.Second)
	c.send("INVITE", id, from, number, "", 1, sdp)
	for {
		select {
		case a := <-ch:
			if a.method == "INVITE" && a.status >= 200 {
				if a.status != 200 {
					c.send("ACK", id, from, number, a.to, 1, "")
					return a, fmt.Errorf("the call was refused: %d", a.status)
				}
				return a, nil
			}
		case <-again.C:
			c.send("INVITE", id, from, number, "", 1, sdp)
		case <-limit:
			return answer{}, fmt.Errorf("no answer")
		}
	}
}

func (c *callMaker) await(ch chan answer, method string, limit time.Duration, again func()) error {
	end := time.After(limit)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case a := <-ch:
			if a.method == method && a.status >= 200 {
				return nil
			}
		case <-tick.C:
			again()
		case <-end:
			return fmt.Errorf("no answer to %s", method)
		}
	}
}

func (c *callMaker) send(method, id, from, number, to string, cseq int, body string) {
	own := c.conn.LocalAddr().String()
	if to == "" {
		to = "<sip:" + number + "@" + c.to.String() + ">"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s%d\r\nMax-Forwards: 70\r\n", method, number, c.to, own, id, branch(method), cseq)
	fmt.Fprintf(&b, "From: <sip:%s@%s>;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:bench@%s>\r\n", from, own, id, to, id, cseq, method, own)
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	_, _ = c.conn.WriteToUDP([]byte(b.String()), c.to)
}

// branch separates the ACK of a 2xx, which is a transaction of its own (RFC 3261 §17.1.1.3).
func branch(method string) string {
	if method == "ACK" {
		return "a"
	}
	return ""
}

package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/tandemcc/tandem/internal/phone/media"
)

const (
	farSockets = 16 // telephones have one each; the kernel's buffer for all of them must not be smaller than that of a few
	farBuffer  = 4 << 20
	farBatch   = 64
	farSlices  = 20 // parts of 20 ms in which it speaks
	rtpHeader  = 12
	maxOrder   = 1 << 20
)

// far is the far end's process: sockets, what it received, and what it says.
type far struct {
	sockets []*net.UDPConn
	start   time.Time // packets carry their time of sending since then
	wg      sync.WaitGroup
	stop    chan struct{}
	all     []*ear
}

// ear is what one socket received.
type ear struct {
	mu       sync.Mutex // guards all below
	streams  map[uint32]*stream
	overflow uint32 // by the kernel's count, since the socket was made
	before   uint32 // at the reset
	transit  []time.Duration
}

type stream struct {
	last    time.Time
	highest uint16
	offBy   []time.Duration
	lost    int
	gap     time.Duration
}

// serveFar runs the far end until its standard input ends.
func serveFar(in io.Reader, out io.Writer) error {
	f := &far{start: time.Now(), stop: make(chan struct{})}
	defer f.close()
	var ports []int
	for range farSockets {
		conn, err := f.listen()
		if err != nil {
			return err
		}
		addr, err := netip.ParseAddrPort(conn.LocalAddr().String())
		if err != nil {
			return fmt.Errorf("the far end's own address: %w", err)
		}
		ports = append(ports, int(addr.Port()))
	}
	enc := json.NewEncoder(out)
	if err := enc.Encode(reply{Ports: ports}); err != nil {
		return fmt.Errorf("replying: %w", err)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxOrder)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("reading an order: %w", err)
		}
		if err := enc.Encode(f.obey(o)); err != nil {
			return fmt.Errorf("replying: %w", err)
		}
	}
	return lines.Err() //nolint:wrapcheck // printed as it is
}

func (f *far) obey(o order) reply {
	switch {
	case len(o.Talk) > 0:
		f.wg.Go(func() { f.talk(o.Talk) })
	case o.Reset:
		for _, e := range f.all {
			e.reset()
		}
	case o.Report:
		return reply{Figures: f.report()}
	}
	return reply{}
}

func (f *far) close() {
	close(f.stop)
	for _, s := range f.sockets {
		_ = s.Close()
	}
	f.wg.Wait()
}

// listen binds a socket whose packets carry the kernel's time of arrival, and reads it.
func (f *far) listen() (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("binding the far end: %w", err)
	}
	f.sockets = append(f.sockets, conn)
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("the far end's socket: %w", err)
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, farBuffer) != nil { // root's privilege
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, farBuffer)
		}
		optErr = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
	})
	if err := errors.Join(err, optErr); err != nil {
		return nil, fmt.Errorf("asking the kernel for times of arrival: %w", err)
	}
	e := &ear{streams: map[uint32]*stream{}}
	f.all = append(f.all, e)
	f.wg.Go(func() { e.listen(conn, f.start) })
	return conn, nil
}

func (e *ear) listen(conn *net.UDPConn, start time.Time) {
	p := ipv4.NewPacketConn(conn)
	ms := make([]ipv4.Message, farBatch)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
		ms[i].OOB = make([]byte, 128)
	}
	for {
		n, err := p.ReadBatch(ms, 0)
		if err != nil {
			return
		}
		e.mu.Lock()
		for _, m := range ms[:n] {
			e.packet(m.Buffers[0][:m.N], m.OOB[:m.NN], start)
		}
		e.mu.Unlock()
	}
}

// packet is called with the lock held.
func (e *ear) packet(b, oob []byte, start time.Time) {
	at := e.control(oob)
	if len(b) < rtpHeader || at.IsZero() {
		return
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	s := e.streams[ssrc]
	if s == nil {
		s = &stream{highest: seq}
		e.streams[ssrc] = s
	} else {
		apart := at.Sub(s.last)
		s.offBy = append(s.offBy, (apart - media.Frame).Abs())
		s.gap = max(s.gap, apart)
		if ahead := int16(seq - s.highest); ahead > 0 { //nolint:gosec // serial number arithmetic
			s.lost += int(ahead) - 1
			s.highest = seq
		} else {
			s.lost-- // it was overtaken
		}
	}
	s.last = at
	if sent, ok := sentAt(b[rtpHeader:]); ok {
		e.transit = append(e.transit, at.Sub(start.Add(sent)))
	}
}

// control reads what the kernel says about a packet.
func (e *ear) control(oob []byte) (at time.Time) {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return at
	}
	for _, c := range list {
		switch {
		case c.Header.Level != unix.SOL_SOCKET:
		case c.Header.Type == unix.SO_TIMESTAMPNS && len(c.Data) >= 16:
			at = time.Unix(int64(binary.NativeEndian.Uint64(c.Data)), int64(binary.NativeEndian.Uint64(c.Data[8:]))) //nolint:gosec // struct timespec
		case c.Header.Type == unix.SO_RXQ_OVFL && len(c.Data) >= 4:
			e.overflow = binary.NativeEndian.Uint32(c.Data)
		}
	}
	return at
}

func (e *ear) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams, e.before, e.transit = map[uint32]*stream{}, e.overflow, nil
}

// What the far end says begins with a mark and the time of sending, so that the delay on the way is known.
const speechMark = 0x7465_6c65

func sentAt(payload []byte) (time.Duration, bool) {
	if len(payload) < 12 || binary.BigEndian.Uint32(payload) != speechMark {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(payload[4:])), true //nolint:gosec // written by talk
}

// talk speaks on calls, each 20 ms after 20 ms, their phases spread.
func (f *far) talk(calls []talker) {
	parts := make([]map[int][]ipv4.Message, farSlices)
	for i, c := range calls {
		pkt := make([]byte, rtpHeader+media.FrameSamples)
		pkt[0] = 0x80
		binary.BigEndian.PutUint32(pkt[8:], uint32(i)+1)
		binary.BigEndian.PutUint32(pkt[rtpHeader:], speechMark)
		part := i % farSlices
		if parts[part] == nil {
			parts[part] = map[int][]ipv4.Message{}
		}
		parts[part][c.Socket] = append(parts[part][c.Socket], ipv4.Message{
			Buffers: [][]byte{pkt}, Addr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(c.Port)},
		})
	}
	out := make([]*ipv4.PacketConn, len(f.sockets))
	for i, s := range f.sockets {
		out[i] = ipv4.NewPacketConn(s)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for tick := uint32(0); ; tick++ {
		for _, part := range parts {
			timer.Reset(time.Until(next))
			select {
			case <-timer.C:
			case <-f.stop:
				return
			}
			for socket, ms := range part {
				f.say(out[socket], ms, tick)
			}
			next = next.Add(media.Frame / farSlices)
		}
	}
}

func (f *far) say(out *ipv4.PacketConn, ms []ipv4.Message, tick uint32) {
	now := uint64(time.Since(f.start)) //nolint:gosec // positive
	for _, m := range ms {
		b := m.Buffers[0]
		binary.BigEndian.PutUint16(b[2:], uint16(tick)) //nolint:gosec // its low 16 bits
		binary.BigEndian.PutUint32(b[4:], tick*media.FrameSamples)
		binary.BigEndian.PutUint64(b[rtpHeader+4:], now)
	}
	for len(ms) > 0 {
		n, err := out.WriteBatch(ms, 0)
		if err != nil || n <= 0 {
			return
		}
		ms = ms[n:]
	}
}

func (f *far) report() *figures {
	fig := &figures{CPU: cpu()}
	var off, transit []time.Duration
	for _, e := range f.all {
		e.mu.Lock()
		longest := 0
		for _, s := range e.streams {
			longest = max(longest, len(s.offBy))
		}
		for _, s := range e.streams {
			if len(s.offBy) < longest/2 {
				continue
			}
			fig.Streams++
			fig.Lost += s.lost
			fig.Gap = max(fig.Gap, s.gap)
			off = append(off, s.offBy...)
		}
		fig.Overflow += int(e.overflow - e.before)
		transit = append(transit, e.transit...)
		e.mu.Unlock()
	}
	fig.Packets, fig.Off, fig.Transit = len(off), quantilesOf(off), quantilesOf(transit)
	return fig
}

func quantilesOf(all []time.Duration) quantiles {
	if len(all) == 0 {
		return quantiles{}
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))] }
	return quantiles{at(0.5), at(0.99), at(0.999)}
}

func runFar() error { return serveFar(os.Stdin, os.Stdout) }

// realtimeEnv marks the process that has its priority.
const realtimeEnv = "TANDEM_BENCH_REALTIME"

// becomeRealtime starts this program again in place of itself, with real-time priority (root's privilege): phone and far end then wait
// for nothing but each other, so that a machine with other work shows nearly what a quiet one would.
func becomeRealtime() error {
	if os.Getenv(realtimeEnv) != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	runtime.LockOSThread() // the priority is a thread's, and what it starts has it too
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("real-time priority: %w", err)
	}
	return fmt.Errorf("starting again: %w", unix.Exec(self, os.Args, append(os.Environ(), realtimeEnv+"=1")))
}

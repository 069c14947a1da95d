// Command phone measures the telephone on this machine: how evenly prompts arrive, what a bridge costs, and with SIPp how many calls
// a second can be set up. Load and measurement run in the same process, so the figures are a lower bound.
//
//	go run ./bench/phone -prompts 500
//	go run ./bench/phone -bridges 500
//	go run ./bench/phone -cps 800 -scenario test/sipp/back_to_back.xml
package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

func main() {
	var o options
	flag.IntVar(&o.prompts, "prompts", 0, "concurrent calls that hear a prompt")
	flag.IntVar(&o.bridges, "bridges", 0, "concurrent bridges, one direction measured")
	flag.IntVar(&o.cps, "cps", 0, "calls a second, set up by SIPp and ended at once")
	flag.StringVar(&o.scenario, "scenario", "test/sipp/back_to_back.xml", "SIPp scenario for -cps")
	flag.DurationVar(&o.length, "length", 15*time.Second, "of the measurement")
	flag.Parse()
	if err := run(context.Background(), o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	prompts, bridges, cps int
	scenario              string
	length                time.Duration
}

func run(ctx context.Context, o options, out io.Writer) error {
	switch {
	case o.prompts > 0:
		return measure(ctx, out, o.prompts, o.length, false)
	case o.bridges > 0:
		return measure(ctx, out, 2*o.bridges, o.length, true)
	case o.cps > 0:
		return setups(ctx, out, o)
	default:
		return errors.New("say what to measure: -prompts, -bridges or -cps")
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss returns the resident memory in MB.
func rss() int {
	stat, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat))
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize() >> 20
}

func setups(ctx context.Context, out io.Writer, o options) error {
	p, err := phone.New(phone.Config{Addr: "127.0.0.1:0", MaxLegs: 100000})
	if err != nil {
		return err
	}
	p.SetHandler(func(l voice.Leg) { _ = l.Answer(ctx) })
	if err := p.Start(ctx); err != nil {
		return err
	}
	start, used := time.Now(), cpu()
	calls := int(o.length.Seconds()) * o.cps
	sipp := exec.CommandContext(ctx, "sipp", "-sf", o.scenario, "-i", "127.0.0.1", "-r", strconv.Itoa(o.cps), "-m", strconv.Itoa(calls), //nolint:gosec // a tool for developers
		"-l", "100000", "-nostdin", "-buff_size", "4194304", p.Addr().String())
	text, sippErr := sipp.CombinedOutput()
	took := time.Since(start)
	s := p.Stats()
	_, _ = fmt.Fprintf(out, "%d calls in %.1f s (%.0f a second), answered %d, without ACK %d, refused %d; phone %.2f cores, %d MB\n",
		s.Inbound, took.Seconds(), float64(s.Inbound)/took.Seconds(), s.Answered, s.NoAck, s.Overloaded,
		(cpu()-used).Seconds()/took.Seconds(), rss())
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "ful call") || strings.Contains(line, "Failed call") || strings.Contains(line, "INVITE ---") {
			_, _ = io.WriteString(out, line)
		}
	}
	stop, cancel := context.WithCancel(ctx)
	cancel()
	return errors.Join(sippErr, p.Stop(stop))
}

// rig is a phone, calls to it, and a sink for their audio.
type rig struct {
	phone *phone.Phone
	legs  chan voice.Leg
	sink  *net.UDPConn
	wg    sync.WaitGroup

	mu      sync.Mutex // guards all below
	streams map[uint32]*stream
}

type stream struct {
	last    time.Time
	lastSeq uint16
	offBy   []time.Duration
	lost    int
	gap     time.Duration
}

func measure(ctx context.Context, out io.Writer, calls int, length time.Duration, bridged bool) error {
	r := &rig{legs: make(chan voice.Leg, calls), streams: map[uint32]*stream{}}
	var err error
	if r.sink, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return fmt.Errorf("binding the sink: %w", err)
	}
	_ = r.sink.SetReadBuffer(16 << 20)
	if r.phone, err = phone.New(phone.Config{Addr: "127.0.0.1:0", MaxLegs: calls + 1, MediaTimeout: -1}); err != nil {
		return err
	}
	r.phone.SetHandler(func(l voice.Leg) {
		if l.Answer(ctx) == nil {
			r.legs <- l
		}
	})
	if err := r.phone.Start(ctx); err != nil {
		return err
	}
	in, err := r.place(ctx, calls, r.sink.LocalAddr().String())
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	measured := calls
	if bridged {
		measured = calls / 2
		for i := range measured {
			if _, err := r.phone.Bridge(in[i], in[measured+i]); err != nil {
				return err
			}
		}
	}
	r.wg.Go(r.receive)
	clip := media.Tone(440, 0.3, 8000)
	if bridged {
		// The first half's audio comes from here; it reaches the sink through the second half.
		r.wg.Go(func() { talk(in[:measured], stop) })
	} else {
		for _, m := range in {
			m.Play(clip, true, nil)
		}
	}
	settle := time.NewTimer(2 * time.Second)
	<-settle.C
	r.reset()
	used := cpu()
	settle.Reset(length)
	<-settle.C
	used = cpu() - used
	close(stop)
	_ = r.sink.Close()
	r.wg.Wait()
	r.report(out, measured, length, used)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	return r.phone.Stop(gone)
}

// receiver is how the audio of a leg gets in without a network.
type receiver interface {
	voice.Media
	Receive(raw []byte, now time.Time) bool
}

// place sets up calls one by one; the SDP names the sink.
func (r *rig) place(ctx context.Context, calls int, sink string) ([]receiver, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", r.phone.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("calling: %w", err)
	}
	defer conn.Close()
	_, port, err := net.SplitHostPort(sink)
	if err != nil {
		return nil, fmt.Errorf("the sink's address: %w", err)
	}
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP 0\r\n", port)
	buf := make([]byte, 4096)
	var in []receiver
	for i := range calls {
		msg := func(method, to string, length int) string {
			return fmt.Sprintf("%s sip:1@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nFrom: <sip:b@x>;tag=f%d\r\nTo: <sip:1@%s>%s\r\n"+
				"Call-ID: bench%d\r\nCSeq: 1 %s\r\nContact: <sip:b@%s>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n",
				method, r.phone.Addr(), conn.LocalAddr(), method, i, i, r.phone.Addr(), to, i, method, conn.LocalAddr(), length)
		}
		if _, err := io.WriteString(conn, msg("INVITE", "", len(body))+body); err != nil {
			return nil, fmt.Errorf("calling: %w", err)
		}
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return nil, fmt.Errorf("calling: %w", err)
			}
			text := string(buf[:n])
			if !strings.HasPrefix(text, "SIP/2.0 200") || !strings.Contains(text, fmt.Sprintf("Call-ID: bench%d\r\n", i)) {
				continue
			}
			_, tag, _ := strings.Cut(text[strings.Index(text, "To:"):], ";tag=")
			tag, _, _ = strings.Cut(tag, "\r\n")
			_, _ = io.WriteString(conn, msg("ACK", ";tag="+tag, 0))
			break
		}
		leg := <-r.legs
		m, ok := leg.Media().(receiver)
		if !ok {
			return nil, errors.New("the phone's media cannot be fed")
		}
		in = append(in, m)
	}
	return in, nil
}

// talk feeds packets at 20 ms, spread over the period.
func talk(to []receiver, stop <-chan struct{}) {
	clip := media.Tone(440, 0.3, media.FrameSamples)
	pkt := make([]byte, 12, 12+len(clip))
	pkt[0] = 0x80
	pkt = append(pkt, clip...)
	const parts = 10
	timer := time.NewTimer(0)
	next := time.Now()
	for tick := uint32(0); ; tick++ {
		for part := range parts {
			timer.Reset(time.Until(next))
			select {
			case <-timer.C:
			case <-stop:
				return
			}
			for i := part; i < len(to); i += parts {
				binary.BigEndian.PutUint16(pkt[2:], uint16(tick))
				binary.BigEndian.PutUint32(pkt[4:], tick*media.FrameSamples)
				binary.BigEndian.PutUint32(pkt[8:], uint32(i))
				to[i].Receive(pkt, time.Now())
			}
			next = next.Add(media.Frame / parts)
		}
	}
}

func (r *rig) receive() {
	buf := make([]byte, 2048)
	for {
		n, err := r.sink.Read(buf)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		now := time.Now()
		seq, ssrc := binary.BigEndian.Uint16(buf[2:]), binary.BigEndian.Uint32(buf[8:])
		r.mu.Lock()
		s := r.streams[ssrc]
		if s == nil {
			s = &stream{}
			r.streams[ssrc] = s
		} else {
			apart := now.Sub(s.last)
			s.offBy = append(s.offBy, (apart - media.Frame).Abs())
			s.gap = max(s.gap, apart)
			s.lost += int(seq - s.lastSeq - 1)
		}
		s.last, s.lastSeq = now, seq
		r.mu.Unlock()
	}
}

func (r *rig) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.streams)
}

func (r *rig) report(out io.Writer, calls int, length, used time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []time.Duration
	var gap time.Duration
	lost, busy := 0, 0
	for _, s := range r.streams {
		if len(s.offBy) < int(length/media.Frame)/2 {
			continue // the silent direction of a bridge
		}
		busy++
		all = append(all, s.offBy...)
		gap = max(gap, s.gap)
		lost += s.lost
	}
	if len(all) == 0 {
		_, _ = io.WriteString(out, "nothing was received\n")
		return
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	at := func(q float64) time.Duration {
		return all[int(q*float64(len(all)-1))].Round(10 * time.Microsecond)
	}
	_, _ = fmt.Fprintf(out, "%d streams of %d: %d packets, %d lost; deviation from 20 ms: median %v, p99 %v, p99.9 %v; longest gap %v; %.2f cores, %d MB\n",
		busy, calls, len(all), lost, at(0.5), at(0.99), at(0.999), gap.Round(time.Millisecond), used.Seconds()/length.Seconds(), rss())
}

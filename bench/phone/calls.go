package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// settle is how long calls run before they are measured.
const settle = 2 * time.Second

// call is one call that stands.
type call struct {
	leg    voice.Leg
	talker talker
}

// rig is a phone and calls to it.
type rig struct {
	phone *phone.Phone
	legs  chan voice.Leg
	far   *farEnd
}

// measure sets calls up, lets them run, and prints what the far end received.
func measure(ctx context.Context, out io.Writer, o options, calls int) (err error) {
	r := &rig{legs: make(chan voice.Leg, calls)}
	if r.far, err = startFar(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.far.close()) }()
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
	defer func() {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		err = errors.Join(err, r.phone.Stop(gone))
	}()
	in, err := r.place(ctx, calls)
	if err != nil {
		return err
	}
	if err := r.begin(in, o); err != nil {
		return err
	}
	return r.watch(out, o, calls)
}

// begin makes the calls sound.
func (r *rig) begin(in []call, o options) error {
	half := len(in) / 2
	for i := range half {
		if o.bridges == 0 {
			break
		}
		if _, err := r.phone.Bridge(in[i].leg.Media(), in[half+i].leg.Media()); err != nil {
			return err
		}
	}
	if o.bridges > 0 || o.talk {
		talkers := make([]talker, len(in))
		for i := range in {
			talkers[i] = in[i].talker
		}
		if _, err := r.far.do(order{Talk: talkers}); err != nil {
			return err
		}
	}
	if o.bridges == 0 {
		clip := media.Tone(440, 0.3, media.SampleRate)
		for _, c := range in {
			c.leg.Media().Play(clip, true, nil)
		}
	}
	return nil
}

func (r *rig) watch(out io.Writer, o options, calls int) error {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	<-timer.C
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return fmt.Errorf("the profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	before, err := r.far.do(order{Report: true})
	if err != nil {
		return err
	}
	if _, err := r.far.do(order{Reset: true}); err != nil {
		return err
	}
	used := cpu()
	timer.Reset(o.length)
	<-timer.C
	used = cpu() - used
	after, err := r.far.do(order{Report: true})
	if err != nil {
		return err
	}
	show(out, *after.Figures, calls, o.length)
	_, err = fmt.Fprintf(out, "    phone %.2f cores, %d MB; far end %.2f cores\n", used.Seconds()/o.length.Seconds(), rss(),
		(after.Figures.CPU-before.Figures.CPU).Seconds()/o.length.Seconds())
	return err //nolint:wrapcheck // printed as it is
}

func show(out io.Writer, f figures, calls int, length time.Duration) {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	_, _ = fmt.Fprintf(out, "%d streams of %d in %v: %d packets, %d lost", f.Streams, calls, length, f.Packets, f.Lost)
	if f.Overflow > 0 {
		_, _ = fmt.Fprintf(out, " (%d by the far end)", f.Overflow)
	}
	_, _ = fmt.Fprintf(out, "; deviation from 20 ms: median %v, p99 %v, p99.9 %v; longest gap %v",
		round(f.Off.Median), round(f.Off.P99), round(f.Off.P999), f.Gap.Round(time.Millisecond))
	if f.Transit != (quantiles{}) {
		_, _ = fmt.Fprintf(out, "; on the way: median %v, p99 %v, p99.9 %v", round(f.Transit.Median), round(f.Transit.P99), round(f.Transit.P999))
	}
	_, _ = io.WriteString(out, "\n")
}

// place sets up calls one by one; the SDP names the far end.
func (r *rig) place(ctx context.Context, calls int) ([]call, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", r.phone.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("calling: %w", err)
	}
	defer conn.Close()
	in := make([]call, 0, calls)
	for i := range calls {
		socket := i % len(r.far.ports)
		port, err := r.invite(conn, i, r.far.ports[socket])
		if err != nil {
			return nil, fmt.Errorf("calling: %w", err)
		}
		in = append(in, call{leg: <-r.legs, talker: talker{Socket: socket, Port: port}})
	}
	return in, nil
}

// invite sets up one call and returns the phone's port for its audio.
func (r *rig) invite(conn net.Conn, i, port int) (uint16, error) {
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", port)
	msg := func(method, to, body string) string {
		return fmt.Sprintf("%s sip:1@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nFrom: <sip:b@x>;tag=f%d\r\nTo: <sip:1@%s>%s\r\n"+
			"Call-ID: bench%d\r\nCSeq: 1 %s\r\nContact: <sip:b@%s>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
			method, r.phone.Addr(), conn.LocalAddr(), method, i, i, r.phone.Addr(), to, i, method, conn.LocalAddr(), len(body), body)
	}
	if _, err := io.WriteString(conn, msg("INVITE", "", body)); err != nil {
		return 0, err //nolint:wrapcheck // by place
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return 0, err //nolint:wrapcheck // by place
		}
		text := string(buf[:n])
		if !strings.HasPrefix(text, "SIP/2.0 200") || !strings.Contains(text, fmt.Sprintf("Call-ID: bench%d\r\n", i)) {
			continue
		}
		if _, err := io.WriteString(conn, msg("ACK", ";tag="+between(text[strings.Index(text, "To:"):], ";tag=", "\r\n"), "")); err != nil {
			return 0, err //nolint:wrapcheck // by place
		}
		audio, err := strconv.ParseUint(between(text, "m=audio ", " "), 10, 16)
		return uint16(audio), err //nolint:wrapcheck // by place
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

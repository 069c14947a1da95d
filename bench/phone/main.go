// Command phone measures the telephone on this machine: how evenly prompts arrive, what a bridge costs, and with SIPp how many calls
// a second can be set up. The far end of the calls is a process of its own, which takes the kernel's times of arrival; it shares
// the machine, so the figures are a lower bound. The cores are those of the phone alone, far end and SIPp not counted.
//
//	go run ./bench/phone -prompts 500
//	go run ./bench/phone -prompts 500 -talk
//	go run ./bench/phone -bridges 500
//	go run ./bench/phone -cps 800 -scenario test/sipp/back_to_back.xml
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/voice"
)

func main() {
	var o options
	flag.IntVar(&o.prompts, "prompts", 0, "concurrent calls that hear a prompt")
	flag.IntVar(&o.bridges, "bridges", 0, "concurrent bridges of two calls, both directions measured")
	flag.BoolVar(&o.talk, "talk", false, "with -prompts: callers speak too")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the phone to this file")
	flag.IntVar(&o.cps, "cps", 0, "calls a second, set up by SIPp and ended at once")
	flag.StringVar(&o.scenario, "scenario", "test/sipp/back_to_back.xml", "SIPp scenario for -cps")
	flag.DurationVar(&o.length, "length", 15*time.Second, "of the measurement")
	realtime := flag.Bool("realtime", false, "take real-time priority, where other work would disturb (needs root)")
	far := flag.Bool("far", false, "be the far end (used by the program itself)")
	flag.Parse()
	var err error
	if *realtime {
		err = becomeRealtime()
	}
	switch {
	case err != nil:
	case *far:
		err = runFar()
	default:
		err = run(context.Background(), o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	prompts, bridges, cps int
	scenario, profile     string
	talk                  bool
	length                time.Duration
}

func run(ctx context.Context, o options, out io.Writer) error {
	switch {
	case o.prompts > 0:
		return measure(ctx, out, o, o.prompts)
	case o.bridges > 0:
		return measure(ctx, out, o, 2*o.bridges)
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

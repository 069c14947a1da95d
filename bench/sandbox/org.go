package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running org.
type process struct {
	cmd   *exec.Cmd
	took  time.Duration // from the start of the process until everything answered
	ready struct {
		Sandbox      string `json:"sandbox"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		Username     string `json:"username"`
		Password     string `json:"password"`
		Token        string `json:"security_token"`
	}
}

const (
	startPoll  = time.Millisecond
	startLimit = 20 * time.Minute // an org of a million contacts is made in minutes
)

// start runs an org in dir and waits until it answers.
func start(ctx context.Context, bin, dir, seed string) (*process, error) {
	const free = "127.0.0.1:0"
	name := filepath.Join(dir, "ready.json")
	_ = os.Remove(name)                                                                                                                           // of an earlier run
	p := &process{cmd: exec.CommandContext(ctx, bin, "sandbox", "salesforce", "--listen", free, "--pubsub", free, "--data", dir, "--seed", seed)} //nolint:gosec // whoever measures names the program
	p.cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for time.Since(begin) < startLimit {
		raw, err := os.ReadFile(name) //nolint:gosec // our own folder
		if err == nil {
			p.took = time.Since(begin)
			return p, json.Unmarshal(raw, &p.ready)
		}
		<-tick.C
	}
	return nil, errors.Join(errors.New("the org does not start"), p.stop())
}

func (p *process) url() string { return "http://" + p.ready.Sandbox }

func (p *process) login() []string {
	return []string{p.ready.ClientID, p.ready.ClientSecret, p.ready.Username, p.ready.Password + p.ready.Token}
}

func (p *process) stop() error {
	return joined(p.cmd.Process.Signal(syscall.SIGINT), p.cmd.Wait())
}

// memory returns the resident memory and its highest so far, in MB.
func (p *process) memory() (now, peak int) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.Atoi(f[1]) // kB; other lines are not looked at
		switch f[0] {
		case "VmRSS:":
			now = n / 1024
		case "VmHWM:":
			peak = n / 1024
		}
	}
	return now, peak
}

// processor returns the processor time used so far.
func (p *process) processor() time.Duration {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11]) // in hundredths of a second
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

const startRuns = 5

// starts measures how long an org takes to start, new and existing.
func starts(ctx context.Context, o *options, out io.Writer) error {
	var fresh, again []time.Duration
	for range startRuns {
		dir, err := os.MkdirTemp("", "tandem-bench-org-*")
		if err != nil {
			return err
		}
		for _, list := range []*[]time.Duration{&fresh, &again} {
			p, err := start(ctx, o.bin, dir, "small")
			if err != nil {
				return err
			}
			*list = append(*list, p.took)
			if err := p.stop(); err != nil {
				return err
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	slices.Sort(fresh)
	slices.Sort(again)
	_, err := fmt.Fprintf(out, "ready after (median of %d): new small org %d ms, existing one %d ms\n",
		startRuns, fresh[startRuns/2].Milliseconds(), again[startRuns/2].Milliseconds())
	return err
}

func joined(list ...error) error { return errors.Join(list...) }

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// The far end of all calls is a process of its own: this program again, with -far. It receives the audio of every call, takes
// the kernel's time of arrival, and can speak on every call. Commands go to its standard input and replies come from its standard
// output, one line of JSON each.

// order is one command; exactly one field is set.
type order struct {
	Talk   []talker `json:"talk,omitempty"`   // speak on these calls from now on; replied to with an empty reply
	Reset  bool     `json:"reset,omitempty"`  // forget what was measured; likewise
	Report bool     `json:"report,omitempty"` // reply with Figures
}

// talker is one call that the far end speaks on.
type talker struct {
	Socket int    `json:"s"` // index of the far end's socket
	Port   uint16 `json:"p"` // the phone's, on 127.0.0.1
}

// reply is what an order is answered with. The first reply comes unasked and has the ports of the far end's sockets.
type reply struct {
	Ports   []int    `json:"ports,omitempty"`
	Figures *figures `json:"figures,omitempty"`
}

// figures are what the far end measured since the last reset.
type figures struct {
	Streams  int           `json:"streams"` // that brought at least half of the packets due
	Packets  int           `json:"packets"`
	Lost     int           `json:"lost"`     // by sequence numbers
	Overflow int           `json:"overflow"` // of them: arrived, but the far end was too slow to read them
	Off      quantiles     `json:"off"`      // deviation from 20 ms of the time between two packets of a stream, by the kernel's clock
	Gap      time.Duration `json:"gap"`      // longest between two packets of a stream
	Transit  quantiles     `json:"transit"`  // from the far end's sending to its receiving; zero if it does not talk
	CPU      time.Duration `json:"cpu"`      // of the far end
}

type quantiles struct {
	Median time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
	P999   time.Duration `json:"p999"`
}

// farEnd is the other process as the measuring one sees it.
type farEnd struct {
	ports []int
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
}

// startFar starts the far end. close must be called.
func startFar() (*farEnd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	f := &farEnd{cmd: exec.Command(self, "-far")} //nolint:gosec,noctx // this program; it ends with its standard input
	f.cmd.Stderr = os.Stderr
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the far end: %w", err)
	}
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the far end: %w", err)
	}
	f.out = bufio.NewReader(stdout)
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the far end: %w", err)
	}
	first, err := f.read()
	f.ports = first.Ports
	return f, err
}

func (f *farEnd) read() (reply, error) {
	var r reply
	line, err := f.out.ReadBytes('\n')
	if err != nil {
		return r, fmt.Errorf("the far end has ended: %w", err)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("the far end's reply: %w", err)
	}
	return r, nil
}

func (f *farEnd) do(o order) (reply, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return reply{}, fmt.Errorf("telling the far end: %w", err)
	}
	if _, err := f.in.Write(append(line, '\n')); err != nil {
		return reply{}, fmt.Errorf("telling the far end: %w", err)
	}
	return f.read()
}

func (f *farEnd) close() error {
	err := f.in.Close()
	if waitErr := f.cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("the far end: %w", waitErr))
	}
	return err
}

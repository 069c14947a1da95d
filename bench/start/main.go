// Command start measures how long the hub takes from its start until everything answers: with a new database and sample data,
// and with an existing one.
//
//	make build && go run ./bench/start
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	bin := flag.String("bin", "bin/tandem", "the hub")
	runs := flag.Int("runs", 5, "starts of each kind")
	flag.Parse()
	if err := run(context.Background(), *bin, *runs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, runs int, out io.Writer) error {
	var fresh, again []time.Duration
	for range runs {
		dir, err := os.MkdirTemp("", "tandem-start-*")
		if err != nil {
			return err
		}
		for _, list := range []*[]time.Duration{&fresh, &again} {
			d, err := start(ctx, bin, dir)
			if err != nil {
				return err
			}
			*list = append(*list, d)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	slices.Sort(fresh)
	slices.Sort(again)
	_, err := fmt.Fprintf(out, "ready after (median of %d): new database %d ms, existing one %d ms\n", runs, fresh[runs/2].Milliseconds(), again[runs/2].Milliseconds())
	return err
}

func start(ctx context.Context, bin, dir string) (time.Duration, error) {
	const free = "127.0.0.1:0"
	ready := filepath.Join(dir, "ready.json")
	_ = os.Remove(ready)
	cmd := exec.CommandContext(ctx, bin, "up", "--data", dir, "--http", free, "--sandbox", free, "--sip", free, "--webrtc", free, "--metrics", free) //nolint:gosec // whoever measures names the program
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting %s (run make build first): %w", bin, err)
	}
	var took time.Duration
	for took == 0 && time.Since(begin) < time.Minute {
		if _, err := os.Stat(ready); err == nil {
			took = time.Since(begin)
		} else {
			<-time.After(2 * time.Millisecond)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	if err := cmd.Wait(); err != nil {
		return 0, err
	}
	if took == 0 {
		return 0, fmt.Errorf("the hub was not ready after a minute")
	}
	return took, nil
}

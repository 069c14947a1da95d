// Command sandbox measures the stand-in Salesforce org: single requests, bulk loads both ways, starts, and an org of a million
// contacts. Org and load share the machine, the org being a process of its own.
//
//	make build && go run ./bench/sandbox
//
// With -url it sends the single requests to another server that answers the same calls.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// options are what to measure and how.
type options struct {
	bin     string
	parts   string
	workers int           // requests at once
	length  time.Duration // of each load
	records int           // of the bulk loads
	url     string        // another server's address, with its credentials
	login   string        // client id, client secret, user name and password, separated by commas
	dir     string        // where an org of a million contacts is kept; empty: made and removed
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tandem", "the program")
	flag.StringVar(&o.parts, "parts", "start rest bulk million", "what to measure")
	flag.IntVar(&o.workers, "workers", 8, "requests at once")
	flag.DurationVar(&o.length, "length", 5*time.Second, "length of each load")
	flag.IntVar(&o.records, "records", 200_000, "records of the bulk loads")
	flag.StringVar(&o.url, "url", "", "send the single requests to this server instead")
	flag.StringVar(&o.login, "login", "", "its client id, client secret, user name and password, separated by commas")
	flag.StringVar(&o.dir, "dir", "", "keep the org of a million contacts here for the next run")
	flag.Parse()
	if err := run(context.Background(), &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options, out io.Writer) error {
	if o.url != "" {
		c, err := signIn(ctx, o.url, strings.Split(o.login, ","))
		if err != nil {
			return err
		}
		return rest(ctx, o, c, out)
	}
	for _, part := range []struct {
		name string
		fn   func(ctx context.Context, o *options, out io.Writer) error
	}{{"start", starts}, {"rest", ownRest}, {"bulk", bulk}, {"million", million}} {
		if !strings.Contains(" "+o.parts+" ", " "+part.name+" ") {
			continue
		}
		if err := part.fn(ctx, o, out); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// withOrg runs fn against an org of its own.
func withOrg(ctx context.Context, o *options, seed string, fn func(org *process, c *client) error) error {
	dir, err := os.MkdirTemp("", "tandem-bench-org-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	org, err := start(ctx, o.bin, dir, seed)
	if err != nil {
		return err
	}
	c, err := signIn(ctx, org.url(), org.login())
	if err == nil {
		err = fn(org, c)
	}
	return joined(err, org.stop())
}

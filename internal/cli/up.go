package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/config"
)

type upCmd struct {
	Settings  settings  `embed:""`
	Listeners listeners `embed:""`
}

// Run runs the hub until a signal: the first drains, the second stops at once. Both end with status 0.
func (c *upCmd) Run(ctx context.Context, e *env) error {
	cfg, err := c.Settings.load(c.Listeners.flags())
	if err != nil {
		return err
	}
	return e.hub(ctx, cfg)
}

type serveCmd struct {
	Settings  settings  `embed:""`
	Listeners listeners `embed:""`
}

// Run is up for production: sample data and the stand-in org are off unless they are asked for.
func (c *serveCmd) Run(ctx context.Context, e *env) error {
	flags := c.Listeners.flags()
	for name, off := range map[string]string{"seed": "none", "sandbox": ""} {
		set, err := c.Settings.sets(e, name)
		if err != nil {
			return err
		}
		if _, ok := flags[name]; !ok && !set {
			flags[name] = off
		}
	}
	cfg, err := c.Settings.load(flags)
	if err != nil {
		return err
	}
	if err := unknownKeys(c.Settings.File, cfg); err != nil {
		return err
	}
	return e.hub(ctx, cfg)
}

func (e *env) hub(ctx context.Context, cfg config.Config) error {
	ctx, hard, release := e.untilSignal(ctx, "draining: calls may end within "+cfg.Voice.Drain.String()+"; once more to stop at once")
	defer release()
	return app.Run(ctx, cfg, app.RunOptions{
		Hard: hard, Out: e.stderr, Version: build().Version,
		OnReady: func(r app.Ready) {
			// A hub whose standard output is closed runs on.
			_ = e.printf("%s", welcome(&r, cfg.Data, cfg.Seed != "none" || terminal(e.stdout)))
		},
	})
}

// untilSignal returns a context that ends at the first SIGINT or SIGTERM and a channel that is closed at the second.
func (e *env) untilSignal(parent context.Context, notice string) (ctx context.Context, hard <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	second, quit := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		select {
		case <-signals:
			e.complain(notice)
			cancel()
		case <-quit:
			return
		}
		select {
		case <-signals:
			close(second)
		case <-quit:
		}
	})
	return ctx, second, func() {
		signal.Stop(signals)
		close(quit)
		done.Wait()
		cancel()
	}
}

// terminal reports whether a person reads w.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// welcome says where everything is and what to try. Passwords are shown only where show says so: those of sample logins are
// meant to be seen, the first administrator's of a production hub is for a person at a terminal.
func welcome(r *app.Ready, data string, show bool) string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("\nTandem is ready.\n")
	put("  console      http://%s", r.HTTP)
	put("  API          http://%s/api/v1", r.HTTP)
	if r.Sandbox != "" {
		put("  sandbox org  http://%s", r.Sandbox)
	}
	if r.PubSub != "" {
		put("  its events   %s (Pub/Sub API, gRPC with TLS)", r.PubSub)
	}
	put("  telephone    sip:%s", r.SIP)
	if r.Metrics != "" {
		put("  metrics      http://%s/metrics", r.Metrics)
	}
	if len(r.Users) > 0 {
		put("\n  sign in as   password          role")
	}
	for _, u := range r.Users {
		password := u.Password
		if !show {
			password = "in ready.json"
		}
		put("  %-12s %-17s %s", u.Login, password, u.Role)
	}
	if r.Number != "" {
		put("%s", suggestions(r))
	}
	put("\n  All of this is in %s/ready.json. Ctrl-C stops; calls may end first.\n", strings.TrimSuffix(data, "/"))
	return b.String()
}

func suggestions(r *app.Ready) string {
	login, password := "ada", "PASSWORD"
	for _, u := range r.Users {
		if u.Role == "agent" {
			login, password = u.Login, u.Password
			break
		}
	}
	return fmt.Sprintf("\n  The test number is %s. To try: sign in to the console as %s, become available, then call:\n"+
		"    tandem call --sip %s --from %s --to %s --tone 440\n"+
		"  or have a headless agent answer:\n"+
		"    tandem agent --url http://%s --as %s --password %s --auto-answer --tone 660",
		r.Number, login, r.SIP, defaultFrom, r.Number, r.HTTP, login, password)
}

// defaultFrom is the number a test call shows unless another is given; it belongs to a contact of the sample org with one open case.
const defaultFrom = "+14235550106"

// cleanup is how long a command has to sign out and hang up after it was told to stop.
const cleanup = 5 * time.Second

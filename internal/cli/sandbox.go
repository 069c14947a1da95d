package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

type sandboxCmd struct {
	Salesforce sandboxSalesforceCmd `cmd:"" help:"A Salesforce org: OAuth, REST, SOQL, Bulk 2.0 and event streams, with pages for people and faults on demand."`
}

type sandboxSalesforceCmd struct {
	Listen  string   `help:"REST API and pages." default:"127.0.0.1:8090" placeholder:"ADDR"`
	PubSub  string   `name:"pubsub" help:"Pub/Sub API (gRPC with TLS); empty: none." default:"127.0.0.1:7443" placeholder:"ADDR"`
	Data    string   `help:"Directory of the org; a temporary one if not given." placeholder:"DIR"`
	Seed    string   `help:"What a new org holds: ${enum}." enum:"none,small,medium,1m" default:"small"`
	Ready   string   `help:"File to write addresses and credentials to once all answers; by default ready.json in the directory." placeholder:"FILE"`
	Remote  bool     `help:"Let other machines open the pages and switches, which need no sign-in."`
	Without []string `help:"Ways to sign in that are switched off, of ${enum}. A new org has device and user_agent off already." enum:"password,client_credentials,refresh_token,authorization_code,jwt_bearer,soap_login,token_exchange,device,user_agent" placeholder:"FLOW"`
	JSON    bool     `help:"Print addresses and credentials as JSON."`
}

// orgReady is what a stand-in org tells whoever started it.
type orgReady struct {
	Sandbox string `json:"sandbox"`        // host:port
	PubSub  string `json:"pubsub"`         // host:port, empty: none
	CA      string `json:"pubsub_ca"`      // the certificate clients of pubsub must trust, in PEM form
	Started int64  `json:"start_millis"`   // from the start of the command
	Dir     string `json:"data,omitempty"` // empty: a temporary one
	salesforce.Credentials
}

// Run runs the org until a signal.
func (c *sandboxSalesforceCmd) Run(ctx context.Context, e *env) error {
	begin := time.Now()
	ctx, hard, release := e.untilSignal(ctx, "stopping; once more to stop at once")
	defer release()
	opts := salesforce.Options{
		Dir: c.Data, Seed: c.Seed, Remote: c.Remote, Logger: slog.New(slog.NewTextHandler(e.stderr, nil)),
	}
	for _, name := range c.Without {
		opts.DisabledFlows = append(opts.DisabledFlows, salesforce.Flow(name))
	}
	org, err := salesforce.New(opts) //nolint:contextcheck // it lives longer than the context, until it is closed
	if err != nil {
		return fmt.Errorf("opening the sandbox org: %w", err)
	}
	s := &orgServer{org: org, hard: hard}
	if err := s.listen(ctx, c.Listen, c.PubSub); err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	ready := orgReady{Sandbox: s.listener.Addr().String(), Dir: c.Data, Credentials: org.Credentials()}
	if s.pubsub != nil {
		ready.PubSub, ready.CA = s.pubsub.Addr(), s.pubsub.Certificate()
	}
	ready.Started = time.Since(begin).Milliseconds()
	if err := c.announce(e, &ready); err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	return errors.Join(err, s.stop(ctx))
}

// announce says where the org is: in a file for programs, and on standard output.
func (c *sandboxSalesforceCmd) announce(e *env, r *orgReady) error {
	name := c.Ready
	if name == "" && c.Data != "" {
		name = filepath.Join(c.Data, "ready.json")
	}
	if name != "" {
		raw, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		if err := errors.Join(os.WriteFile(name+".new", raw, 0o600), os.Rename(name+".new", name)); err != nil {
			return errs.Wrap(errs.Unavailable, err, "%s cannot be written", name)
		}
	}
	if c.JSON {
		return e.printJSON(r)
	}
	events := "none"
	if r.PubSub != "" {
		events = r.PubSub + " (Pub/Sub API, gRPC with TLS)"
	}
	return e.printf("\nThe sandbox org is ready after %d ms.\n\n  org             http://%s\n  events          %s\n  client id       %s\n  client secret   %s\n"+
		"  user name       %s\n  password        %s\n  security token  %s\n\n  Ctrl-C stops.\n",
		r.Started, r.Sandbox, events, r.ClientID, r.ClientSecret, r.Username, r.Password, r.SecurityToken)
}

// orgServer is an org with its listeners.
type orgServer struct {
	org      *salesforce.Org
	hard     <-chan struct{}
	listener net.Listener
	http     *http.Server
	pubsub   *salesforce.PubSub
	failed   chan error // one value: why the server ended by itself
}

// orgHeaderTime is how long a client may take over the headers of a request; bodies of bulk loads take as long as they take.
const orgHeaderTime = 10 * time.Second

func (s *orgServer) listen(ctx context.Context, address, pubsub string) error {
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
		return errs.Wrap(errs.Unavailable, err, "the address %s cannot be used: choose another with --listen, or 0 as port for a free one", address)
	}
	s.failed = make(chan error, 1)
	s.http = &http.Server{Handler: s.org.Handler(), ReadHeaderTimeout: orgHeaderTime}
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving: %w", err)
		}
	}()
	if pubsub == "" {
		return nil
	}
	if s.pubsub, err = s.org.PubSub(pubsub); err != nil {
		return errs.Wrap(errs.Unavailable, err, "the address %s cannot be used: choose another with --pubsub, or 0 as port for a free one", pubsub)
	}
	return nil
}

// stop ends everything; clients that do not end by themselves have a moment, less after a second signal.
func (s *orgServer) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	go func() {
		select {
		case <-s.hard:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.org.Drain()
	var list []error
	if s.pubsub != nil {
		list = append(list, s.pubsub.Stop(ctx))
	}
	if s.http != nil && s.http.Shutdown(ctx) != nil {
		list = append(list, s.http.Close())
	}
	return errors.Join(append(list, s.org.Close())...)
}

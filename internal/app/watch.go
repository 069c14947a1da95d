package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

// watchEvery is how often the watcher looks whether the connector has changed.
const watchEvery = 5 * time.Second

// watcher hears of changes in the tenant's CRM and has what agents see of it read again. Start and Stop it once.
type watcher struct {
	tenant  string
	conns   *connectors
	crm     *customers
	cursors crm.Cursors
	refresh func(touches func(contact.Customer) bool)
	as      caller.Principal
	log     *slog.Logger

	cancel context.CancelFunc
	done   chan struct{}
}

// Start implements lifecycle.Part.
func (w *watcher) Start(ctx context.Context) error {
	ctx, w.cancel = context.WithCancel(caller.With(context.WithoutCancel(ctx), w.as))
	w.done = make(chan struct{})
	go func() { defer close(w.done); w.run(ctx) }()
	return nil
}

// Stop implements lifecycle.Part.
func (w *watcher) Stop(context.Context) error {
	if w.cancel != nil {
		w.cancel()
		<-w.done
	}
	return nil
}

// run keeps one subscription to the connector that callers are looked up by.
func (w *watcher) run(ctx context.Context) {
	var current *salesforce.Client
	stop := func() {}
	defer func() { stop() }()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		cl, id := w.client(ctx)
		if cl != current {
			stop()
			current, stop = cl, func() {}
			if cl != nil {
				stop = w.subscribe(ctx, cl, id)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// client returns the client of the connector, nil when there is none.
func (w *watcher) client(ctx context.Context) (*salesforce.Client, string) {
	id, err := w.crm.connector(ctx, w.tenant)
	if err != nil || id == "" {
		return nil, ""
	}
	cl, err := w.conns.get(ctx, w.tenant, id, "")
	if err != nil {
		return nil, ""
	}
	return cl.org, id
}

func (w *watcher) subscribe(ctx context.Context, cl *salesforce.Client, id string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := cl.Subscribe(ctx, crm.Subscription{
			Name: id, Objects: []string{"Case", "Contact", "Account"}, Cursors: w.cursors,
			Handle: func(_ context.Context, list []crm.Change) error {
				w.refresh(func(c contact.Customer) bool {
					return slices.ContainsFunc(list, func(ch crm.Change) bool { return touches(ch, c) })
				})
				return nil
			},
		})
		if err != nil {
			w.log.ErrorContext(ctx, "listening to the CRM", slog.Any("error", err))
		}
	}()
	return func() { cancel(); <-done }
}

// touches says whether a change may concern what is shown of a customer.
func touches(ch crm.Change, c contact.Customer) bool {
	if ch.Kind == crm.Resync {
		return true
	}
	shown := map[string]bool{}
	for _, list := range [][]contact.Record{c.Accounts, c.Contacts, c.Cases} {
		for _, r := range list {
			shown[shortID(r.ID)] = true
		}
	}
	if slices.ContainsFunc(ch.IDs, func(id string) bool { return shown[shortID(id)] }) {
		return true
	}
	if ch.Object != "Case" {
		return false
	}
	for _, name := range []string{"ContactId", "AccountId"} {
		if owner, told := ch.Fields[name].(string); told && shown[shortID(owner)] {
			return true
		}
	}
	// A comparison does not tell whose the case is; it may be theirs.
	return ch.Fields == nil && len(c.Contacts)+len(c.Accounts) > 0
}

// shortID is an id without its check characters, which not every source writes.
func shortID(id string) string { return id[:min(15, len(id))] }

// cursorStore keeps cursors among the tenant's settings.
type cursorStore struct {
	db     *sqlstore.DB
	tenant string
}

// Load implements crm.Cursors.
func (s cursorStore) Load(ctx context.Context, name string) (c crm.Cursor, err error) {
	text, ok, err := s.db.Setting(ctx, s.tenant, "crm.cursor/"+name)
	if err != nil || !ok {
		return c, err
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return crm.Cursor{}, errs.Wrap(errs.Internal, err, "the place in the CRM's changes cannot be read")
	}
	return c, nil
}

// Save implements crm.Cursors.
func (s cursorStore) Save(ctx context.Context, name string, c crm.Cursor) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "encoding the place in the CRM's changes")
	}
	return s.db.PutSetting(ctx, s.tenant, "crm.cursor/"+name, string(raw))
}

// streamsOf says where a connector's changes come from.
func (c *connectors) streamsOf(endpoint, certificate, base string, private bool) (salesforce.Streams, error) {
	switch {
	case endpoint == "off":
		return salesforce.Streams{}, nil
	case endpoint == "" && strings.HasSuffix(strings.ToLower(hostOnly(base)), ".salesforce.com"):
		endpoint = salesforce.PubSubEndpoint
	case endpoint == "":
		return salesforce.Streams{}, nil
	}
	s := salesforce.Streams{Endpoint: endpoint, Certificate: certificate}
	dialer := c.stream
	if private {
		own, err := c.private(endpoint)
		if err != nil {
			return s, err
		}
		dialer = own
	}
	s.Dial = dialer.Dial
	return s, nil
}

// streamClient connects to the Pub/Sub API of public orgs.
func streamClient() (*httpx.Client, error) { return httpx.New(httpx.Options{Ports: []int{443, 7443}}) }

func hostOnly(base string) string {
	host, _, _ := strings.Cut(hostPort(base), ":")
	return host
}

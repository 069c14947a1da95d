package salesforce

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// Streams is where an org's change events come from.
type Streams struct {
	// Endpoint of the Pub/Sub API, "api.pubsub.salesforce.com:7443"; empty: changes are found by comparing alone.
	Endpoint string
	// Certificate in PEM form that the API's is checked by; empty for the system's roots.
	Certificate string
	// Dial connects under the hub's rules about addresses; needed with Endpoint.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Repair is how often changes are compared beside the stream, 5 min when 0, and Poll how often without one, 2 min.
	Repair time.Duration
	Poll   time.Duration
	// Reconnect is the longest wait before a stream that ended is taken up again; a minute when 0.
	Reconnect time.Duration
}

// PubSubEndpoint is the platform's own for all orgs.
const PubSubEndpoint = "api.pubsub.salesforce.com:7443"

const (
	changeTopic  = "/data/ChangeEvents" // of all objects that the org has selected for change data capture
	fetchSize    = 100                  // events asked for at a time, the most there can be
	silence      = 6 * time.Minute      // the platform is heard of every 270 s
	maxReconnect = time.Minute
	firstCompare = 30 * time.Second // after a stream began
	maxSchemas   = 500
)

var _ crm.Source = (*Client)(nil)

// Subscribe implements crm.Source.
func (c *Client) Subscribe(ctx context.Context, s crm.Subscription) error {
	cur, err := s.Cursors.Load(ctx, s.Name)
	if err != nil {
		return err
	}
	sub := newSubscriber(c, s, cur)
	longest := c.o.Streams.Reconnect
	if longest <= 0 {
		longest = maxReconnect
	}
	for try := 0; ctx.Err() == nil; {
		begin := time.Now()
		ended := sub.run(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(begin) > longest {
			try = 0
		}
		wait := min(time.Second<<min(try, 10), longest)
		try++
		c.log.WarnContext(ctx, "the stream of CRM changes ended; it is taken up again", slog.String("scope", c.o.Scope), slog.Any("err", ended))
		sleep(ctx, wait/2+rand.N(wait/2))
	}
	return nil //nolint:nilerr // it has ended because it was told to
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// subscriber is one running subscription; it is used by one goroutine.
type subscriber struct {
	c       *Client
	s       crm.Subscription
	cur     crm.Cursor
	schemas map[string]*eventCodec
	window  map[string]map[string]sighting // by object and id: the changes that the last comparison saw
	told    map[string]bool                // ids whose deletion was told
	asked   map[string]time.Time           // by object: when the log of deletions was asked
	noLog   map[string]bool                // objects without one
}

func newSubscriber(c *Client, s crm.Subscription, cur crm.Cursor) *subscriber {
	if cur.Seen == nil {
		cur.Seen = map[string]time.Time{}
	}
	if cur.Covered == nil {
		cur.Covered = map[string]time.Time{}
	}
	return &subscriber{
		c: c, s: s, cur: cur, schemas: map[string]*eventCodec{}, window: map[string]map[string]sighting{},
		told: map[string]bool{}, asked: map[string]time.Time{}, noLog: map[string]bool{},
	}
}

// received is what the goroutine that reads the stream hands on.
type received struct {
	resp *pubsubpb.FetchResponse
	err  error
}

// run subscribes once, until the stream or a handler fails.
func (u *subscriber) run(ctx context.Context) error {
	if u.c.o.Streams.Endpoint == "" {
		return u.poll(ctx)
	}
	if u.cur.At.IsZero() {
		// The first time: where comparing begins must be known before the stream is, or what a break right after the beginning
		// swallows would be found by neither.
		if err := u.repair(ctx); err != nil && !errs.Is(err, errs.Exhausted) {
			return err
		}
	}
	sess, err := u.c.session(ctx, nil)
	if err != nil {
		return err
	}
	conn, err := u.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx,
		"accesstoken", sess.token, "instanceurl", sess.instance.String(), "tenantid", sess.org()))
	defer cancel()
	api := pubsubpb.NewPubSubClient(conn)
	stream, err := api.Subscribe(ctx)
	if err != nil {
		return u.failed(ctx, sess, err)
	}
	req := &pubsubpb.FetchRequest{TopicName: changeTopic, NumRequested: fetchSize}
	if len(u.cur.Replay) > 0 {
		req.ReplayPreset, req.ReplayId = pubsubpb.ReplayPreset_CUSTOM, u.cur.Replay
	}
	if err := stream.Send(req); err != nil {
		return u.failed(ctx, sess, err)
	}
	in := make(chan received)
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		for {
			resp, err := stream.Recv()
			select {
			case in <- received{resp, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return u.read(ctx, sess, api, stream, in)
}

// read takes what comes, and compares from time to time: soon after the beginning when the place in the stream was lost, since
// what happened before is not in it then.
func (u *subscriber) read(ctx context.Context, sess *session, api pubsubpb.PubSubClient, stream pubsubpb.PubSub_SubscribeClient, in <-chan received) error {
	interval := u.c.o.Streams.Repair
	if interval <= 0 {
		interval = 5 * time.Minute
	}
	first := min(firstCompare, interval)
	if len(u.cur.Replay) == 0 && !u.cur.At.IsZero() {
		first = min(time.Second, interval)
	}
	compare := time.NewTimer(first)
	defer compare.Stop()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case r := <-in:
			if r.err != nil {
				return u.failed(ctx, sess, r.err)
			}
			quiet.Reset(silence)
			if err := u.take(ctx, api, r.resp); err != nil {
				return err
			}
			if r.resp.GetPendingNumRequested() < fetchSize/2 {
				if err := stream.Send(&pubsubpb.FetchRequest{TopicName: changeTopic, NumRequested: fetchSize - r.resp.GetPendingNumRequested()}); err != nil {
					return u.failed(ctx, sess, err)
				}
			}
		case <-compare.C:
			compare.Reset(interval)
			if err := u.repair(ctx); err != nil && !errs.Is(err, errs.Exhausted) {
				return err
			}
		case <-quiet.C:
			return errs.New(errs.Unavailable, "nothing was heard of the stream for %v", silence)
		case <-ctx.Done():
			return nil
		}
	}
}

// poll compares alone.
func (u *subscriber) poll(ctx context.Context) error {
	interval := u.c.o.Streams.Poll
	if interval <= 0 {
		interval = 2 * time.Minute
	}
	for ctx.Err() == nil {
		if err := u.repair(ctx); err != nil && !errs.Is(err, errs.Exhausted) {
			return err
		}
		sleep(ctx, interval)
	}
	return nil
}

// take hands one response's events on and keeps the place after them.
func (u *subscriber) take(ctx context.Context, api pubsubpb.PubSubClient, resp *pubsubpb.FetchResponse) error {
	var list []crm.Change
	lost := false
	for _, e := range resp.GetEvents() {
		codec, err := u.codec(ctx, api, e.GetEvent().GetSchemaId())
		if err != nil {
			return err
		}
		ch, overflow, err := codec.decode(e.GetEvent().GetPayload())
		if err != nil {
			// One event that cannot be read must not stop all that follow: the comparison finds what it told.
			u.c.log.WarnContext(ctx, "reading a change event", slog.String("scope", u.c.o.Scope), slog.Any("err", err))
			lost = true
			continue
		}
		if lost = lost || overflow; overflow || !slices.ContainsFunc(u.s.Objects, func(o string) bool { return strings.EqualFold(o, ch.Object) }) {
			continue
		}
		list = append(list, ch)
	}
	if len(list) > 0 {
		if err := u.s.Handle(ctx, list); err != nil {
			return err
		}
		u.remember(list)
	}
	if lost {
		if err := u.repair(ctx); err != nil {
			return err
		}
	}
	if r := resp.GetLatestReplayId(); len(r) > 0 {
		u.cur.Replay = r
		return u.s.Cursors.Save(ctx, u.s.Name, u.cur)
	}
	return nil
}

func (u *subscriber) codec(ctx context.Context, api pubsubpb.PubSubClient, id string) (*eventCodec, error) {
	if c := u.schemas[id]; c != nil {
		return c, nil
	}
	s, err := api.GetSchema(ctx, &pubsubpb.SchemaRequest{SchemaId: id})
	if err != nil {
		return nil, streamError(err)
	}
	c, err := newEventCodec(s.GetSchemaJson())
	if err != nil {
		return nil, err
	}
	if len(u.schemas) >= maxSchemas {
		clear(u.schemas)
	}
	u.schemas[id] = c
	return c, nil
}

// failed says what the end of a stream means: a session that ended is renewed, a place that the platform no longer has is given
// up, and what was missed is found by comparing.
func (u *subscriber) failed(ctx context.Context, sess *session, err error) error {
	st, _ := status.FromError(err)
	switch {
	case st.Code() == codes.Unauthenticated:
		_, loginErr := u.c.session(ctx, sess)
		return errors.Join(streamError(err), loginErr)
	case st.Code() == codes.InvalidArgument && len(u.cur.Replay) > 0:
		u.cur.Replay = nil
		return errors.Join(streamError(err), u.s.Cursors.Save(ctx, u.s.Name, u.cur))
	}
	return streamError(err)
}

// streamError keeps the code of a gRPC error; its text can quote what was sent.
func streamError(err error) error {
	st, _ := status.FromError(err)
	return errs.New(errs.Unavailable, "the Pub/Sub API ended the call: %s", st.Code())
}

func (u *subscriber) dial() (*grpc.ClientConn, error) {
	o := u.c.o.Streams
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.Certificate != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(o.Certificate)) {
			return nil, errs.New(errs.Invalid, "the certificate of the Pub/Sub API cannot be read: paste it in PEM form")
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+o.Endpoint,
		grpc.WithTransportCredentials(credentials.NewTLS(conf)), grpc.WithContextDialer(o.Dial), grpc.WithNoProxy(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(4*maxPayload)))
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the address of the Pub/Sub API cannot be used: it looks like %s", PubSubEndpoint)
	}
	return conn, nil
}

// org is the id of the session's org: of the identity URL, or what the token begins with.
func (s *session) org() string {
	if parts := strings.Split(s.identity, "/"); len(parts) > 2 && parts[2] != "" {
		return parts[2]
	}
	id, _, _ := strings.Cut(s.token, "!")
	return id
}

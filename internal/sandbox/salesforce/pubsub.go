package salesforce

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// Limits of the Pub/Sub API (guide, "Pub/Sub API Allocations"), and how often a stream without events is heard of: the
// platform promises 270 seconds.
const (
	maxFetch      = 100 // events a client may ask for at once, and of one response
	maxPublish    = 200 // events of one request
	maxEvent      = 1 << 20
	keepAlive     = 4 * time.Minute
	maxStreams    = 1000
	certificateOf = 10 * 365 * 24 * time.Hour
)

// PubSub is the running Pub/Sub API of an org.
type PubSub struct {
	pubsubpb.UnimplementedPubSubServer

	org       *Org
	server    *grpc.Server
	listener  net.Listener
	pem       string
	keepAlive time.Duration
	done      chan struct{} // closed when the streams are to end
	taken     sync.Map      // ids of managed subscriptions that have a client
	stopping  sync.Once
	serving   sync.WaitGroup
}

// PubSub starts the Pub/Sub API (gRPC, eventbus.v1.PubSub) on addr, such as "127.0.0.1:7443", with TLS by a certificate
// it makes for itself. Stop it before the org is closed.
func (o *Org) PubSub(addr string) (*PubSub, error) {
	cert, text, err := selfSigned(o.now())
	if err != nil {
		return nil, err
	}
	p := &PubSub{org: o, pem: text, keepAlive: keepAlive, done: make(chan struct{})}
	if p.listener, err = net.Listen("tcp", addr); err != nil { //nolint:noctx // the address is local
		return nil, fmt.Errorf("listening for the Pub/Sub API: %w", err)
	}
	p.server = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})),
		grpc.MaxConcurrentStreams(maxStreams), grpc.UnaryInterceptor(p.strikeCall), grpc.StreamInterceptor(p.strikeStream),
	)
	pubsubpb.RegisterPubSubServer(p.server, p)
	p.serving.Go(func() {
		_ = p.server.Serve(p.listener) // ends with Stop, which is not an error
	})
	return p, nil
}

// Addr is where the API listens, as host:port.
func (p *PubSub) Addr() string { return p.listener.Addr().String() }

// Certificate is the certificate clients must trust, in PEM form.
func (p *PubSub) Certificate() string { return p.pem }

// Stop ends the streams and the listener; when ctx ends calls under way are cut. It may be called more than once.
func (p *PubSub) Stop(ctx context.Context) error {
	p.stopping.Do(func() { close(p.done) })
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		p.server.GracefulStop()
	}()
	var err error
	select {
	case <-graceful:
	case <-ctx.Done():
		p.server.Stop()
		<-graceful
		err = ctx.Err()
	}
	p.serving.Wait()
	return err //nolint:wrapcheck // the caller's own deadline
}

func selfSigned(now time.Time) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a certificate: %w", err)
	}
	tpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Sandbox Org"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateOf),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("making a certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text), nil
}

// refuse is an error in gRPC's form, with the platform's code in the trailer where its clients look for it.
func refuse(ctx context.Context, code codes.Code, name, format string, args ...any) error {
	rpc := rpcID()
	// Fails outside of a call only.
	_ = grpc.SetTrailer(ctx, metadata.Pairs("error-code", "sfdc.platform.eventbus.grpc."+name, "rpc-id", rpc))
	return status.Error(code, fmt.Sprintf(format, args...)+" rpcId: "+rpc)
}

func (p *PubSub) internal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	e := p.org.fail(ctx, err)
	return refuse(ctx, codes.Internal, "service.internal", "%s", e.Message)
}

// session signs a call in by its metadata: accesstoken, and the org as tenantid.
func (p *PubSub) session(ctx context.Context) (*session, error) {
	if _, down := p.org.faults.List(); down {
		return nil, refuse(ctx, codes.Unavailable, "service.unavailable", "the org is down")
	}
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(name string) string {
		if v := md.Get(name); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	s := p.org.sessions.find(strings.TrimPrefix(first("accesstoken"), "Bearer "), false)
	if s == nil || !strings.HasPrefix(first("tenantid"), orgID[:15]) || first("instanceurl") == "" {
		return nil, refuse(ctx, codes.Unauthenticated, "service.auth.error",
			"Authentication exception occurred: send accesstoken, instanceurl and tenantid (%s) of a session that lives", orgID)
	}
	return s, nil
}

// GetTopic describes a topic.
func (p *PubSub) GetTopic(ctx context.Context, in *pubsubpb.TopicRequest) (*pubsubpb.TopicInfo, error) {
	if _, err := p.session(ctx); err != nil {
		return nil, err
	}
	s := p.org.events.byChannel[in.GetTopicName()]
	if s == nil && in.GetTopicName() != "/data/"+allChanges {
		return nil, noTopic(ctx, in.GetTopicName())
	}
	out := &pubsubpb.TopicInfo{TopicName: in.GetTopicName(), TenantGuid: orgID, CanSubscribe: true, RpcId: rpcID()}
	if s != nil {
		out.SchemaId, out.CanPublish = s.id, !s.change
	}
	return out, nil
}

func rpcID() string { return randomText(22) }

func noTopic(ctx context.Context, name string) error {
	return refuse(ctx, codes.InvalidArgument, "topic.not.found", "The requested topic %s was not found", shorten(name))
}

// GetSchema returns an Avro schema by its id.
func (p *PubSub) GetSchema(ctx context.Context, in *pubsubpb.SchemaRequest) (*pubsubpb.SchemaInfo, error) {
	if _, err := p.session(ctx); err != nil {
		return nil, err
	}
	s := p.org.events.byID[in.GetSchemaId()]
	if s == nil {
		return nil, refuse(ctx, codes.InvalidArgument, "schema.not.found", "The requested schema %s was not found", shorten(in.GetSchemaId()))
	}
	return &pubsubpb.SchemaInfo{SchemaId: s.id, SchemaJson: s.text, RpcId: rpcID()}, nil
}

// fetches are the requests of a stream, read apart from what is sent.
type fetches struct {
	requests chan *pubsubpb.FetchRequest
	end      chan error // one value: why the client's side ended
}

func readFetches(stream pubsubpb.PubSub_SubscribeServer) *fetches {
	f := &fetches{requests: make(chan *pubsubpb.FetchRequest), end: make(chan error, 1)}
	go func() {
		for {
			in, err := stream.Recv()
			if err != nil {
				f.end <- err
				return
			}
			select {
			case f.requests <- in:
			case <-stream.Context().Done():
				f.end <- stream.Context().Err()
				return
			}
		}
	}()
	return f
}

// subscription is one stream: a place in the log, and how many events its client still takes.
type subscription struct {
	topic   string
	at      int64
	pending int32
	token   string // of the session; a request may bring a new one
}

// Subscribe delivers the events of a topic, never more than the client asked for.
func (p *PubSub) Subscribe(stream pubsubpb.PubSub_SubscribeServer) error {
	ctx := stream.Context()
	if _, err := p.session(ctx); err != nil {
		return err
	}
	in, err := stream.Recv()
	if err != nil {
		return nil // the client went before it asked for anything
	}
	sub, err := p.begin(ctx, in)
	if err != nil {
		return err
	}
	f, cut := readFetches(stream), p.ending(ctx)
	alive := time.NewTicker(p.keepAlive)
	defer alive.Stop()
	for {
		bell := p.org.store.bell.wait()
		sent, err := p.deliver(stream, sub)
		if err != nil {
			return err
		}
		if sent {
			alive.Reset(p.keepAlive)
			continue
		}
		select {
		case in := <-f.requests:
			if err := sub.more(ctx, in); err != nil {
				return err
			}
		case err := <-f.end:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-bell:
		case <-alive.C:
			if err := p.heartbeat(stream, sub); err != nil {
				return err
			}
		case <-cut:
			return refuse(ctx, codes.Unavailable, "service.unavailable", "the stream ends: subscribe again")
		}
	}
}

// ending returns a channel that is closed when a stream is to end: because the org stops, or all streams are cut.
func (p *PubSub) ending(ctx context.Context) <-chan struct{} {
	cut, end := p.org.cuts.wait(), make(chan struct{})
	go func() {
		defer close(end)
		select {
		case <-cut:
		case <-p.done:
		case <-ctx.Done():
		}
	}()
	return end
}

// begin reads the first request: the topic, and where to start.
func (p *PubSub) begin(ctx context.Context, in *pubsubpb.FetchRequest) (*subscription, error) {
	topic := in.GetTopicName()
	if p.org.events.byChannel[topic] == nil && topic != "/data/"+allChanges {
		return nil, noTopic(ctx, topic)
	}
	from := int64(replayNew)
	switch in.GetReplayPreset() {
	case pubsubpb.ReplayPreset_EARLIEST:
		from = replayAll
	case pubsubpb.ReplayPreset_CUSTOM:
		var valid bool
		if from, valid = replayNumber(in.GetReplayId()); !valid {
			return nil, refuse(ctx, codes.InvalidArgument, "subscription.fetch.replayid.validation.failed", "The Replay ID has %d bytes instead of 8, or is below zero", len(in.GetReplayId()))
		}
	case pubsubpb.ReplayPreset_LATEST:
	}
	at, valid, err := p.org.replayFrom(ctx, from)
	if err != nil {
		return nil, p.internal(ctx, err)
	}
	if !valid {
		return nil, refuse(ctx, codes.InvalidArgument, "subscription.fetch.replayid.corrupted", "The Replay ID validation failed: it never was or is past the retention")
	}
	sub := &subscription{topic: topic, at: at}
	return sub, sub.more(ctx, in)
}

// more adds what a request asks for.
func (s *subscription) more(ctx context.Context, in *pubsubpb.FetchRequest) error {
	switch n := in.GetNumRequested(); {
	case in.GetTopicName() != "" && in.GetTopicName() != s.topic:
		return refuse(ctx, codes.InvalidArgument, "subscription.fetch.topic.changed", "the topic of a stream cannot change")
	case n < 1 || n > maxFetch:
		return refuse(ctx, codes.InvalidArgument, "subscription.fetch.requested.events.invalid", "num_requested must be between 1 and %d: it is %d", maxFetch, n)
	case s.pending > 1<<20:
		return refuse(ctx, codes.ResourceExhausted, "subscription.fetch.requested.events.invalid", "more events are asked for than can be kept count of")
	default:
		s.pending += n
	}
	if in.GetAuthRefresh() != "" {
		s.token = in.GetAuthRefresh()
	}
	return nil
}

// deliver sends the next events; it reports false when there are none or none are asked for.
func (p *PubSub) deliver(stream pubsubpb.PubSub_SubscribeServer, sub *subscription) (bool, error) {
	ctx := stream.Context()
	if sub.pending == 0 {
		return false, nil
	}
	list, err := p.org.changesAfter(ctx, logChannel(sub.topic), sub.at, int(min(sub.pending, maxFetch)))
	if err != nil {
		return false, p.internal(ctx, err)
	}
	if len(list) == 0 {
		return false, nil
	}
	if sub.token == "" {
		if _, err := p.session(ctx); err != nil {
			return false, err
		}
	} else if p.org.sessions.find(sub.token, false) == nil {
		return false, refuse(ctx, codes.Unauthenticated, "service.auth.error", "the session ended")
	}
	out := &pubsubpb.FetchResponse{RpcId: rpcID()}
	for _, c := range list {
		sub.at = c.seq
		s := p.org.schemaFor(c)
		if s == nil {
			continue
		}
		r, err := c.fields(s.obj)
		if err != nil {
			return false, p.internal(ctx, err)
		}
		out.Events = append(out.Events, &pubsubpb.ConsumerEvent{
			Event: &pubsubpb.ProducerEvent{Id: eventID(c.seq), SchemaId: s.id, Payload: s.avro(c, r)}, ReplayId: replayBytes(c.seq),
		})
	}
	sub.pending -= int32(len(out.Events)) //nolint:gosec // at most 100
	out.LatestReplayId, out.PendingNumRequested = replayBytes(sub.at), sub.pending
	return true, stream.Send(out) //nolint:wrapcheck // a status already
}

// heartbeat tells a client that waits how far the log is.
func (p *PubSub) heartbeat(stream pubsubpb.PubSub_SubscribeServer, sub *subscription) error {
	return stream.Send(&pubsubpb.FetchResponse{LatestReplayId: replayBytes(sub.at), RpcId: rpcID(), PendingNumRequested: sub.pending}) //nolint:wrapcheck // a status already
}

func replayBytes(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } //nolint:gosec // numbers count up from 1

// eventID names an event the same way each time it is delivered.
func eventID(seq int64) string {
	sum := sha256.Sum256([]byte("event " + strconv.FormatInt(seq, 10)))
	return fmt.Sprintf("%x-%x-4%x-a%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])[:36]
}

// Publish adds platform events. Each has a result of its own.
func (p *PubSub) Publish(ctx context.Context, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, err
	}
	return p.publish(ctx, s, in.GetTopicName(), in.GetEvents())
}

// PublishStream is Publish for as long as the client likes.
func (p *PubSub) PublishStream(stream pubsubpb.PubSub_PublishStreamServer) error {
	s, err := p.session(stream.Context())
	if err != nil {
		return err
	}
	topic := ""
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err //nolint:wrapcheck // a status already
		}
		if topic == "" {
			topic = in.GetTopicName()
		}
		if in.GetTopicName() != "" && in.GetTopicName() != topic {
			return refuse(stream.Context(), codes.InvalidArgument, "publish.topic.changed", "the topic of a stream cannot change")
		}
		out, err := p.publish(stream.Context(), s, topic, in.GetEvents())
		if err != nil {
			return err
		}
		if err := stream.Send(out); err != nil {
			return err //nolint:wrapcheck // a status already
		}
	}
}

func (p *PubSub) publish(ctx context.Context, s *session, topic string, events []*pubsubpb.ProducerEvent) (*pubsubpb.PublishResponse, error) {
	schema := p.org.events.byChannel[topic]
	switch {
	case schema == nil:
		return nil, noTopic(ctx, topic)
	case schema.change:
		return nil, refuse(ctx, codes.PermissionDenied, "topic.no.publish", "change events cannot be published")
	case len(events) == 0 || len(events) > maxPublish:
		return nil, refuse(ctx, codes.InvalidArgument, "publish.events.invalid", "between 1 and %d events are taken: split the request", maxPublish)
	}
	out := &pubsubpb.PublishResponse{SchemaId: schema.id, RpcId: rpcID()}
	for _, e := range events {
		result := &pubsubpb.PublishResult{CorrelationKey: e.GetId()}
		seq, err := p.org.publish(ctx, s.user, schema, e.GetSchemaId(), e.GetPayload())
		fault, isFault := errors.AsType[*apiError](err)
		switch {
		case isFault:
			result.Error = &pubsubpb.Error{Code: pubsubpb.ErrorCode_PUBLISH, Msg: fault.Message}
		case err != nil:
			return nil, p.internal(ctx, err)
		default:
			result.ReplayId = replayBytes(seq)
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

// publish checks and logs one platform event and returns its number.
func (o *Org) publish(ctx context.Context, user string, s *eventSchema, schemaID string, payload []byte) (seq int64, err error) {
	switch {
	case schemaID != s.id:
		return 0, badRequest("INVALID_INPUT", "schema %s is not that of the topic: ask GetTopic", shorten(schemaID))
	case len(payload) > maxEvent:
		return 0, badRequest("INVALID_INPUT", "the event is larger than %d bytes", maxEvent)
	}
	values, err := s.decode(payload)
	if err != nil {
		return 0, badRequest("INVALID_INPUT", "%s", err)
	}
	err = o.store.update(ctx, func(tx *sql.Tx) error {
		in := record{}
		for name, v := range values {
			f := s.obj.field(name)
			if n, isFloat := v.(float64); isFloat {
				v = json.Number(strconv.FormatFloat(n, 'g', -1, 64))
			} else if n, isInt := v.(int64); isInt {
				v = json.Number(strconv.FormatInt(n, 10))
			}
			checked, err := o.checkDecoded(ctx, tx, s.obj, f, v)
			if err != nil {
				return err
			}
			in[f.name] = checked
		}
		if err := checkRequired(s.obj, in, true); err != nil {
			return err
		}
		if _, err := o.create(ctx, tx, user, s.obj, in); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT last_insert_rowid()").Scan(&seq)
	})
	return seq, err
}

package salesforce

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// Limits of the Pub/Sub API (guide, "Pub/Sub API Allocations"), how often a stream without events is heard of (the platform
// promises 270 seconds), and how long one that publishes may be silent (proto file, PublishStream).
const (
	maxFetch      = 100 // events a client may ask for at once, and of one response
	maxFetchBytes = 2 << 20
	maxPublish    = 200 // events of one request
	maxEvent      = 1 << 20
	maxRequested  = 1 << 20 // events a client may have asked for and not got yet
	keepAlive     = 4 * time.Minute
	publishIdle   = 70 * time.Second
	maxStreams    = 1000 // of one connection, and of all
)

// PubSub is the running Pub/Sub API of an org.
type PubSub struct {
	pubsubpb.UnimplementedPubSubServer

	org       *Org
	server    *grpc.Server
	listener  net.Listener
	pem       string
	keepAlive time.Duration
	idle      time.Duration // of streams that publish
	streams   atomic.Int64
	done      chan struct{} // closed when the streams are to end
	taken     sync.Map      // ids of managed subscriptions that have a client
	stopping  sync.Once
	serving   sync.WaitGroup
}

// PubSub starts the Pub/Sub API (gRPC, eventbus.v1.PubSub) on addr, such as "127.0.0.1:7443", with TLS by a certificate
// it makes for itself, and keeps in Options.Dir if there is one. Stop it before the org is closed.
func (o *Org) PubSub(addr string) (*PubSub, error) {
	cert, text, err := o.certificate()
	if err != nil {
		return nil, err
	}
	p := &PubSub{org: o, pem: text, keepAlive: keepAlive, idle: publishIdle, done: make(chan struct{})}
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

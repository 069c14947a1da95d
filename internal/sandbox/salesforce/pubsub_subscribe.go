package salesforce

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

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
	*streamTopic

	user    string // id
	at      int64
	pending int32
	token   string // a request brought a new one; empty: that of the call
	managed bool
}

// Subscribe delivers the events of a topic, never more than the client asked for.
func (p *PubSub) Subscribe(stream pubsubpb.PubSub_SubscribeServer) error {
	who, left, err := p.admit(stream.Context())
	if err != nil {
		return err
	}
	defer left()
	in, err := stream.Recv()
	if err != nil {
		return nil // the client went before it asked for anything
	}
	return p.serve(stream, in, &subscription{user: who.user})
}

// serve answers the requests of a stream, the first of which was read already.
func (p *PubSub) serve(stream pubsubpb.PubSub_SubscribeServer, in *pubsubpb.FetchRequest, sub *subscription) error {
	ctx := stream.Context()
	if err := p.begin(ctx, in, sub); err != nil {
		return err
	}
	f, cut := readFetches(stream), p.ending(ctx)
	alive := time.NewTicker(p.keepAlive)
	defer alive.Stop()
	for {
		select {
		case <-cut: // also while there is always more to deliver
			return refuse(ctx, codes.Unavailable, "service.unavailable", "the stream ends: subscribe again")
		default:
		}
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
			if err := p.more(ctx, sub, in); err != nil {
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
func (p *PubSub) begin(ctx context.Context, in *pubsubpb.FetchRequest, sub *subscription) (err error) {
	if sub.streamTopic, err = p.topic(ctx, in.GetTopicName(), "topic.validation.empty"); err != nil {
		return err
	}
	if !sub.readableBy(p.org.viewOf(ctx, sub.user)) {
		return refuse(ctx, codes.PermissionDenied, "subscription.topic.cannot.subscribe", "You don't have the permissions to subscribe to the topic %s: read access to what it tells of is needed", sub.name)
	}
	from := int64(replayNew)
	switch in.GetReplayPreset() {
	case pubsubpb.ReplayPreset_EARLIEST:
		from = replayAll
	case pubsubpb.ReplayPreset_CUSTOM:
		var valid bool
		switch from, valid = replayNumber(in.GetReplayId()); {
		case len(in.GetReplayId()) == 0:
			return refuse(ctx, codes.InvalidArgument, "subscription.fetch.replayid.validation.failed", "The Replay ID validation failed: the replay preset CUSTOM needs a replay_id")
		case !valid:
			return p.corrupted(ctx)
		}
	case pubsubpb.ReplayPreset_LATEST:
	}
	at, valid, err := p.org.replayFrom(ctx, from, retention)
	if err != nil {
		return p.internal(ctx, err)
	}
	if !valid {
		return p.corrupted(ctx)
	}
	sub.at = at
	return p.more(ctx, sub, in)
}

func (p *PubSub) corrupted(ctx context.Context) error {
	return refuse(ctx, codes.InvalidArgument, "subscription.fetch.replayid.corrupted", "%s", corruptedReplay)
}

const corruptedReplay = "The Replay ID validation failed. Ensure that the Replay ID is valid and refers to an event that is within the retention window."

// more adds what a request asks for. A new token replaces the one of the call.
func (p *PubSub) more(ctx context.Context, s *subscription, in *pubsubpb.FetchRequest) error {
	least, invalid := int32(1), "subscription.fetch.requested.events.invalid"
	if s.managed {
		least, invalid = 0, "managed.subscription.fetch.request.events.invalid" // with a commit a request need not ask for events
	}
	switch n := in.GetNumRequested(); {
	case in.GetTopicName() != "" && in.GetTopicName() != s.name:
		return refuse(ctx, codes.InvalidArgument, "subscription.fetch.topic.mismatch", "The topic name %s is not that of the stream, %s", shorten(in.GetTopicName()), s.name)
	case n < least || n > maxFetch:
		return refuse(ctx, codes.InvalidArgument, invalid, "The number of requested events is to be %d to %d: it is %d", least, maxFetch, n)
	case s.pending > maxRequested:
		return refuse(ctx, codes.ResourceExhausted, "subscription.fetch.overflow", "The client requested more events than it took: process those that are outstanding first")
	default:
		s.pending += n
	}
	fresh := in.GetAuthRefresh()
	if fresh == "" {
		return nil
	}
	if err := p.refreshed(ctx, s.user, fresh); err != nil {
		return err
	}
	s.token = fresh
	return nil
}

// refreshed refuses a new token that is not of a session of the same user.
func (p *PubSub) refreshed(ctx context.Context, user, token string) error {
	if who := p.org.sessions.find(token, false); who == nil || who.user != user {
		return refuse(ctx, codes.Unauthenticated, "service.auth.refresh.invalid", "The token for the refresh of the authentication is invalid")
	}
	return nil
}

// alive refuses to go on once the session of a stream has ended: that of its last new token, or of its call.
func (p *PubSub) alive(ctx context.Context, token string) error {
	if token == "" {
		_, err := p.session(ctx)
		return err
	}
	if p.org.sessions.find(token, false) == nil {
		return refuse(ctx, codes.Unauthenticated, "service.auth.error", "An authentication exception occurred: the session ended")
	}
	return nil
}

// deliver sends the next events; it reports false when there are none or none are asked for.
func (p *PubSub) deliver(stream pubsubpb.PubSub_SubscribeServer, sub *subscription) (bool, error) {
	ctx := stream.Context()
	if sub.pending == 0 {
		return false, nil
	}
	list, err := p.org.changesAfter(ctx, sub.name, sub.at, int(min(sub.pending, maxFetch)), maxFetchBytes)
	if err != nil {
		return false, p.internal(ctx, err)
	}
	if len(list) == 0 {
		return false, nil
	}
	if err := p.alive(ctx, sub.token); err != nil {
		return false, err
	}
	out := &pubsubpb.FetchResponse{RpcId: rpcID()}
	v := p.org.viewOf(ctx, sub.user)
	for _, c := range list {
		sub.at = c.seq
		s, r, err := p.org.visible(ctx, c, v, sub.name)
		if err != nil {
			return false, p.internal(ctx, err)
		}
		if s == nil {
			continue
		}
		out.Events = append(out.Events, &pubsubpb.ConsumerEvent{
			Event: &pubsubpb.ProducerEvent{Id: c.uuid(), SchemaId: s.id, Payload: s.avro(c, r)}, ReplayId: replayBytes(c.seq),
		})
	}
	sub.pending -= int32(len(out.Events)) //nolint:gosec // at most 100
	out.LatestReplayId, out.PendingNumRequested = replayBytes(sub.at), sub.pending
	return true, stream.Send(out) //nolint:wrapcheck // a status already
}

// heartbeat tells a client that waits how far the log is.
func (p *PubSub) heartbeat(stream pubsubpb.PubSub_SubscribeServer, sub *subscription) error {
	ctx := stream.Context()
	if err := p.alive(ctx, sub.token); err != nil {
		return err
	}
	// The end of the log is read first: what comes after it is not passed over. So a place stays within the retention, however
	// long the topic is quiet.
	last, err := p.org.lastChange(ctx)
	if err != nil {
		return p.internal(ctx, err)
	}
	next, err := p.org.changesAfter(ctx, sub.name, sub.at, 1, maxFetchBytes)
	if err != nil {
		return p.internal(ctx, err)
	}
	if len(next) == 0 || next[0].seq > last {
		sub.at = max(sub.at, last)
	}
	return stream.Send(&pubsubpb.FetchResponse{LatestReplayId: replayBytes(sub.at), RpcId: rpcID(), PendingNumRequested: sub.pending}) //nolint:wrapcheck // a status already
}

func replayBytes(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } //nolint:gosec // numbers count up from 1

package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// Publish adds platform events. Each has a result of its own.
func (p *PubSub) Publish(ctx context.Context, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, err
	}
	return p.publish(ctx, s.user, in.GetTopicName(), in.GetEvents())
}

// publishRequests reads the requests of a stream apart from what is sent.
func publishRequests(stream pubsubpb.PubSub_PublishStreamServer) (<-chan *pubsubpb.PublishRequest, <-chan error) {
	requests, end := make(chan *pubsubpb.PublishRequest), make(chan error, 1)
	go func() {
		for {
			in, err := stream.Recv()
			if err != nil {
				end <- err
				return
			}
			select {
			case requests <- in:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	return requests, end
}

// maxEventID bounds the names publishers give their events.
const maxEventID = 255

// publisher is a stream that publishes.
type publisher struct {
	user    string
	topic   string
	token   string // a request brought a new one; empty: that of the call
	started bool   // the first request was read
}

// PublishStream is Publish for as long as the client likes and is not silent for too long.
func (p *PubSub) PublishStream(stream pubsubpb.PubSub_PublishStreamServer) error {
	ctx := stream.Context()
	s, left, err := p.admit(ctx)
	if err != nil {
		return err
	}
	defer left()
	pub := &publisher{user: s.user}
	requests, end := publishRequests(stream)
	silence, cut := time.NewTimer(p.idle), p.ending(ctx)
	defer silence.Stop()
	for {
		select {
		case in := <-requests:
			out, err := p.publishNext(ctx, pub, in)
			if err != nil {
				return err
			}
			if err := stream.Send(out); err != nil {
				return err //nolint:wrapcheck // a status already
			}
			silence.Reset(p.idle)
		case err := <-end:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-silence.C:
			return refuse(ctx, codes.Unavailable, "publish.stream.sweeper.timeout", "The stream was closed because no publish request was sent within %s", p.idle)
		case <-cut:
			return refuse(ctx, codes.Unavailable, "service.unavailable", "the stream ends: publish on another")
		}
	}
}

// publishNext carries out a request of a stream.
func (p *PubSub) publishNext(ctx context.Context, pub *publisher, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	name, fresh, first := in.GetTopicName(), in.GetAuthRefresh(), !pub.started
	pub.started = true
	switch {
	case first && fresh != "":
		return nil, refuse(ctx, codes.InvalidArgument, "publish.auth.refresh.invalid", "The first request must not bring a token for the refresh of the authentication")
	case first:
		pub.topic = name
	case name != "" && name != pub.topic:
		return nil, refuse(ctx, codes.InvalidArgument, "publish.topic.mismatch", "The topic name %s is not that of the stream, %s", shorten(name), pub.topic)
	}
	if fresh != "" {
		if err := p.refreshed(ctx, pub.user, fresh); err != nil {
			return nil, err
		}
		pub.token = fresh
	}
	if err := p.alive(ctx, pub.token); err != nil {
		return nil, err
	}
	return p.publish(ctx, pub.user, pub.topic, in.GetEvents())
}

func (p *PubSub) publish(ctx context.Context, user, topic string, events []*pubsubpb.ProducerEvent) (*pubsubpb.PublishResponse, error) {
	t, err := p.topic(ctx, topic, "publish.topic.validation.empty")
	if err != nil {
		return nil, err
	}
	schema := t.schema
	switch {
	case !t.publishableBy(p.org.viewOf(ctx, user)):
		return nil, refuse(ctx, codes.PermissionDenied, "publish.topic.cannot.publish", "You can't publish on the topic %s: it takes platform events, and the permission to create them", t.name)
	case len(events) == 0:
		return nil, refuse(ctx, codes.InvalidArgument, "publish.event.count.invalid", "The request has no events: include at least one")
	case len(events) > maxPublish:
		return nil, refuse(ctx, codes.InvalidArgument, "publish.event.count.invalid", "The request has %d events: %d are taken, split it", len(events), maxPublish)
	}
	out := &pubsubpb.PublishResponse{SchemaId: schema.id, RpcId: rpcID()}
	for _, e := range events {
		result := &pubsubpb.PublishResult{CorrelationKey: e.GetId()}
		seq, err := p.org.publish(ctx, user, schema, e)
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
func (o *Org) publish(ctx context.Context, user string, s *eventSchema, e *pubsubpb.ProducerEvent) (seq int64, err error) {
	payload := e.GetPayload()
	switch {
	case e.GetSchemaId() != s.id:
		return 0, badRequest("INVALID_INPUT", "schema %s is not that of the topic: ask GetTopic", shorten(e.GetSchemaId()))
	case len(e.GetId()) > maxEventID:
		return 0, badRequest("INVALID_INPUT", "the id of the event is longer than %d bytes", maxEventID)
	case len(payload) > maxEvent:
		return 0, badRequest("INVALID_INPUT", "the event is larger than %d bytes", maxEvent)
	}
	values, err := s.decode(payload)
	if err != nil {
		return 0, badRequest("INVALID_INPUT", "%s", err)
	}
	err = o.store.update(ctx, func(tx *sql.Tx) error {
		in := record{}
		if e.GetId() != "" {
			in[eventUUIDKey] = e.GetId()
		}
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

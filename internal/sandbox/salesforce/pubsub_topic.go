package salesforce

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// refuse is an error in gRPC's form, with the platform's code in the trailer where its clients look for it (Pub/Sub API
// guide, "Handle Errors"; for publishing without the permission it has no code, and ours is named like that for subscribing).
func refuse(ctx context.Context, code codes.Code, name, format string, args ...any) error {
	rpc := rpcID()
	// Fails outside of a call only.
	_ = grpc.SetTrailer(ctx, metadata.Pairs("error-code", "sfdc.platform.eventbus.grpc."+name, "rpc-id", rpc))
	return status.Error(code, fmt.Sprintf(format, args...)+" rpcId: "+rpc)
}

// rpcID names a call.
func rpcID() string { return transactionKey() }

func (p *PubSub) internal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	e := p.org.fail(ctx, err)
	return refuse(ctx, codes.Internal, "subscription.internal.error", "%s", e.Message)
}

// session signs a call in by its metadata: accesstoken, instanceurl, and the org as tenantid.
func (p *PubSub) session(ctx context.Context) (*session, error) {
	if _, down := p.org.faults.List(); down {
		return nil, refuse(ctx, codes.Unavailable, "service.unavailable", "the org is down")
	}
	md, _ := metadata.FromIncomingContext(ctx)
	values := map[string]string{}
	for _, name := range []string{"accesstoken", "instanceurl", "tenantid"} {
		v := md.Get(name)
		if len(v) == 0 || strings.TrimSpace(v[0]) == "" {
			return nil, refuse(ctx, codes.Unauthenticated, "service.auth.headers.invalid", "The authentication header %s is missing or blank: send accesstoken, instanceurl and tenantid (%s)", name, orgID)
		}
		values[name] = v[0]
	}
	s := p.org.sessionOf(ctx, strings.TrimPrefix(values["accesstoken"], "Bearer "), remoteOf(ctx))
	if s == nil || !strings.HasPrefix(values["tenantid"], orgID[:15]) {
		return nil, refuse(ctx, codes.Unauthenticated, "service.auth.error",
			"An authentication exception occurred. Provide valid authentication via metadata headers: accesstoken of a session that lives and tenantid %s", orgID)
	}
	return s, nil
}

// admit is session for a stream, of which there can be so many. left is called when the stream ends.
func (p *PubSub) admit(ctx context.Context) (s *session, left func(), err error) {
	if s, err = p.session(ctx); err != nil {
		return nil, nil, err
	}
	left = func() { p.streams.Add(-1) }
	if p.streams.Add(1) > maxStreams {
		left()
		return nil, nil, refuse(ctx, codes.ResourceExhausted, "concurrent.client.limit.exceeded", "The maximum number of concurrent clients across all topics, %d, has been exceeded", maxStreams)
	}
	return s, left, nil
}

// GetTopic describes a topic.
func (p *PubSub) GetTopic(ctx context.Context, in *pubsubpb.TopicRequest) (*pubsubpb.TopicInfo, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, err
	}
	t, err := p.topic(ctx, in.GetTopicName(), "topic.validation.empty")
	if err != nil {
		return nil, err
	}
	v := p.org.viewOf(ctx, s.user)
	out := &pubsubpb.TopicInfo{TopicName: t.name, TenantGuid: orgID, CanSubscribe: t.readableBy(v), RpcId: rpcID()}
	if t.schema != nil {
		out.SchemaId, out.CanPublish = t.schema.id, t.publishableBy(v)
	}
	return out, nil
}

// topic finds the topic of a name. empty is what a request without a name is refused with.
func (p *PubSub) topic(ctx context.Context, name, empty string) (*streamTopic, error) {
	if name == "" {
		return nil, refuse(ctx, codes.InvalidArgument, empty, "The topic name is blank: provide one")
	}
	if t := p.org.topic(name); t != nil {
		return t, nil
	}
	return nil, refuse(ctx, codes.NotFound, "topic.not.found",
		"The topic information for org CORE/sandbox/%s and topic %s not found. Ensure the topic name is correct and that the topic exists.", orgID, shorten(name))
}

// GetSchema returns an Avro schema by its id, also one of before a field was added.
func (p *PubSub) GetSchema(ctx context.Context, in *pubsubpb.SchemaRequest) (*pubsubpb.SchemaInfo, error) {
	if _, err := p.session(ctx); err != nil {
		return nil, err
	}
	id := in.GetSchemaId()
	if strings.TrimSpace(id) == "" {
		return nil, refuse(ctx, codes.InvalidArgument, "schema.validation.failed", "The schema ID is blank: provide one")
	}
	text, err := p.org.schemaText(ctx, id)
	if err != nil {
		return nil, p.internal(ctx, err)
	}
	if text == "" {
		return nil, refuse(ctx, codes.NotFound, "schema.meta.permission", "An error occurred when accessing the schema %s. Verify the schema ID and the credentials used to fetch it.", shorten(id))
	}
	return &pubsubpb.SchemaInfo{SchemaId: id, SchemaJson: text, RpcId: rpcID()}, nil
}

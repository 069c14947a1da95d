package salesforce

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// Managed subscriptions (Pub/Sub API guide, "Managed Event Subscriptions"; Tooling API, ManagedEventSubscription, from
// 60.0): the org keeps how far a client has come, and the client commits it.

const qManagedTable = `
CREATE TABLE IF NOT EXISTS managed_subscription (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, data TEXT NOT NULL, committed INTEGER) STRICT, WITHOUT ROWID;`

const (
	managedEntity  = "ManagedEventSubscription"
	managedPrefix  = "18x"
	managedVersion = 60
	maxManaged     = 200
)

// managedData is what a subscription is told to be.
type managedData struct {
	Label    string `json:"label"`
	Topic    string `json:"topicName"`
	Default  string `json:"defaultReplay"`       // where to start when nothing was committed
	Recovery string `json:"errorRecoveryReplay"` // where to start when what was committed is past the retention
	State    string `json:"state"`               // RUN or STOP
}

// managed is a subscription as it stands.
type managed struct {
	id, name  string
	data      managedData
	committed sql.NullInt64
}

var developerName = regexp.MustCompile(`^[A-Za-z](?:_?[A-Za-z0-9]){0,79}$`) //nolint:gochecknoglobals // compiled once

// check completes what was left out and refuses what cannot be.
func (d *managedData) check(o *Org) error {
	for _, f := range []struct {
		name, usual, other string
		value              *string
	}{
		{"defaultReplay", "LATEST", "EARLIEST", &d.Default},
		{"errorRecoveryReplay", "LATEST", "EARLIEST", &d.Recovery},
		{"state", "RUN", "STOP", &d.State},
	} {
		if *f.value = strings.ToUpper(orElse(*f.value, f.usual)); *f.value != f.usual && *f.value != f.other {
			return badRequest("INVALID_INPUT", "%s is %s or %s: it is %s", f.name, f.usual, f.other, shorten(*f.value))
		}
	}
	switch {
	case d.Label == "":
		return onFields(badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: [label]"), "label")
	case o.topic(d.Topic) == nil:
		return badRequest("INVALID_INPUT", "topicName is no channel of this org: %s", shorten(d.Topic))
	}
	return nil
}

// managedSubscriptions answers below /tooling/sobjects/ManagedEventSubscription; rest is the path after it.
func (o *Org) managedSubscriptions(rq *request, rest []string) (*response, error) {
	if rq.version < managedVersion || len(rest) > 1 {
		return nil, notFound()
	}
	if len(rest) == 0 {
		if rq.method != http.MethodPost {
			return nil, methodNotAllowed(rq.method)
		}
		return o.addManaged(rq)
	}
	m, err := o.managedBy(rq.ctx, "id", rest[0])
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, notFound()
	}
	switch rq.method {
	case http.MethodGet:
		return ok(map[string]any{
			"attributes": map[string]string{"type": managedEntity, "url": rq.base() + "/tooling/sobjects/" + managedEntity + "/" + m.id},
			"Id":         m.id, "DeveloperName": m.name, "FullName": m.name, "MasterLabel": m.data.Label, "Metadata": m.data,
		}), nil
	case http.MethodPatch:
		return o.changeManaged(rq, m)
	case http.MethodDelete:
		return noContent(), o.execManaged(rq.ctx, `DELETE FROM managed_subscription WHERE id = ?`, m.id)
	}
	return nil, methodNotAllowed(rq.method)
}

type newManaged struct {
	FullName string          `json:"FullName"`
	Metadata json.RawMessage `json:"Metadata"`
}

func (o *Org) addManaged(rq *request) (*response, error) {
	var in newManaged
	var d managedData
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if len(in.Metadata) > 0 {
		if err := json.Unmarshal(in.Metadata, &d); err != nil {
			return nil, jsonFault(in.Metadata, err)
		}
	}
	if !developerName.MatchString(in.FullName) {
		return nil, badRequest("INVALID_FULL_NAME", "FullName is made of letters, digits and single underscores, at most 80: it is %s", shorten(in.FullName))
	}
	if err := d.check(o); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding a managed subscription: %w", err)
	}
	var id string
	err = o.store.update(rq.ctx, func(tx *sql.Tx) error {
		var same, all int
		if err := tx.QueryRowContext(rq.ctx, `SELECT COUNT(*) FILTER (WHERE lower(name) = lower(?)), COUNT(*) FROM managed_subscription`, in.FullName).Scan(&same, &all); err != nil {
			return fmt.Errorf("looking for managed subscriptions: %w", err)
		}
		switch {
		case same > 0:
			return badRequest("DUPLICATE_DEVELOPER_NAME", "the name %s is taken", in.FullName)
		case all >= maxManaged:
			return badRequest("LIMIT_EXCEEDED", "there are %d managed subscriptions: delete one first", maxManaged)
		}
		var err error
		if id, _, err = nextID(rq.ctx, tx, managedPrefix); err != nil {
			return err
		}
		_, err = tx.ExecContext(rq.ctx, `INSERT INTO managed_subscription (id, name, data) VALUES (?, ?, ?)`, id, in.FullName, string(raw))
		return err //nolint:wrapcheck // the store says what failed
	})
	if err != nil {
		return nil, err
	}
	return toolingCreated(id), nil
}

func (o *Org) changeManaged(rq *request, m *managed) (*response, error) {
	var in newManaged
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	topic := m.data.Topic
	if len(in.Metadata) > 0 {
		if err := json.Unmarshal(in.Metadata, &m.data); err != nil {
			return nil, jsonFault(in.Metadata, err)
		}
	}
	if m.data.Topic != topic {
		return nil, badRequest("INVALID_INPUT", "topicName cannot be changed: make another subscription")
	}
	if err := m.data.check(o); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m.data)
	if err != nil {
		return nil, fmt.Errorf("encoding a managed subscription: %w", err)
	}
	return noContent(), o.execManaged(rq.ctx, `UPDATE managed_subscription SET data = ? WHERE id = ?`, string(raw), m.id)
}

func (o *Org) execManaged(ctx context.Context, query string, args ...any) error {
	return o.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("storing a managed subscription: %w", err)
		}
		return nil
	})
}

// managedBy finds a subscription by its id or name, nil when there is none.
func (o *Org) managedBy(ctx context.Context, column, value string) (*managed, error) {
	query := `SELECT id, name, data, committed FROM managed_subscription WHERE lower(name) = lower(?)`
	if column == "id" {
		query = `SELECT id, name, data, committed FROM managed_subscription WHERE id = ?`
		value, _ = normalID(value) // of no form: of no subscription
	}
	var m managed
	var raw string
	err := o.store.read.QueryRowContext(ctx, query, value).Scan(&m.id, &m.name, &raw, &m.committed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // documented
	}
	if err == nil {
		err = json.Unmarshal([]byte(raw), &m.data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a managed subscription: %w", err)
	}
	return &m, nil
}

// ManagedSubscribe delivers the events of a managed subscription from where its client has come to, and keeps what the
// client commits. One client at a time has a subscription.
func (p *PubSub) ManagedSubscribe(stream pubsubpb.PubSub_ManagedSubscribeServer) error {
	ctx := stream.Context()
	who, left, err := p.admit(ctx)
	if err != nil {
		return err
	}
	defer left()
	in, err := stream.Recv()
	if err != nil {
		return nil // the client went before it asked for anything
	}
	m, err := p.managedOf(ctx, in)
	if err != nil {
		return err
	}
	if _, taken := p.taken.LoadOrStore(m.id, true); taken {
		return refuse(ctx, codes.AlreadyExists, managedCode+"already.active", "The managed subscription %s is in use by another client: try again later", m.name)
	}
	defer p.taken.Delete(m.id)
	first, err := p.startOf(ctx, m)
	if err != nil {
		return err
	}
	first.NumRequested = in.GetNumRequested()
	s := &managedStream{PubSub_ManagedSubscribeServer: stream, pubsub: p, managed: m}
	s.sub = &subscription{user: who.user, managed: true}
	return p.serve(s, first, s.sub)
}

// managedCode begins the codes of managed subscriptions (Pub/Sub API guide, "Handle Errors").
const managedCode = "managed.subscription."

// managedOf finds the subscription a first request names.
func (p *PubSub) managedOf(ctx context.Context, in *pubsubpb.ManagedFetchRequest) (*managed, error) {
	id, name := in.GetSubscriptionId(), in.GetDeveloperName()
	column, value, unknown := "id", id, "subscription.id.not.found"
	if id == "" {
		column, value, unknown = "name", name, "developer.name.not.found"
	}
	switch {
	case (id == "") == (name == ""):
		return nil, refuse(ctx, codes.InvalidArgument, managedCode+"id.or.developer.name.empty", "Provide either the ID or the developer name of a managed subscription")
	case id != "" && len(id) != 15 && len(id) != 18:
		return nil, refuse(ctx, codes.InvalidArgument, managedCode+"subscription.id.invalid", "The subscription ID has 15 or 18 characters: this one has %d", len(id))
	case in.GetCommitReplayIdRequest() != nil:
		return nil, refuse(ctx, codes.InvalidArgument, managedCode+"fetch.request.commit.request.restricted", "The first request cannot commit a Replay ID")
	case in.GetAuthRefresh() != "":
		return nil, refuse(ctx, codes.InvalidArgument, managedCode+"fetch.request.auth.request.restricted", "The first request must not bring a token for the refresh of the authentication")
	}
	m, err := p.org.managedBy(ctx, column, value)
	switch {
	case err != nil:
		return nil, p.internal(ctx, err)
	case m == nil:
		return nil, refuse(ctx, codes.NotFound, managedCode+unknown, "The configuration of the managed subscription %s was not found", shorten(value))
	case m.data.State != "RUN":
		return nil, refuse(ctx, codes.FailedPrecondition, managedCode+"config.stopped", "The managed subscription %s is stopped: set its state to RUN", m.name)
	}
	return m, nil
}

// startOf is where a subscription starts: after what was committed, or where it was told to.
func (p *PubSub) startOf(ctx context.Context, m *managed) (*pubsubpb.FetchRequest, error) {
	out := &pubsubpb.FetchRequest{TopicName: m.data.Topic}
	preset := m.data.Default
	if m.committed.Valid {
		_, valid, err := p.org.replayFrom(ctx, m.committed.Int64, retention)
		if err != nil {
			return nil, p.internal(ctx, err)
		}
		if valid {
			out.ReplayPreset, out.ReplayId = pubsubpb.ReplayPreset_CUSTOM, replayBytes(m.committed.Int64)
			return out, nil
		}
		preset = m.data.Recovery
	}
	if preset == "EARLIEST" {
		out.ReplayPreset = pubsubpb.ReplayPreset_EARLIEST
	}
	return out, nil
}

// managedStream is a managed subscription as serve takes one. Commits are carried out as they are read.
type managedStream struct {
	pubsubpb.PubSub_ManagedSubscribeServer

	pubsub  *PubSub
	managed *managed
	sub     *subscription
	sending sync.Mutex   // commits are answered beside events
	sent    atomic.Int64 // the last replay id that was told to the client
}

// Recv returns the next request for events.
func (s *managedStream) Recv() (*pubsubpb.FetchRequest, error) {
	for {
		in, err := s.PubSub_ManagedSubscribeServer.Recv()
		if err != nil {
			return nil, err //nolint:wrapcheck // a status already
		}
		commit := in.GetCommitReplayIdRequest()
		if commit != nil {
			if err := s.commit(commit); err != nil {
				return nil, err
			}
			if in.GetNumRequested() == 0 && in.GetAuthRefresh() == "" {
				continue // a commit and nothing else
			}
		}
		if in.GetNumRequested() == 0 && commit == nil && in.GetAuthRefresh() == "" {
			return nil, refuse(s.Context(), codes.InvalidArgument, managedCode+"fetch.request.invalid", "The request asks for no events and brings neither a CommitReplayRequest nor a token")
		}
		return &pubsubpb.FetchRequest{NumRequested: in.GetNumRequested(), AuthRefresh: in.GetAuthRefresh()}, nil
	}
}

// Send sends events.
func (s *managedStream) Send(out *pubsubpb.FetchResponse) error {
	at, _ := replayNumber(out.GetLatestReplayId())
	s.sent.Store(max(s.sent.Load(), at)) // before the client can know it
	return s.send(&pubsubpb.ManagedFetchResponse{
		Events: out.GetEvents(), LatestReplayId: out.GetLatestReplayId(), RpcId: out.GetRpcId(), PendingNumRequested: out.GetPendingNumRequested(),
	})
}

func (s *managedStream) send(out *pubsubpb.ManagedFetchResponse) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.PubSub_ManagedSubscribeServer.Send(out) //nolint:wrapcheck // a status already
}

// commit keeps how far the client has come and tells it. A commit that cannot be does not end the stream.
func (s *managedStream) commit(in *pubsubpb.CommitReplayRequest) error {
	ctx, o := s.Context(), s.pubsub.org
	answer := &pubsubpb.CommitReplayResponse{CommitRequestId: in.GetCommitRequestId(), ReplayId: in.GetReplayId(), ProcessTime: o.now().UnixMilli()}
	at, problem, err := s.committable(ctx, in.GetReplayId())
	if err == nil && problem == "" {
		err = o.execManaged(ctx, `UPDATE managed_subscription SET committed = ? WHERE id = ?`, at, s.managed.id)
	}
	if err != nil {
		return s.pubsub.internal(ctx, err)
	}
	if problem == "" {
		s.managed.committed = sql.NullInt64{Int64: at, Valid: true}
	} else {
		answer.Error = &pubsubpb.Error{Code: pubsubpb.ErrorCode_COMMIT, Msg: problem}
	}
	return s.send(&pubsubpb.ManagedFetchResponse{CommitResponse: answer, LatestReplayId: replayBytes(s.sent.Load()), RpcId: rpcID()})
}

// committable says what is wrong with a replay id to commit, "" where nothing is.
func (s *managedStream) committable(ctx context.Context, id []byte) (at int64, problem string, err error) {
	if len(id) == 0 {
		return 0, "The commit request has no Replay ID: provide one", nil
	}
	at, valid := replayNumber(id)
	if valid {
		if _, valid, err = s.pubsub.org.replayFrom(ctx, at, retention); err != nil {
			return 0, "", err
		}
	}
	switch {
	case !valid:
		return 0, corruptedReplay, nil
	case at > s.sent.Load():
		return 0, "The Replay ID is of an event that was not delivered yet: commit what was received", nil
	case s.managed.committed.Valid && at < s.managed.committed.Int64:
		return 0, "The Replay ID is older than the one that is committed", nil
	}
	return at, "", nil
}

// replayNumber reads a replay id of a client; it is not valid when it cannot be one of ours.
func replayNumber(id []byte) (n int64, valid bool) {
	if len(id) != 8 {
		return 0, false
	}
	n = int64(binary.BigEndian.Uint64(id)) //nolint:gosec // a negative one is not valid
	return n, n >= 0
}

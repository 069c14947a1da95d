package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Faults returns the switches of the org's faults. They strike the OAuth and API paths, Pub/Sub calls under their gRPC
// names (/eventbus.v1.PubSub/Subscribe), records and events, never pages or /sandbox. The HTTP form of these switches is
// described at Org.switches: POST /sandbox/api/faults and its neighbours.
func (o *Org) Faults() *kit.Faults { return o.faults }

// ClearFaults removes all rules, ends the down state and sets the clock right.
func (o *Org) ClearFaults() {
	o.faults.Clear()
	o.SetSkew(0)
}

// ExpireSessions ends all access tokens at once; refresh tokens stay good. Should the store not follow, which is logged,
// a restart brings them back.
func (o *Org) ExpireSessions(ctx context.Context) { o.ExpireSessionsOf(ctx, "") }

// ExpireSessionsOf is ExpireSessions for one user by name; "" is everybody.
func (o *Org) ExpireSessionsOf(ctx context.Context, username string) {
	if err := o.sessions.expireAll(ctx, username); err != nil {
		o.log.LogAttrs(ctx, slog.LevelError, "ending sessions", slog.String("error", err.Error()))
	}
}

// maxSkew bounds how wrong the clock can be.
const maxSkew = 24 * time.Hour

// SetSkew makes the org's clock run ahead of the real one, or behind it when d is negative: sessions expire early or late,
// JWT assertions are from the future or the past, and records carry the skewed times.
func (o *Org) SetSkew(d time.Duration) { o.skew.Store(int64(min(max(d, -maxSkew), maxSkew))) }

// Skew is how far the org's clock is ahead.
func (o *Org) Skew() time.Duration { return time.Duration(o.skew.Load()) }

// ForgetEvents drops all events kept so far, as if the retention had passed: who resumes with a replay id of before is
// told that it is invalid.
func (o *Org) ForgetEvents(ctx context.Context) error {
	return o.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM change"); err != nil {
			return fmt.Errorf("dropping the events: %w", err)
		}
		return nil
	})
}

// CutStreams ends all subscriptions of the Pub/Sub API and makes all CometD clients unknown, so that both connect anew.
func (o *Org) CutStreams() {
	o.comet.forget()
	o.cuts.ring()
}

// forget makes all clients unknown, and ends the connects that wait.
func (c *comet) forget() {
	c.mu.Lock()
	clients := c.clients
	c.clients = map[string]*cometClient{}
	c.mu.Unlock()
	for _, client := range clients {
		client.mu.Lock()
		client.takeOver(nil)
		client.mu.Unlock()
	}
}

// struckUser is who a request is signed in as or wants to sign in as, "" when that cannot be told.
func (o *Org) struckUser(r *http.Request) string {
	if s := o.sessions.find(bearer(r), false); s != nil {
		return s.name
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(strings.ToLower(r.URL.Path), "/services/oauth2/token") || r.ParseForm() != nil {
		return ""
	}
	if s := o.sessions.find(r.PostForm.Get("refresh_token"), true); s != nil {
		return s.name
	}
	return r.PostForm.Get("username")
}

// usual is what the platform says with a code.
func usual(code string) string {
	switch code {
	case "INVALID_SESSION_ID":
		return "Session expired or invalid"
	case "REQUEST_LIMIT_EXCEEDED":
		return "TotalRequests Limit exceeded."
	case "UNABLE_TO_LOCK_ROW":
		return "unable to obtain exclusive access to this record"
	case "NOT_FOUND":
		return "The requested resource does not exist"
	case "SERVER_UNAVAILABLE":
		return "Server unavailable"
	case "inactive_org":
		return "organization is locked, closed, or suspended"
	case "rate_limit_exceeded":
		return "number of login requests exceeded"
	}
	return "An unexpected error occurred"
}

// answerFault writes a fault that was asked for as the platform would: tokens are refused in OAuth's form.
func (o *Org) answerFault(w http.ResponseWriter, r *http.Request, f kit.Fault) {
	code := f.Code
	if code == "" {
		code = orElse(map[int]string{
			400: "UNABLE_TO_LOCK_ROW", 401: "INVALID_SESSION_ID", 403: "REQUEST_LIMIT_EXCEEDED", 404: "NOT_FOUND", 503: "SERVER_UNAVAILABLE",
		}[f.Status], "UNKNOWN_EXCEPTION")
	}
	if strings.HasPrefix(strings.ToLower(r.URL.Path), "/services/oauth2/token") {
		w.Header().Set("Cache-Control", "no-store")
		if f.Code == "" && f.Status < http.StatusInternalServerError {
			code = "invalid_grant"
		}
		writeJSON(w, f.Status, &oauthError{code, orElse(f.Message, usual(code))})
		return
	}
	writeFault(w, fault(f.Status, code, "%s", orElse(f.Message, usual(code))))
}

// How records of a write are addressed by FaultRecord rules.
const (
	restRecords = "/sobjects/"
	bulkRecords = "/jobs/ingest/"
)

// bulkMethod is what a row of a bulk job counts as.
func bulkMethod(operation string) string {
	switch operation {
	case "insert":
		return http.MethodPost
	case "delete", "hardDelete":
		return http.MethodDelete
	}
	return http.MethodPatch
}

// strikeRecord is the fault that strikes the write of a record, nil: none.
func (o *Org) strikeRecord(ctx context.Context, method, path string, obj *object, id, user string) error {
	f, struck := o.faults.StrikeRecord(method, path+obj.name, o.usernameOf(ctx, user))
	if !struck {
		return nil
	}
	code := orElse(f.Code, "UNABLE_TO_LOCK_ROW")
	message := f.Message
	if message == "" {
		message = usual(code)
		if code == "UNABLE_TO_LOCK_ROW" && id != "" {
			message += " or 1 records: " + id
		}
	}
	return badRequest(code, "%s", message)
}

// usernameOf looks a user's name up when it is asked for. The read pool answers: it may be asked within a transaction.
func (o *Org) usernameOf(ctx context.Context, id string) func() string {
	return func() string {
		var name string
		// A user who is not there has no name, and no rule strikes it.
		_ = o.store.read.QueryRowContext(ctx, `SELECT "Username" FROM "User" WHERE "Id" = ?`, id).Scan(&name)
		return name
	}
}

// changeTypes are the types of change events in the order of their schema.
var changeTypes = []changeKind{ //nolint:gochecknoglobals // a table
	kindCreate, kindUpdate, kindDelete, kindUndelete, gap + kindCreate, gap + kindUpdate, gap + kindDelete, "GAP_UNDELETE", "GAP_OVERFLOW", "SNAPSHOT",
}

// gap starts the type of an event that says no more than that a record changed.
const gap changeKind = "GAP_"

// strikeEvent lets faults lose an event, the kind is then empty, or blank it.
func (o *Org) strikeEvent(ctx context.Context, channel string, kind changeKind, user string, data []byte) (changeKind, []byte) {
	change := kind == kindCreate || kind == kindUpdate || kind == kindDelete || kind == kindUndelete
	if change {
		channel = "/data/" + channel
	}
	f, struck := o.faults.StrikeEvent(channel, change, o.usernameOf(ctx, user))
	switch {
	case !struck:
		return kind, data
	case f.Kind == kit.FaultEventGap:
		return gap + kind, []byte("{}")
	}
	return "", nil
}

// strikeCall lets faults strike a call of the Pub/Sub API.
func (p *PubSub) strikeCall(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	after, err := p.strike(ctx, info.FullMethod)
	if err == nil {
		err = p.refuseAPI(ctx)
	}
	if err != nil {
		return nil, err
	}
	out, failed := next(ctx, in)
	if after != nil {
		return nil, after
	}
	return out, failed
}

// strikeStream is strikeCall for streams.
func (p *PubSub) strikeStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	after, err := p.strike(stream.Context(), info.FullMethod)
	if err == nil {
		err = p.refuseAPI(stream.Context())
	}
	if err != nil {
		return err
	}
	if failed := next(server, stream); failed != nil {
		return failed
	}
	return after
}

// strike carries a fault out. after is what the client gets once the call took effect; nil: what the call answers.
func (p *PubSub) strike(ctx context.Context, method string) (after, err error) {
	o := p.org
	f, struck := o.faults.StrikeCall(method, func() string {
		if s := p.caller(ctx); s != nil {
			return s.name
		}
		return ""
	})
	broken := func() error { return refuse(ctx, codes.Unavailable, "service.unavailable", "the connection was cut") }
	switch {
	case !struck:
		return nil, nil
	case f.Kind == kit.FaultStatus:
		return nil, refuse(ctx, grpcCode(f.Status), orElse(f.Code, "service.unavailable"), "%s", orElse(f.Message, "a fault that was asked for"))
	case f.Kind == kit.FaultLatency, f.Kind == kit.FaultSlow, f.Kind == kit.FaultHang:
		if !f.Wait(ctx) || f.Kind == kit.FaultHang {
			return nil, broken()
		}
		return nil, nil
	case f.Kind == kit.FaultExpire:
		o.ExpireSessionsOf(ctx, f.User)
		return nil, nil
	case f.Kind == kit.FaultCutAfter, f.Kind == kit.FaultTruncate:
		return broken(), nil
	}
	return nil, broken()
}

// caller is the session a call names, nil: none that lives.
func (p *PubSub) caller(ctx context.Context) *session {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, token := range md.Get("accesstoken") {
		if s := p.org.sessions.find(strings.TrimPrefix(token, "Bearer "), false); s != nil {
			return s
		}
	}
	return nil
}

// refuseAPI refuses the calls of users who may not use the API.
func (p *PubSub) refuseAPI(ctx context.Context) error {
	if s := p.caller(ctx); s != nil && !p.org.usesAPI(ctx, s.user) {
		return refuse(ctx, codes.PermissionDenied, "service.permission.denied", "%s", apiDisabled().Message)
	}
	return nil
}

// grpcCode is a status of HTTP in gRPC's terms.
func grpcCode(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.Unavailable
}

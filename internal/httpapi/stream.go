package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
)

// Streams of server-sent events (WHATWG HTML §9.2). They end when the client goes, and are kept alive by comments.
const (
	pingEvery  = 15 * time.Second
	fewestGap  = 250 * time.Millisecond // between two snapshots of the live page
	deskGap    = 20 * time.Millisecond
	replaySize = 500
)

func (a *API) streams() {
	a.mux.HandleFunc("GET /api/v1/desk/events", a.deskStream)
	a.mux.HandleFunc("GET /api/v1/live/events", a.liveStream)
	a.mux.HandleFunc("GET /api/v1/events", a.eventStream)
	for _, o := range []huma.Operation{
		op("GET", "/desk/events", "streamDesk", "The desk of the signed-in agent at every change (event desk: a Desk)", "desk", 200),
		op("GET", "/live/events", "streamLive", "Living calls, queues and agents at every change (event live)", "live", 200),
		op("GET", "/events", "streamEvents", "Durable events from the one after Last-Event-ID or ?after= on", "operate", 200),
	} {
		o.Responses = map[string]*huma.Response{"200": {
			Description: "Server-sent events",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
		if o.OperationID == "streamEvents" {
			number := &huma.Schema{Type: huma.TypeInteger, Format: "int64"}
			o.Parameters = []*huma.Param{
				{Name: "Last-Event-ID", In: "header", Schema: number, Description: "the id of the last event seen"},
				{Name: "after", In: "query", Schema: number, Description: "the same, for clients that cannot set headers"},
			}
		}
		a.huma.OpenAPI().AddOperation(&o)
	}
}

// stream is one response of events.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	s := &stream{w: w, rc: http.NewResponseController(w)}
	// A server without write deadlines has none to lift.
	_ = s.rc.SetWriteDeadline(time.Time{})
	return s
}

// send writes one event; id is left out when empty.
func (s *stream) send(id, name string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	// As above.
	_ = s.rc.SetWriteDeadline(time.Now().Add(pingEvery))
	if id != "" {
		if _, err := fmt.Fprintf(s.w, "id: %s\n", id); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", name, raw); err != nil {
		return err
	}
	return s.rc.Flush()
}

// snapshots sends what look returns at once and after each signal, at most once per gap, until the client goes or its
// session ends.
func (a *API) snapshots(w http.ResponseWriter, r *http.Request, name string, gap time.Duration, topics []string, snapshot func(ctx context.Context) (any, error)) {
	ctx := r.Context()
	signals := a.Bus.Subscribe(ctx, topics...)
	s := newStream(w)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	due := true
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-signals:
			if !ok {
				return
			}
			if !due {
				due = true
				wait.Reset(gap)
			}
		case <-wait.C:
			due = false
			v, err := snapshot(ctx)
			if err == nil {
				err = s.send("", name, v)
			}
			if err != nil {
				return
			}
		case <-ping.C:
			if _, err := a.authenticate(r); err != nil || s.send("", "ping", struct{}{}) != nil {
				return
			}
		}
	}
}

func (a *API) deskStream(w http.ResponseWriter, r *http.Request) {
	agentID, err := a.agentOf(r.Context(), "desk:Get")
	if err != nil {
		writeProblem(w, err)
		return
	}
	a.snapshots(w, r, "desk", deskGap, []string{"agent." + agentID, "desks"}, func(ctx context.Context) (any, error) { return a.deskOf(ctx, agentID) })
}

func (a *API) liveStream(w http.ResponseWriter, r *http.Request) {
	if err := a.Authz.Check(r.Context(), "live:Get", "arn:aws:tandem::"+a.Tenant+":live"); err != nil {
		writeProblem(w, err)
		return
	}
	a.snapshots(w, r, "live", fewestGap, []string{"live"}, func(ctx context.Context) (any, error) { return a.live(ctx) })
}

type eventView struct {
	Seq     int64           `json:"seq"`
	Type    string          `json:"type"`
	Subject string          `json:"subject"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"`
}

// eventStream sends durable events from the one after Last-Event-ID (or ?after=) on; without either from now on.
func (a *API) eventStream(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	after, err := a.firstEvent(r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	signals := a.Bus.Subscribe(ctx, "events")
	s := newStream(w)
	if err := s.rc.Flush(); err != nil {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		list, err := a.Events.Read(ctx, a.Tenant, after, replaySize)
		if err != nil {
			return
		}
		for _, e := range list {
			if err := s.send(strconv.FormatInt(e.Seq, 10), e.Type, eventOf(e)); err != nil {
				return
			}
			after = e.Seq
		}
		if len(list) == replaySize {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-signals:
		case <-ping.C:
			if _, err := a.authenticate(r); err != nil || s.send("", "ping", struct{}{}) != nil {
				return
			}
		}
	}
}

func eventOf(e event.Event) eventView {
	return eventView{Seq: e.Seq, Type: e.Type, Subject: e.Subject, At: e.At, Data: e.Data}
}

func (a *API) firstEvent(r *http.Request) (int64, error) {
	if err := a.Authz.Check(r.Context(), "event:Read", a.arn("event", "*")); err != nil {
		return 0, err
	}
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("after")
	}
	if from == "" {
		return a.Events.Head(r.Context())
	}
	n, err := strconv.ParseInt(from, 10, 64)
	if err != nil || n < 0 {
		return 0, errs.New(errs.Invalid, "Last-Event-ID must be the id of an event that was sent")
	}
	return n, nil
}

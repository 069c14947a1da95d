package httpapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/job"
)

type auditEntry struct {
	ID        int64     `json:"id" doc:"order of insertion"`
	Seq       int64     `json:"seq" doc:"place in the sealed log; 0 while it waits"`
	At        time.Time `json:"at"`
	Principal string    `json:"principal"`
	Action    string    `json:"action"`
	Resource  string    `json:"resource"`
	Outcome   string    `json:"outcome"`
	Detail    string    `json:"detail"`
	Sealed    bool      `json:"sealed"`
}

type checkpoint struct {
	Size     int64      `json:"size"`
	RootHash string     `json:"rootHash"`
	SealedAt *time.Time `json:"sealedAt"`
	Pending  int64      `json:"pending"`
}

type verification struct {
	OK      bool   `json:"ok"`
	Size    int64  `json:"size"`
	Message string `json:"message"`
}

type jobView struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	State       string    `json:"state"`
	Attempt     int       `json:"attempt"`
	MaxAttempts int       `json:"maxAttempts"`
	RunAt       time.Time `json:"runAt"`
	CreatedAt   time.Time `json:"createdAt"`
	LastError   string    `json:"lastError"`
	OrderKey    string    `json:"orderKey"`
	RecordKey   string    `json:"recordKey" doc:"jobs with the same one write the same record, in order"`
	Stage       string    `json:"stage" enum:"sending,doubtful,done," doc:"sending and doubtful: its request may have had its effect"`
	Delivery    string    `json:"delivery" enum:"exactly_once,at_least_once," doc:"how often its effect can happen when something fails; empty when it is not known yet"`
	How         string    `json:"how" doc:"what the delivery rests on"`
}

func (a *API) operateOps() {
	add(a, op("GET", "/audit", "listAudit", "Audit entries, newest first", "operate", 200), a.listAudit)
	add(a, op("GET", "/audit/checkpoint", "getCheckpoint", "The newest sealed state of the log", "operate", 200), a.getCheckpoint)
	add(a, op("POST", "/audit/verify", "verifyAudit", "Recompute the whole log", "operate", 200), a.verifyAudit)
	add(a, op("GET", "/jobs", "listJobs", "Background jobs, newest first", "operate", 200), a.listJobs)
	add(a, op("POST", "/jobs/{id}/retry", "retryJob", "Run a waiting or failed job now", "operate", 204), a.retryJob)
	add(a, op("POST", "/jobs/{id}/cancel", "cancelJob", "End a waiting job", "operate", 204), a.cancelJob)
	add(a, op("GET", "/system", "getSystem", "What the hub says of itself", "operate", 200), a.getSystem)
	add(a, op("POST", "/system/clock/advance", "advanceClock", "Move the process clock forward, where it is controllable", "operate", 200), a.advance)
}

func (a *API) arn(kind, id string) string {
	return "arn:aws:tandem::" + a.Tenant + ":" + kind + "/" + id
}

type auditInput struct {
	Page
	Principal string    `query:"principal" maxLength:"300"`
	Action    string    `query:"action" maxLength:"100"`
	Outcome   string    `query:"outcome" maxLength:"20"`
	From      time.Time `query:"from"`
	To        time.Time `query:"to"`
}

func (a *API) listAudit(ctx context.Context, in *auditInput) (*body[list[auditEntry]], error) {
	before, err := number(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.Audit.List(ctx, audit.Filter{
		Principal: in.Principal, Action: in.Action, Outcome: in.Outcome, From: in.From, To: in.To, Before: before, Limit: in.Limit + 1,
	})
	return pageOf(found, in.Limit, auditView, func(e audit.Entry) string { return strconv.FormatInt(e.ID, 10) }), err
}

func auditView(e audit.Entry) auditEntry {
	return auditEntry{
		ID: e.ID, Seq: e.Seq, At: e.At, Principal: e.Principal, Action: e.Action, Resource: e.Resource, Outcome: e.Outcome,
		Detail: string(e.Detail), Sealed: e.Seq > 0,
	}
}

func number(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return 0, errs.New(errs.Invalid, "the cursor was not given by this list")
	}
	return n, nil
}

func (a *API) getCheckpoint(ctx context.Context, _ *none) (*body[checkpoint], error) {
	st, err := a.Audit.Status(ctx)
	return &body[checkpoint]{Body: checkpoint{Size: st.Size, RootHash: st.Root, SealedAt: when(st.SealedAt), Pending: st.Pending}}, err
}

func (a *API) verifyAudit(ctx context.Context, _ *none) (*body[verification], error) {
	res, err := a.Audit.Verify(ctx)
	return &body[verification]{Body: verification{OK: res.OK, Size: res.Size, Message: res.Message}}, err
}

type jobsInput struct {
	Page
	State string `query:"state" enum:"scheduled,available,running,retryable,completed,cancelled,discarded,"`
}

func (a *API) listJobs(ctx context.Context, in *jobsInput) (*body[list[jobView]], error) {
	if err := a.Authz.Check(ctx, "job:List", a.arn("job", "*")); err != nil {
		return nil, err
	}
	before, err := number(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.Jobs.List(ctx, a.Tenant, job.State(in.State), before, in.Limit+1)
	return pageOf(found, in.Limit, func(j job.Job) jobView {
		return jobView{
			ID: j.ID, Kind: j.Kind, State: string(j.State), Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, RunAt: j.RunAt, CreatedAt: j.CreatedAt,
			LastError: j.LastError, OrderKey: j.OrderKey, RecordKey: j.RecordKey, Stage: string(j.Progress.Stage),
			Delivery: string(j.Progress.Delivery), How: j.Progress.How,
		}
	}, func(j job.Job) string { return strconv.FormatInt(j.Seq, 10) }), err
}

func (a *API) retryJob(ctx context.Context, in *IDInput) (*none, error) {
	if err := a.Authz.Check(ctx, "job:Retry", a.arn("job", in.ID)); err != nil {
		return nil, err
	}
	return &none{}, a.Jobs.Retry(ctx, a.Tenant, in.ID, a.Clock.Now())
}

func (a *API) cancelJob(ctx context.Context, in *IDInput) (*none, error) {
	if err := a.Authz.Check(ctx, "job:Cancel", a.arn("job", in.ID)); err != nil {
		return nil, err
	}
	err := a.Jobs.Cancel(ctx, a.Tenant, in.ID, a.Clock.Now())
	if errors.Is(err, job.ErrNotWaiting) {
		err = errs.Wrap(errs.Conflict, err, "the job runs or has ended")
	}
	return &none{}, err
}

func (a *API) getSystem(ctx context.Context, _ *none) (*body[System], error) {
	if err := a.Authz.Check(ctx, "system:Get", a.arn("system", "hub")); err != nil {
		return nil, err
	}
	return &body[System]{Body: a.System(ctx)}, nil
}

type advanceInput struct {
	Body struct {
		Seconds int64 `json:"seconds" minimum:"1" maximum:"31536000"`
	}
}

func (a *API) advance(ctx context.Context, in *advanceInput) (*body[System], error) {
	if err := a.Authz.Check(ctx, "system:AdvanceClock", a.arn("system", "hub")); err != nil {
		return nil, err
	}
	if err := a.Advance(time.Duration(in.Body.Seconds) * time.Second); err != nil {
		return nil, err
	}
	return &body[System]{Body: a.System(ctx)}, nil
}

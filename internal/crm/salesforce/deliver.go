package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/job"
)

const (
	// settle is how long after it was sent a request without an answer may still take effect: the time-out of the hub's
	// requests, and as much again for the platform to notice that nobody waits.
	settle = 20 * time.Second
	// lockTries is how often a write that found its row locked is sent in one run; the platform did nothing then.
	lockTries = 4
	lockPause = 150 * time.Millisecond
)

// Write is a request that must have its effect, once where the platform allows it. It is delivered by a durable job, which
// calls Deliver until it returns an answer.
type Write struct {
	Request
	// Key is unique for the write and the same at every attempt; the mark is made of it.
	Key string
	// Progress is what Keep kept at an earlier attempt.
	Progress job.Progress
	// Keep stores progress; it is durable when Keep returns. The request does not go out when Keep fails.
	Keep func(ctx context.Context, p job.Progress) error
}

// Deliver sends a write, and before it sends one again that may have had its effect it looks whether it had. The answer of
// the org is returned as of Do, an answer that is made up for a write found done included; the progress says how the
// delivery is kept exact. An error means: not known to be done, call again later; when the chain holds job.SnoozeFor,
// nothing was tried. An Invalid one means: this can never be done. That the org does not let the hub in is none of these, as
// somebody will correct it. The caller keeps writes of one record in order by not calling for the next before this one's answer.
func (c *Client) Deliver(ctx context.Context, w Write) (*Response, job.Progress, error) {
	resp, st, err := c.deliver(ctx, w)
	if e, ok := errors.AsType[*signInError](err); ok {
		err = errs.Wrap(errs.Unavailable, err, "the write waits until the hub can sign in: %s", errs.Message(e.err))
	}
	return resp, st, err
}

func (c *Client) deliver(ctx context.Context, w Write) (*Response, job.Progress, error) {
	p := planOf(w.Request, w.Key, c.o.Marker)
	st := w.Progress
	st.Delivery, st.How = p.delivery()
	if st.Marker == "" {
		st.Marker = p.marker
	}
	if p.means == meansRead {
		resp, err := c.Do(ctx, w.Request)
		return resp, st, err
	}
	if err := c.gate.enter(Background); err != nil {
		return nil, st, errs.Wrap(errs.Exhausted, job.SnoozeFor(c.gate.pause), "%s", errs.Message(err))
	}
	if _, err := c.session(ctx, nil); err != nil { // before anything is doubtful
		return nil, st, &signInError{err}
	}
	if st.Stage == job.StageSending || st.Stage == job.StageDoubtful {
		if wait := st.ClearAt.Sub(c.o.Now()); wait > 0 {
			return nil, st, errs.Wrap(errs.Unavailable, job.SnoozeFor(wait), "the write was sent and may still take effect: it is looked for in %v", wait.Round(time.Second))
		}
		resp, err := c.resolve(ctx, &p, st)
		if err != nil {
			return nil, st, passing(err) // as long as it cannot be looked for, nothing is known
		}
		if resp != nil {
			st.Stage = job.StageDone
			return resp, st, nil
		}
	}
	return c.dispatch(ctx, w, &p, st)
}

// passing makes an error that ends a job one that lets it try again.
func passing(err error) error {
	if slices.Contains([]errs.Code{errs.Invalid, errs.Denied, errs.NotFound, errs.Conflict}, errs.CodeOf(err)) {
		return errs.Wrap(errs.Unavailable, err, "%s", errs.Message(err))
	}
	return err
}

// dispatch sends the write and says what its answer means.
func (c *Client) dispatch(ctx context.Context, w Write, p *plan, st job.Progress) (*Response, job.Progress, error) {
	doubtful := st.Stage != job.StageNone // an earlier attempt was not seen to have no effect
	now := c.o.Now()
	st.Stage, st.SentAt, st.ClearAt = job.StageSending, now, now.Add(c.o.Settle)
	if err := w.Keep(ctx, st); err != nil {
		return nil, st, err
	}
	r := w.Request
	r.Body, r.Retry = p.body, 0
	resp, err := c.sendWrite(ctx, r, p)
	if err != nil {
		// What kept the request from going out is not told apart from what cut it off: the look-up that follows is cheap. What the
		// other side did with it, such as to send it elsewhere, is not the write's fault.
		if httpx.WasSent(err) {
			err = passing(err)
		}
		return nil, st, err
	}
	switch {
	case resp.Status == http.StatusMultipleChoices:
		st.Stage = job.StageNone
		return nil, st, errors.Join(w.Keep(ctx, st), errs.New(errs.Invalid, "the external id names more than one record: make it unique in the org"))
	case resp.Status < http.StatusBadRequest && acknowledged(r, p, resp):
		st.Stage = job.StageDone
		return resp, st, nil
	case resp.Status < http.StatusInternalServerError && isPage(resp), resp.Status < http.StatusBadRequest:
		st.Stage, st.ClearAt = job.StageDoubtful, c.o.Now()
		if err := w.Keep(ctx, st); err != nil {
			return nil, st, err
		}
		return nil, st, errs.New(errs.Unavailable, "the answer is not of Salesforce: look what stands between the hub and the org, such as a proxy; the write is looked for and tried again")
	}
	return c.refused(ctx, w, p, st, resp, doubtful)
}

// acknowledged says whether an answer that is no error comes from the platform: a record that was written is answered with nothing or
// with its success.
func acknowledged(r Request, p *plan, resp *Response) bool {
	switch {
	case resp.Status >= http.StatusMultipleChoices:
		return false
	case p.object != "" && resp.Status != http.StatusNoContent:
		var made struct {
			Success bool `json:"success"`
		}
		return json.Unmarshal(resp.Body, &made) == nil && made.Success
	case strings.Contains(strings.ToLower(r.Path), "/services/apexrest"): // the org's own programs answer as they like
		return true
	}
	return !isPage(resp)
}

// isPage reports whether an answer is for people's eyes: the platform answers programs in JSON, so something else has answered.
func isPage(resp *Response) bool {
	kind, _, _ := strings.Cut(strings.ToLower(resp.Header.Get("Content-Type")), ";")
	return strings.TrimSpace(kind) == "text/html"
}

// refused says what an error answer to a write means; doubtful is true when an earlier attempt may have had its effect.
func (c *Client) refused(ctx context.Context, w Write, p *plan, st job.Progress, resp *Response, doubtful bool) (*Response, job.Progress, error) {
	e := parseError(resp)
	switch {
	case p.means == meansDelete && doubtful && resp.Status == http.StatusNotFound:
		st.Stage = job.StageDone
		return made(http.StatusNoContent, ""), st, nil
	case resp.Status >= http.StatusInternalServerError, resp.Status == http.StatusRequestTimeout:
		// The platform has ended its work, with an effect or without.
		st.Stage, st.ClearAt = job.StageDoubtful, c.o.Now()
		return resp, st, w.Keep(ctx, st)
	case resp.Status == http.StatusPreconditionFailed && doubtful:
		st.Stage, st.ClearAt = job.StageDoubtful, c.o.Now()
		if err := w.Keep(ctx, st); err != nil {
			return nil, st, err
		}
		return nil, st, errs.New(errs.Unavailable, "somebody changed the record at the same moment: it is compared again")
	}
	// The org refused: nothing happened this time; an earlier attempt was looked for before.
	st.Stage = job.StageNone
	if err := w.Keep(ctx, st); err != nil {
		return nil, st, err
	}
	switch {
	case e.Code == "REQUEST_LIMIT_EXCEEDED":
		return nil, st, errs.Wrap(errs.Exhausted, job.SnoozeFor(c.gate.pause), "the org has used up its API requests: this is tried again when some are free")
	case locked(e):
		return nil, st, errs.Wrap(errs.Unavailable, e, "another change holds the record: this is tried again")
	}
	return resp, st, nil
}

func locked(e *APIError) bool { return e.Code == "UNABLE_TO_LOCK_ROW" }

// sendWrite sends through the batcher where it can, and again at once when the row was locked.
func (c *Client) sendWrite(ctx context.Context, r Request, p *plan) (resp *Response, err error) {
	for try := 1; ; try++ {
		resp, err = c.batch.send(ctx, r, p)
		if err != nil || resp.Status < http.StatusBadRequest || !locked(parseError(resp)) || try == lockTries {
			return resp, err
		}
		wait := time.NewTimer(rand.N(lockPause << try))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return resp, nil
		}
	}
}

// made is the answer to a write that was found done.
func made(status int, body string) *Response {
	return &Response{Status: status, Header: http.Header{"X-Tandem-Found": {"true"}}, Body: []byte(body)}
}

// resolve looks whether a doubtful write took effect. It returns the answer when it did, nil when it must be sent.
func (c *Client) resolve(ctx context.Context, p *plan, st job.Progress) (*Response, error) {
	switch p.means {
	case meansMarker:
		id, err := c.marks.find(ctx, p, st)
		if err != nil || id == "" {
			return nil, err
		}
		if p.comment {
			return made(http.StatusNoContent, ""), nil
		}
		return made(http.StatusCreated, `{"id":"`+id+`","success":true,"errors":[]}`), nil
	case meansCompare:
		return c.compare(ctx, p)
	case meansNone, meansRead, meansUpsert, meansDelete:
	}
	return nil, nil //nolint:nilnil // nothing was found: it must be sent
}

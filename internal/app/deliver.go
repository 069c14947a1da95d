package app

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/voice"
)

// Deliver implements voice.Dips. Writes to Salesforce are delivered exactly once where it has means for that; other services
// get them at least once.
func (c *connectors) Deliver(ctx context.Context, tenant string, req flow.HTTP, w voice.Write) (*flow.HTTPResult, job.Progress, error) {
	if req.Connector == "" && req.ConnectorName == "" {
		return c.atLeastOnce(ctx, tenant, req, w)
	}
	if err := c.authz.Check(ctx, "crm:Call", "arn:aws:tandem::"+tenant+":connector/"+req.Connector); err != nil {
		return nil, w.Progress, err
	}
	cl, err := c.get(ctx, tenant, req.Connector, req.ConnectorName)
	if err != nil {
		return nil, w.Progress, err
	}
	if cl.org == nil {
		return c.atLeastOnce(ctx, tenant, req, w)
	}
	res, p, err := cl.org.Deliver(ctx, salesforce.Write{Request: crmRequest(req), Key: w.Key, Progress: w.Progress, Keep: w.Keep})
	if err != nil {
		return nil, p, err
	}
	return result(res.Status, res.Header, res.Body), p, nil
}

// atLeastOnce sends a request to a service of which nothing is known.
func (c *connectors) atLeastOnce(ctx context.Context, tenant string, req flow.HTTP, w voice.Write) (*flow.HTTPResult, job.Progress, error) {
	p := w.Progress
	p.Stage, p.SentAt, p.Delivery, p.How = job.StageSending, time.Now().UTC(), job.AtLeastOnce, "nothing is known of the service"
	if slices.Contains([]string{http.MethodGet, http.MethodHead, ""}, strings.ToUpper(req.Method)) {
		p.Delivery, p.How = job.ExactlyOnce, "reads only"
	} else if err := w.Keep(ctx, p); err != nil {
		return nil, p, err
	}
	res, err := c.Do(ctx, tenant, req)
	if err == nil && res.Status < http.StatusBadRequest {
		p.Stage = job.StageDone
	}
	return res, p, err
}

// RecordKey implements voice.Dips. Ids of records are unique over all orgs, so the connector is no part of it.
func (*connectors) RecordKey(req flow.HTTP) string { return salesforce.RecordKey("", crmRequest(req)) }

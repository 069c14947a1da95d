package library

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

// Limits of a test run, which somebody waits for.
const (
	tryTime  = 5 * time.Second
	trySteps = 2000 // in all
	tryLoops = 200  // of one node
	tryBurst = 500  // between two waits
	minimum  = 4    // bytes of a secret that is looked for in what a run gives
)

// Concealed stands in place of a secret in what a test run gives.
const Concealed = "••••"

// Try plays one call through a version (0: the latest) with a script in the manner of flowtest, as YAML or JSON. Nothing leaves
// the machine, and nothing is stored. The run ends after a few seconds whatever the flow does. errs.Invalid says that the
// script or the flow is wrong. Texts of secure variables are not in the result's prompts, trace and requests. With an edit, which
// needs the right to store one, the edited flow is played instead.
func (s *Service) Try(ctx context.Context, tenant, id string, version int, edit *Edit, script []byte) (*Detail, *flowtest.Result, error) {
	d, err := s.Get(ctx, tenant, id, version)
	if err == nil && edit != nil {
		err = s.edited(ctx, tenant, d, *edit)
	}
	if err != nil {
		return nil, nil, err
	}
	sc, err := flowtest.ParseScript(script)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Invalid, err, "%s", err.Error())
	}
	sc.Limits.Steps, sc.Limits.Loops = atMost(sc.Limits.Steps, trySteps), atMost(sc.Limits.Loops, tryLoops)
	f := d.Flow.Clone()
	f.Options.MaxSteps = atMost(f.Options.MaxSteps, tryBurst)
	r, err := flowtest.New(f)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Invalid, err, "the flow cannot run: %s", err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	res, err := r.RunContext(ctx, sc)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Invalid, err, "the call cannot begin: %s", err.Error())
	}
	var secrets []string
	for _, v := range f.Vars {
		if v.Secure {
			secrets = append(secrets, fmt.Sprint(v.Value), fmt.Sprint(sc.Vars[v.Name]))
		}
	}
	conceal(res, secrets)
	return d, res, nil
}

// edited puts an edit into a version that is not stored.
func (s *Service) edited(ctx context.Context, tenant string, d *Detail, e Edit) error {
	if err := s.Authz.Check(ctx, "flow:Import", ARN(tenant, d.ID)); err != nil {
		return err
	}
	f, err := apply(d.Flow, d.Format, e)
	if err != nil {
		return err
	}
	d.Flow = f
	return s.bindKnown(ctx, tenant, f)
}

func atMost(n, limit int) int {
	if n <= 0 || n > limit {
		return limit
	}
	return n
}

// conceal replaces secrets by dots in the texts that a test shows.
func conceal(res *flowtest.Result, secrets []string) {
	var pairs []string
	for _, s := range secrets {
		if len(s) >= minimum && s != "<nil>" {
			pairs = append(pairs, s, Concealed)
		}
	}
	r := strings.NewReplacer(pairs...)
	for i := range res.Trace {
		res.Trace[i].Detail = r.Replace(res.Trace[i].Detail)
	}
	for i := range res.Prompts {
		res.Prompts[i].Text = r.Replace(res.Prompts[i].Text)
	}
	for i := range res.Requests {
		q := &res.Requests[i]
		q.URL, q.Body, q.Headers = r.Replace(q.URL), r.Replace(q.Body), nil
	}
}

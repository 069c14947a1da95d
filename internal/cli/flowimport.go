package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

type flowImportCmd struct {
	File   string `arg:"" help:"The flow, in any format that is read; - for standard input."`
	URL    string `name:"url" required:"" help:"The hub, such as http://127.0.0.1:8080." placeholder:"URL"`
	Token  string `help:"An API token of the hub; TANDEM_TOKEN otherwise." placeholder:"TOKEN"`
	Name   string `help:"The flow's name in the hub; its own otherwise."`
	FlowID string `name:"flow" help:"Add a version to this flow of the hub instead of a new flow." placeholder:"ID"`
	JSON   bool   `help:"Print the hub's answer as JSON."`
}

// importAnswer is what of the hub's answer is told.
type importAnswer struct {
	Flow struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		Version int          `json:"version"`
		Report  *flow.Report `json:"report"`
	} `json:"flow"`
}

// Run stores a flow in a running hub. A file that is no flow is refused here, before it is sent.
func (c *flowImportCmd) Run(ctx context.Context, e *env) error {
	data, err := e.read(c.File, flow.MaxImportBytes)
	if err != nil {
		return err
	}
	if _, _, err := app.Formats().Import(data); err != nil {
		return errs.New(errs.Invalid, "%s is not a call flow: %s", c.File, errs.Message(err))
	}
	hub, err := newHubClient(c.URL, cmp.Or(c.Token, e.vars["TANDEM_TOKEN"]))
	if err != nil {
		return err
	}
	defer hub.close()
	if hub.token == "" {
		return errs.New(errs.Invalid, "the hub wants an API token: give --token or set TANDEM_TOKEN; ready.json has one for the sample data")
	}
	q := url.Values{}
	if c.Name != "" {
		q.Set("name", c.Name)
	}
	if c.FlowID != "" {
		q.Set("flowId", c.FlowID)
	}
	var raw json.RawMessage
	if err := hub.send(ctx, http.MethodPost, "/flows/import?"+q.Encode(), data, &raw); err != nil {
		return err
	}
	var out importAnswer
	if err := json.Unmarshal(raw, &out); err != nil || out.Flow.Report == nil {
		return errs.New(errs.Unavailable, "%s answers, but not as a hub does", c.URL)
	}
	if c.JSON {
		return e.printf("%s\n", raw)
	}
	r := out.Flow.Report
	return e.printf("%s: %s, version %d; %d nodes, %d references to bind, %d problems\n",
		out.Flow.ID, out.Flow.Name, out.Flow.Version, r.Nodes, len(r.Unresolved), len(r.Problems))
}

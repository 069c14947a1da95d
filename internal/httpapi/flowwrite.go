package httpapi

import (
	"context"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

type writeInput struct {
	IDInput
	Version int    `query:"version" minimum:"0" doc:"0: the latest"`
	Format  string `query:"format" required:"true" enum:"webex,webex-v2,connect,yaml"`
}

type flowLoss struct {
	Node  string `json:"node" doc:"the node's name; empty: the flow as a whole"`
	Field string `json:"field"`
	What  string `json:"what"`
}

type writtenFlow struct {
	File   string     `json:"file" doc:"a name for the file"`
	Text   string     `json:"text" doc:"the file"`
	Losses []flowLoss `json:"losses" doc:"what the format cannot say"`
}

// writeFlow writes a version, with all that was edited, as a file of a format. The file holds the initial values of secure
// variables, so that only those may have it who may change the flow.
func (a *API) writeFlow(ctx context.Context, in *writeInput) (*body[writtenFlow], error) {
	if err := a.Authz.Check(ctx, "flow:Import", library.ARN(a.Tenant, in.ID)); err != nil {
		return nil, err
	}
	d, err := a.Library.Get(ctx, a.Tenant, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	data, losses, err := written(in.Format, d.Flow)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the flow cannot be written as %s: %s", in.Format, err.Error())
	}
	out := writtenFlow{File: d.ID + ".json", Text: string(data), Losses: []flowLoss{}}
	if in.Format == "yaml" {
		out.File = d.ID + ".yaml"
	}
	for _, l := range losses {
		out.Losses = append(out.Losses, flowLoss(l))
	}
	return &body[writtenFlow]{Body: out}, nil
}

func written(format string, f *flow.Flow) ([]byte, []flow.Loss, error) {
	switch format {
	case "webex":
		return webex.Exporter{}.Export(f)
	case "webex-v2":
		return webex.V2Exporter{}.Export(f)
	case "connect":
		return connect.Exporter{}.Export(f)
	}
	data, err := yaml.Export(f)
	return data, nil, err
}

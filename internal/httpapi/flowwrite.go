package httpapi

import (
	"context"
	"slices"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
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

// file returns a version of which a file is to be made. The file holds the initial values of secure variables, so that where
// there are some only those may have it who may change the flow.
func (a *API) file(ctx context.Context, id string, version int) (*library.Detail, error) {
	d, err := a.Library.Get(ctx, a.Tenant, id, version)
	if err == nil && slices.ContainsFunc(d.Flow.Vars, func(v flow.Var) bool { return v.Secure }) {
		err = a.Authz.Check(ctx, "flow:Import", library.ARN(a.Tenant, id))
	}
	return d, err
}

// writeFlow writes a version, with all that was edited, as a file of a format.
func (a *API) writeFlow(ctx context.Context, in *writeInput) (*body[writtenFlow], error) {
	d, err := a.file(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	data, losses, err := a.Exporters.Export(in.Format, d.Flow)
	if err != nil {
		return nil, err
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

// Package authz is the question every module asks before it touches data: may this caller do this to that? The answer
// comes from policies; a denial is audited.
package authz

import (
	"context"

	"github.com/tandemcc/tandem/internal/errs"
)

// Attr is one key of the request context ("aws:SourceArn", "tandem:QueueId"); a key with several values is multi-valued.
type Attr struct {
	Key    string
	Values []string
}

// A returns an attribute.
func A(key string, values ...string) Attr { return Attr{Key: key, Values: values} }

// Decider decides. It is safe for concurrent use.
type Decider interface {
	// Check returns nil when the principal in ctx may perform action on resource, an errs.Denied error that names the
	// action and the resource when not, and errs.Unauthenticated without a principal. The denial is recorded.
	Check(ctx context.Context, action, resource string, attrs ...Attr) error
}

// Decision is one answer, as recorded.
type Decision struct {
	Tenant, Principal, Action, Resource string
	Attrs                               []Attr
	Allowed                             bool
}

// Recorder is told every decision. Record must not block.
type Recorder interface {
	Record(ctx context.Context, d Decision)
}

// Denied is the error of a denial.
func Denied(action, resource string) error {
	return errs.New(errs.Denied, "not allowed: %s on %s; ask an administrator for a role that grants it", action, resource)
}

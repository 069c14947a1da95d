package registry_test

import (
	"testing"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
)

const lookUp = "arn:aws:lambda:us-east-1:123456789012:function:look-up"

// TestFunctionMatch: ARNs whole and in part, versions and aliases, and names meet as AWS Lambda has them.
func TestFunctionMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, called string
		fits         bool
	}{
		{lookUp, lookUp, true},
		{lookUp, lookUp + ":live", true},
		{lookUp, lookUp + ":$LATEST", true},
		{lookUp, "look-up", true},
		{lookUp, "look-up:7", true},
		{lookUp, "123456789012:function:look-up", true},
		{lookUp, "function:look-up", true},
		{lookUp, "210987654321:function:look-up", false},
		{lookUp, "arn:aws:lambda:eu-central-1:123456789012:function:look-up", false},
		{lookUp, "arn:aws-us-gov:lambda:us-east-1:123456789012:function:look-up", true},
		{lookUp, "Look-up", false},
		{lookUp + ":live", lookUp + ":live", true},
		{lookUp + ":live", lookUp + ":test", false},
		{lookUp + ":live", lookUp, false},
		{"look-up", lookUp + ":live", true},
		{"look-up", "arn:aws:connect:us-east-1:123456789012:instance/x", false},
		{"look-up", "", false},
		{"look-up", "arn:aws:lambda:us-east-1:123456789012:layer:look-up", false},
	} {
		f := registry.Function{Refs: []string{c.have}}
		if got := f.Match("another", registry.ParseFunctionRef(c.called)) > 0; got != c.fits {
			t.Errorf("%s for %s: %v", c.have, c.called, got)
		}
	}
	alias, whole, account := registry.Function{Refs: []string{"look-up:live"}}, registry.Function{Refs: []string{"look-up"}}, registry.Function{Refs: []string{lookUp}}
	ref := registry.ParseFunctionRef(lookUp + ":live")
	if alias.Match("", ref) <= account.Match("", ref) || account.Match("", ref) <= whole.Match("", ref) {
		t.Error("what says more must come first")
	}
	if whole.Match("refund", registry.ParseFunctionRef("refund")) == 0 {
		t.Error("a function is reached by its own name")
	}
}

func TestCheckFunction(t *testing.T) {
	t.Parallel()
	f := registry.Function{Type: "http", URL: " https://example.com/x ", Refs: []string{lookUp}}
	if err := registry.CheckFunction("x", &f); err != nil || f.URL != "https://example.com/x" || f.TimeoutMS != registry.DefaultFunctionMS {
		t.Errorf("%+v %v", f, err)
	}
	for _, f := range []registry.Function{
		{Type: "lambda", URL: "https://example.com"},
		{Type: "http", URL: "ftp://example.com"},
		{Type: "http", URL: "https://user:secret@example.com"},
		{Type: "http", URL: "https://other.example.com/x", Connector: "c"},
		{Type: "http", URL: "https://example.com", TimeoutMS: 90_000},
		{Type: "http", URL: "https://example.com", Refs: []string{"not a name"}},
		{Type: "command"},
	} {
		if err := registry.CheckFunction("x", &f); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// FuzzFunctionRef: a reference either names nothing or fits itself.
func FuzzFunctionRef(f *testing.F) {
	for _, s := range []string{lookUp, lookUp + ":live", "look-up", "1:function:x:2", "arn:::::", "function:", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := registry.ParseFunctionRef(s)
		fn := registry.Function{Refs: []string{s}}
		if got := fn.Match("", r) > 0; got != (r.Name != "") {
			t.Errorf("%q: %+v, fits itself: %v", s, r, got)
		}
	})
}

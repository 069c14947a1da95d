package identity_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/policy"
)

type recorder struct {
	mu   sync.Mutex
	list []authz.Decision
}

func (r *recorder) Record(_ context.Context, d authz.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, d)
}

type nopCloser struct{ bytes.Buffer }

func (*nopCloser) Close() error { return nil }

func user(tenant, id string, roles ...string) caller.Principal {
	return caller.Principal{Tenant: tenant, Kind: caller.User, ID: id, ARN: caller.UserARN(tenant, id), Login: id, Roles: roles}
}

func newDecider(t testing.TB, files fs.FS) *identity.Decider {
	t.Helper()
	d, err := identity.NewDecider(files, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestShippedPolicies(t *testing.T) {
	d := newDecider(t, nil)
	const arn = "arn:aws:tandem::"
	for _, tenant := range []string{"main", "111122223333"} {
		a := arn + tenant + ":"
		for _, c := range []struct {
			who              caller.Principal
			action, resource string
			attrs            []authz.Attr
			want             bool
		}{
			{user(tenant, "u1", "admin"), identity.ActionCreateUser, a + "user/x", nil, true},
			{user(tenant, "u1", "admin"), "setup:CreateQueue", a + "queue/1", nil, true},
			{user(tenant, "u1", "admin"), "keyring:Rotate", "arn:aws:tandem:::key/root/", nil, true},
			{user(tenant, "u1", "admin"), "keyring:Decrypt", a + "key/secret/1", nil, false},
			{user(tenant, "u1", "admin"), "keyring:Decrypt", a + "key/job/", nil, false},
			{user(tenant, "u1", "admin"), "contact:Get", a + "contact/1", nil, true},
			{user(tenant, "u1", "admin"), "contact:Get", arn + "other:contact/1", nil, false},
			{user(tenant, "u1", "admin"), "contact:Recover", arn + "*:contact/*", nil, false},
			{user(tenant, "u1", "supervisor"), "flow:Get", a + "flow/1", nil, true},
			{user(tenant, "u1", "supervisor"), "flow:Publish", a + "flow/1", nil, false},
			{user(tenant, "u1", "supervisor"), identity.ActionCreateUser, a + "user/x", nil, false},
			{user(tenant, "u1", "agent"), "desk:Get", a + "desk/u1", nil, true},
			{user(tenant, "u1", "agent"), "desk:Get", a + "desk/u2", nil, false},
			{user(tenant, "u1", "agent"), identity.ActionChangePassword, a + "user/u1", nil, true},
			{user(tenant, "u1", "agent"), identity.ActionChangePassword, a + "user/u2", nil, false},
			{user(tenant, "u1", "agent"), "contact:ListOwn", a + "contact/*", []authz.Attr{authz.A("tandem:AgentId", "u1")}, true},
			{user(tenant, "u1", "agent"), "contact:ListOwn", a + "contact/*", []authz.Attr{authz.A("tandem:AgentId", "u2")}, false},
			{user(tenant, "u1", "agent"), "contact:ListOwn", a + "contact/*", nil, false},
			{user(tenant, "u1", "agent", "supervisor"), "flow:Get", a + "flow/1", nil, true},
			{user(tenant, "u1"), "flow:Get", a + "flow/1", nil, false},
			{user(tenant, "u1", "made-up"), "flow:Get", a + "flow/1", nil, false},
			{caller.NewService(tenant, "voice"), "contact:Create", a + "contact/1", nil, true},
			{caller.NewService(tenant, "voice"), "contact:Recover", arn + "*:contact/*", nil, true},
			{caller.NewService(tenant, "voice"), "contact:Create", arn + "other:contact/1", nil, false},
			{caller.NewService(tenant, "voice"), "contact:Purge", a + "contact/1", nil, false},
			{caller.NewService(tenant, "unheard-of"), "contact:Create", a + "contact/1", nil, false},
			{caller.NewService(tenant, "identity"), "keyring:Decrypt", a + "key/identity/u1", nil, true},
			{caller.NewService(tenant, "identity"), "keyring:Decrypt", a + "key/contact/u1", nil, false},
			{user(tenant, "u1", "admin"), "contact:Get", "arn:aws", nil, false},
			{user(tenant, "u1", "admin"), "contact:Get", "", nil, false},
		} {
			err := d.Check(caller.With(t.Context(), c.who), c.action, c.resource, c.attrs...)
			if (err == nil) != c.want || err != nil && !errs.Is(err, errs.Denied) {
				t.Errorf("%s %v %s on %s: %v, want %v", c.who.ID, c.who.Roles, c.action, c.resource, err, c.want)
			}
		}
	}
	if err := d.Check(t.Context(), "contact:Get", "x"); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("nobody: %v", err)
	}
	for _, svc := range []string{
		"voice", "flow-runner", "crm-client", "api", "routing", "desk", "speech", "sequencer", "job-runner", "retention", "seeder", "identity",
	} {
		if !slices.Contains(d.Services(), "svc/"+svc) {
			t.Errorf("svc/%s has no policy", svc)
		}
	}
}

// TestShippedPoliciesLint accepts no finding about the shipped documents but those listed with a reason.
func TestShippedPoliciesLint(t *testing.T) {
	files, err := fs.Glob(identity.Policies(), "*.json")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d policies, %v", len(files), err)
	}
	for _, name := range files {
		data, err := fs.ReadFile(identity.Policies(), name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := policy.Parse(data, policy.KindIdentity)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range policy.Lint(doc) {
			t.Errorf("%s: %+v", name, f)
		}
		sids := map[string]bool{}
		for _, st := range doc.Statements {
			if st.Sid == "" || sids[st.Sid] {
				t.Errorf("%s: every statement needs a name of its own", name)
			}
			sids[st.Sid] = true
			if slices.Contains(st.Action, "*") || slices.Contains(st.Resource, "*") {
				t.Errorf("%s %s grants everything", name, st.Sid)
			}
		}
	}
}

// TestDeciderChangedRoles gives one ARN other roles and another id: what was learnt must not answer.
func TestDeciderChangedRoles(t *testing.T) {
	d := newDecider(t, nil)
	check := func(p caller.Principal) error {
		return d.Check(caller.With(t.Context(), p), identity.ActionListUsers, "arn:aws:tandem::t:user/*")
	}
	for range 2 {
		if err := check(user("t", "ann", "admin")); err != nil {
			t.Error(err)
		}
		if err := check(user("t", "ann", "agent")); err == nil {
			t.Error("an agent has what the administrator had")
		}
	}
	p := user("t", "ann", "agent")
	p.ID = "other"
	if err := d.Check(caller.With(t.Context(), p), "desk:Get", "arn:aws:tandem::t:desk/ann"); err == nil {
		t.Error("a new person with the login of another has their desk")
	}
}

func TestDeciderContextKeys(t *testing.T) {
	files := fstest.MapFS{"role-agent.json": {Data: []byte(`{"Version":"2012-10-17","Statement":[
		{"Sid":"A","Effect":"Allow","Action":"a:Via","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"svc/one"}}},
		{"Sid":"B","Effect":"Allow","Action":"a:Last","Resource":"*","Condition":{"StringEquals":{"aws:CalledViaLast":"svc/two"}}},
		{"Sid":"C","Effect":"Allow","Action":"a:Tag","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
		{"Sid":"D","Effect":"Allow","Action":"a:Self","Resource":"arn:aws:tandem::t:x/${aws:userid}"},
		{"Sid":"E","Effect":"Allow","Action":"a:Many","Resource":"*","Condition":{"ForAllValues:StringEquals":{"tandem:k":["1","2"]},"Null":{"tandem:k":"false"}}},
		{"Sid":"F","Effect":"Allow","Action":"a:*","Resource":"arn:aws:tandem::t:open/*"},
		{"Sid":"G","Effect":"Deny","Action":"a:Stop","Resource":"*"}]}`)}}
	d := newDecider(t, files)
	p := user("t", "u1", "agent")
	p.Tags, p.Via = map[string]string{"team": "red"}, []string{"svc/one", "svc/two"}
	const x = "arn:aws:tandem::t:x/1"
	for _, c := range []struct {
		action, resource string
		attrs            []authz.Attr
		want             bool
	}{
		{"a:Via", x, nil, true},
		{"a:Last", x, nil, true},
		{"a:Tag", x, []authz.Attr{authz.A("aws:PrincipalTag/team", "blue")}, true},
		{"a:Self", "arn:aws:tandem::t:x/u1", []authz.Attr{authz.A("aws:userid", "u2")}, true},
		{"a:Self", "arn:aws:tandem::t:x/u2", []authz.Attr{authz.A("aws:userid", "u2")}, false},
		{"a:Many", x, []authz.Attr{authz.A("tandem:k", "1", "2")}, true},
		{"a:Many", x, []authz.Attr{authz.A("tandem:k", "1", "3")}, false},
		{"a:Any", "arn:aws:tandem::t:open/1", nil, true},
		{"a:Stop", "arn:aws:tandem::t:open/1", nil, false},
	} {
		if err := d.Check(caller.With(t.Context(), p), c.action, c.resource, c.attrs...); (err == nil) != c.want {
			t.Errorf("%s on %s %v: %v, want %v", c.action, c.resource, c.attrs, err, c.want)
		}
	}
	why, err := d.Explain(p, "a:Stop", "arn:aws:tandem::t:open/1")
	if err != nil || !strings.Contains(fmt.Sprintf("%+v", why), "Denied") {
		t.Errorf("got %+v, %v", why, err)
	}
}

func TestDeciderRecordsAndReplays(t *testing.T) {
	rec, out := &recorder{}, &nopCloser{}
	journal := identity.NewJournal(out)
	files := fstest.MapFS{"svc-a.json": {Data: []byte(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Read","Effect":"Allow","Action":"x:Get","Resource":"*"},
		{"Sid":"ReadToo","Effect":"Allow","Action":"y:Get","Resource":"*"},
		{"Sid":"Write","Effect":"Allow","Action":"x:Put","Resource":"*","Condition":{"StringEquals":{"tandem:k":"v"}}}]}`)}}
	d, err := identity.NewDecider(files, rec, journal)
	if err != nil {
		t.Fatal(err)
	}
	ctx := caller.With(t.Context(), caller.NewService("t", "a"))
	for range 3 {
		_ = d.Check(ctx, "x:Get", "r")
		_ = d.Check(ctx, "x:Put", "r", authz.A("tandem:k", "v"))
		_ = d.Check(ctx, "x:Put", "r")
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	if len(rec.list) != 9 || rec.list[0].Allowed != true || rec.list[2].Allowed || rec.list[2].Principal != caller.ServiceARN("t", "a") {
		t.Errorf("recorded %+v", rec.list)
	}
	text := out.String()
	if n := strings.Count(text, "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	got, err := identity.ReplayJournal(t.Context(), files, strings.NewReader(text+text))
	if err != nil || got.Decisions != 3 || len(got.Changed) != 0 || !slices.Equal(got.Unneeded, []string{"svc-a[1] ReadToo"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	stricter := fstest.MapFS{"svc-a.json": {Data: []byte(`{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":"x:Get","Resource":"*"}]}`)}}
	got, err = identity.ReplayJournal(t.Context(), stricter, strings.NewReader(text))
	if err != nil || !slices.Equal(got.Changed, []string{"allowed svc/a x:Put r"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := identity.ReplayJournal(t.Context(), files, strings.NewReader("{")); err == nil {
		t.Error("a broken journal was read")
	}
}

func TestDeciderRefusesBadPolicies(t *testing.T) {
	if _, err := identity.NewDecider(fstest.MapFS{"role-x.json": {Data: []byte(`{"Version":"2012-10-17"}`)}}, nil, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestDeciderDoesNotAllocate(t *testing.T) {
	d := newDecider(t, nil)
	ctx := caller.With(t.Context(), caller.NewService("t", "voice"))
	ann := caller.With(t.Context(), user("t", "u1", "agent"))
	attrs := []authz.Attr{authz.A("tandem:AgentId", "u1")}
	n := testing.AllocsPerRun(200, func() {
		if d.Check(ctx, "contact:Update", "arn:aws:tandem::t:contact/1") != nil ||
			d.Check(ann, "contact:ListOwn", "arn:aws:tandem::t:contact/*", attrs...) != nil {
			t.Error("denied")
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for two allowed requests", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	d := newDecider(b, nil)
	ctx := caller.With(b.Context(), caller.NewService("t", "voice"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := d.Check(ctx, "contact:Update", "arn:aws:tandem::t:contact/0190a5a5"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkCheckWithAttrs(b *testing.B) {
	d := newDecider(b, nil)
	p := user("t", "u1", "agent", "supervisor")
	p.Via = []string{"svc/desk"}
	ctx := caller.With(b.Context(), p)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Check(ctx, "contact:ListOwn", "arn:aws:tandem::t:contact/*", authz.A("tandem:AgentId", "u1")); err != nil {
			b.Error(err)
		}
	}
}

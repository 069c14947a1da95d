package archtest

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tandemcc/tandem/"

// layer tells who may import whom: a package of a layer may import what its rule lists, by path below the module. A
// trailing slash means everything below.
type rule struct {
	name   string
	match  func(pkg string) bool
	may    []string
	forbid []string // foreign packages
}

var kernel = []string{
	"internal/errs", "internal/event", "internal/job", "internal/work", "internal/lifecycle", "internal/clock",
	"internal/ids", "internal/bus", "internal/caller", "internal/authz",
}

// leaf libraries import the standard library, the kernel's errors and each other at most.
var leaves = []string{
	"internal/policy", "internal/flow/expr", "internal/flow/jsonpath", "internal/soql", "internal/audio",
}

// generated packages are what two sides of a foreign protocol share: they import nothing of ours.
var generated = []string{"internal/pubsubpb"}

var domains = []string{
	"internal/flow", "internal/flow/webex", "internal/flow/library", "internal/flow/connect", "internal/flow/yaml", "internal/flow/flowtest", "internal/routing", "internal/contact", "internal/voice",
	"internal/identity", "internal/identity/policies", "internal/keyring", "internal/audit", "internal/registry", "internal/crm",
}

// edges are the imports between domains that the design allows: what is sealed names its keys, and voice conducts.
var edges = map[string][]string{
	"internal/contact":      {"internal/keyring"},
	"internal/audit":        {"internal/keyring"},
	"internal/identity":     {"internal/keyring", "internal/audit"},
	"internal/voice":        {"internal/flow", "internal/contact", "internal/routing"},
	"internal/flow/library": {"internal/flow/flowtest"}, // a test run of a stored version
	// the telephone without hands is a client built of the same parts
	"internal/softphone": {"internal/phone", "internal/phone/media"},
}

var adapters = []string{
	"internal/sqlstore", "internal/phone", "internal/speech", "internal/speech/flite", "internal/crm/salesforce", "internal/httpapi",
	"internal/bus/inproc", "internal/console", "internal/softphone", "internal/phone/media", "internal/phone/sdp",
}

func in(list []string) func(string) bool {
	return func(pkg string) bool { return slices.Contains(list, pkg) }
}

func rules() []rule {
	noDatabase := []string{"database/sql", "net/http"}
	l1 := slices.Concat(kernel, leaves)
	l2 := slices.Concat(l1, domains, generated, []string{"internal/httpx", "internal/telemetry"})
	return []rule{
		{"kernel", in(kernel), kernel, append([]string{"github.com/"}, noDatabase...)},
		{"leaf library", in(leaves), slices.Concat(leaves, []string{"internal/errs"}), noDatabase},
		{"generated", in(generated), nil, noDatabase},
		{"domain", in(domains), l1, noDatabase},
		{"adapter", in(adapters), l2, nil},
		{"outbound HTTP", in([]string{"internal/httpx"}), slices.Concat(kernel, []string{"internal/telemetry"}), nil},
		{"telemetry", in([]string{"internal/telemetry"}), kernel, nil},
		{"sandbox", func(p string) bool { return strings.HasPrefix(p, "internal/sandbox/") }, slices.Concat(generated, []string{"internal/sandbox/", "internal/soql"}), nil},
	}
}

// own are the edges inside a family that the table would forbid: a sub-package of the same adapter or domain, and what
// a kernel package may take from outside.
func own(from, to string) bool {
	return strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") ||
		(from == "internal/ids" && to == "github.com/google/uuid")
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var list []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for dec.More() {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		pkg, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok {
			continue
		}
		for _, r := range rules() {
			if r.match(pkg) {
				check(t, r, pkg, p.Imports)
			}
		}
	}
}

func check(t *testing.T, r rule, pkg string, imports []string) {
	t.Helper()
	for _, imp := range imports {
		inner, ours := strings.CutPrefix(imp, module)
		switch {
		case own(pkg, inner) || own(pkg, imp) || slices.Contains(edges[pkg], inner):
		case ours && !permitted(r.may, inner):
			t.Errorf("%s (%s) must not import %s", pkg, r.name, inner)
		case !ours && slices.ContainsFunc(r.forbid, func(f string) bool { return imp == f || strings.HasSuffix(f, "/") && strings.HasPrefix(imp, f) }):
			t.Errorf("%s (%s) must not import %s", pkg, r.name, imp)
		}
	}
}

func permitted(may []string, pkg string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		return m == pkg || strings.HasSuffix(m, "/") && strings.HasPrefix(pkg, m)
	})
}

// TestEveryPackageHasALayer keeps the table complete.
func TestEveryPackageHasALayer(t *testing.T) {
	free := []string{"internal/app", "internal/cli", "internal/config", "internal/archtest"}
	for _, p := range packages(t) {
		pkg, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok || !strings.HasPrefix(pkg, "internal/") || slices.Contains(free, pkg) ||
			strings.HasPrefix(pkg, "internal/testkit") || strings.HasSuffix(pkg, "/storetest") {
			continue
		}
		if !slices.ContainsFunc(rules(), func(r rule) bool { return r.match(pkg) }) {
			t.Errorf("%s has no layer: name it in archtest", pkg)
		}
		if strings.Count(pkg, "/") > 2 {
			t.Errorf("%s is nested deeper than internal/a/b", pkg)
		}
	}
}

package audit

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/errs"
)

type stored []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = s[x]
	}
	return out, nil
}

// TestFrontierIsTlog grows a tree with the frontier and compares every stored hash and root with tlog's own.
func TestFrontierIsTlog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(rt, "n")
		f := &frontier{}
		var mine, theirs stored
		for i := range n {
			leaf := []byte{byte(i), byte(i >> 8)}
			want, err := tlog.StoredHashes(int64(i), leaf, theirs)
			if err != nil {
				rt.Fatal(err)
			}
			theirs = append(theirs, want...)
			mine = f.add(tlog.RecordHash(leaf), mine)
		}
		if len(mine) != len(theirs) || int64(len(mine)) != tlog.StoredHashCount(int64(n)) {
			rt.Fatalf("%d hashes, want %d", len(mine), len(theirs))
		}
		for i := range mine {
			if mine[i] != theirs[i] {
				rt.Fatalf("hash %d differs", i)
			}
		}
		root, err := tlog.TreeHash(int64(n), theirs)
		if err != nil || root != f.root() {
			rt.Fatalf("root of %d differs (%v)", n, err)
		}
		again, err := loadFrontier(int64(n), theirs)
		if err != nil || again.root() != root {
			rt.Fatalf("the loaded frontier of %d differs (%v)", n, err)
		}
	})
}

// TestLeafTellsEntriesApart moves text between neighbouring fields: the leaf must change.
func TestLeafTellsEntriesApart(t *testing.T) {
	at := time.UnixMilli(5)
	a := Entry{Seq: 1, At: at, Tenant: "t", Principal: "ab", Action: "c"}
	for _, b := range []Entry{
		{Seq: 1, At: at, Tenant: "t", Principal: "a", Action: "bc"},
		{Seq: 1, At: at, Tenant: "", Principal: "tab", Action: "c"},
		{Seq: 2, At: at, Tenant: "t", Principal: "ab", Action: "c"},
		{Seq: 1, At: at.Add(time.Millisecond), Tenant: "t", Principal: "ab", Action: "c"},
		{Seq: 1, At: at, Tenant: "t", Principal: "ab", Action: "c", Commitment: []byte{0}},
		{Seq: 1, At: at, Tenant: "t", Principal: "ab", Action: "c", Detail: []byte("x")},
	} {
		if a.hash() == b.hash() {
			t.Errorf("%+v has the leaf of %+v", b, a)
		}
	}
	a.ID = 77
	if b := a; b.hash() != (Entry{Seq: 1, At: at, Tenant: "t", Principal: "ab", Action: "c"}).hash() {
		t.Error("the id is in the leaf")
	}
}

func testVerifiers(t testing.TB) (note.Signer, note.Verifiers) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, "log.test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, note.VerifierList(verifier)
}

func TestCheckpoint(t *testing.T) {
	signer, verifiers := testVerifiers(t)
	h := tlog.RecordHash([]byte("x"))
	signed, err := note.Sign(&note.Note{Text: checkpointText("log.test", 7, h)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := ParseCheckpoint(string(signed), "log.test", verifiers)
	if err != nil || tree.N != 7 || tree.Hash != h {
		t.Errorf("got %+v, %v", tree, err)
	}
	for name, text := range map[string]string{
		"size":   strings.Replace(string(signed), "\n7\n", "\n8\n", 1),
		"empty":  "",
		"origin": strings.Replace(string(signed), "log.test\n", "log.best\n", 1),
		"long":   strings.Repeat("x", maxCheckpoint+1),
	} {
		if _, err := ParseCheckpoint(text, "log.test", verifiers); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := ParseCheckpoint(string(signed), "other.log", verifiers); !errs.Is(err, errs.Invalid) {
		t.Errorf("another log's checkpoint: %v", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(checkpointText("o", 7, tlog.RecordHash(nil)))
	f.Add("o\n07\n\n")
	f.Add("o\n9223372036854775808\nAAAA\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := parseBody(text, "o")
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("got %v", err)
			}
			return
		}
		if want := checkpointText("o", tree.N, tree.Hash); !strings.HasPrefix(text, want) {
			t.Fatalf("%q was read as %q", text, want)
		}
	})
}

func TestCountersAreBounded(t *testing.T) {
	m := map[use]int64{}
	const n = 3 * maxCounters
	for i := range n {
		addBounded(m, use{"t", "p", "a", strings.Repeat("x", i%7) + string(rune(i))}, 1)
	}
	for i := range n {
		addBounded(m, use{"t", string(rune(i)), string(rune(i)), "r"}, 1)
	}
	sum := int64(0)
	for _, v := range m {
		sum += v
	}
	if len(m) > maxCounters+3 || sum != 2*n {
		t.Errorf("%d counters hold %d of %d", len(m), sum, 2*n)
	}
}

func TestResourceType(t *testing.T) {
	for in, want := range map[string]string{
		"arn:aws:tandem::t:contact/1:2/3": "arn:aws:tandem::t:contact/",
		"arn:aws:tandem::t:contact/*":     "arn:aws:tandem::t:contact/",
		"arn:aws:tandem::t:system":        "arn:aws:tandem::t:system",
		"plain/1":                         "plain/1",
		"":                                "",
	} {
		if got := resourceType(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func BenchmarkRecordAllowed(b *testing.B) {
	r := NewRecorder(nil, nil, nil, time.Hour)
	ctx := b.Context()
	d := authz.Decision{Tenant: "t", Principal: "arn:aws:iam::t:role/svc/voice", Action: "contact:Update", Resource: "arn:aws:tandem::t:contact/1", Allowed: true}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Record(ctx, d)
		}
	})
}

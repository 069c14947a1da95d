package keyring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/keyring"
)

type hub struct {
	*keyring.Ring
	store *memory
	root  string
	now   time.Time
}

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{store: newMemory(), root: filepath.Join(t.TempDir(), "root.key"), now: time.Unix(1_790_000_000, 0)}
	h.restart(t)
	if err := h.EnsureTenant(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	return h
}

// restart gives the hub a new ring on the same store and root key file, as after a kill.
func (h *hub) restart(t testing.TB) {
	t.Helper()
	root, err := keyring.OpenRoot(h.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Ring, err = keyring.New(keyring.Config{Store: h.store, Root: root, Authz: open{}, Now: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (h *hub) seal(t testing.TB, subject, text string) []byte {
	t.Helper()
	sealed, err := h.Seal(t.Context(), "t", keyring.Contact, subject, []byte("aad"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func (h *hub) wantOpen(t testing.TB, sealed []byte, want string) {
	t.Helper()
	got, err := h.Open(t.Context(), "t", sealed, []byte("aad"))
	if err != nil || string(got) != want {
		t.Errorf("opened %q, %v; want %q", got, err, want)
	}
}

func TestSealOpenProperty(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SliceOf(rapid.Byte()).Draw(rt, "text")
		aad := rapid.SliceOf(rapid.Byte()).Draw(rt, "aad")
		subject := rapid.StringN(0, 8, 16).Draw(rt, "subject")
		sealed, err := h.Seal(ctx, "t", keyring.Contact, subject, aad, text)
		if err != nil {
			rt.Fatal(err)
		}
		if len(sealed) != len(text)+keyring.Overhead {
			rt.Fatalf("%d bytes became %d", len(text), len(sealed))
		}
		got, err := h.Open(ctx, "t", sealed, aad)
		if err != nil || !bytes.Equal(got, text) {
			rt.Fatalf("opened %x, %v", got, err)
		}
		bad := bytes.Clone(sealed)
		i := rapid.IntRange(0, len(bad)-1).Draw(rt, "byte")
		bad[i] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if _, err := h.Open(ctx, "t", bad, aad); err == nil {
			rt.Fatalf("opened with byte %d changed", i)
		}
		if _, err := h.Open(ctx, "t", sealed, append(aad, 0)); !errs.Is(err, errs.Invalid) {
			rt.Fatalf("opened with another aad: %v", err)
		}
	})
}

func TestOpenBelongsToOneTenant(t *testing.T) {
	h := newHub(t)
	sealed := h.seal(t, "c1", "x")
	if err := h.EnsureTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Open(t.Context(), "other", sealed, []byte("aad")); !errs.Is(err, errs.NotFound) {
		t.Errorf("another tenant opened it: %v", err)
	}
	h.restart(t)
	if _, err := h.Open(t.Context(), "other", sealed, []byte("aad")); !errs.Is(err, errs.NotFound) {
		t.Errorf("another tenant opened it after a restart: %v", err)
	}
	h.wantOpen(t, sealed, "x")
}

func TestMovedKeyRowIsRefused(t *testing.T) {
	h := newHub(t)
	a, b := h.seal(t, "a", "x"), h.seal(t, "b", "y")
	ida, _ := keyring.KeyID(a)
	idb, _ := keyring.KeyID(b)
	ra, rb := h.store.keys[ida], h.store.keys[idb]
	ra.Wrapped, rb.Wrapped = rb.Wrapped, ra.Wrapped
	h.store.keys[ida], h.store.keys[idb] = ra, rb
	h.restart(t)
	if _, err := h.Open(t.Context(), "t", a, []byte("aad")); !errs.Is(err, errs.Internal) {
		t.Errorf("a swapped key was used: %v", err)
	}
}

func TestNewDataKeyInAUnitOfWork(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	k, err := h.NewDataKey(ctx, "t", keyring.Contact, "c9")
	if err != nil {
		t.Fatal(err)
	}
	sealed := k.Seal([]byte("aad"), []byte("hello"))
	if err := h.store.Update(ctx, func(tx keyring.Tx) error { return tx.PutDataKey(ctx, k.Row()) }); err != nil {
		t.Fatal(err)
	}
	h.wantOpen(t, sealed, "hello")
	h.restart(t)
	h.wantOpen(t, sealed, "hello")
	if _, err := h.NewDataKey(ctx, "nobody", keyring.Contact, "c9"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a tenant without keys: %v", err)
	}
}

func TestRotation(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	old := h.seal(t, "c1", "before")
	if _, err := h.RotateData(ctx, "t", keyring.Contact, "c1"); err != nil {
		t.Fatal(err)
	}
	newer := h.seal(t, "c1", "after")
	ida, _ := keyring.KeyID(old)
	idb, _ := keyring.KeyID(newer)
	if ida == idb {
		t.Error("a rotated key still seals")
	}
	for range 3 {
		if err := errors.Join(h.RotateTenant(ctx, "t"), h.RotateRoot(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	h.now = h.now.Add(2 * time.Hour)
	h.restart(t)
	h.wantOpen(t, old, "before")
	h.wantOpen(t, newer, "after")
	if n := len(h.store.tenants); n != 1 || h.store.tenants[0].Version != 4 {
		t.Errorf("%d tenant keys are kept after two hours: %+v", n, h.store.tenants)
	}
}

// TestRotationCrash fails each update of a rotation in turn, restarts and expects everything to be readable and finished.
func TestRotationCrash(t *testing.T) {
	for _, rotate := range []struct {
		name string
		f    func(context.Context, *hub) error
	}{
		{"root", func(ctx context.Context, h *hub) error { return h.RotateRoot(ctx) }},
		{"tenant", func(ctx context.Context, h *hub) error { return h.RotateTenant(ctx, "t") }},
	} {
		for step := 1; step <= 4; step++ {
			t.Run(fmt.Sprint(rotate.name, step), func(t *testing.T) {
				h := newHub(t)
				var sealed [][]byte
				for i := range 700 { // more than one batch
					k, err := h.NewDataKey(t.Context(), "t", keyring.Contact, fmt.Sprint(i))
					if err != nil {
						t.Fatal(err)
					}
					h.store.keys[k.ID()] = k.Row()
					sealed = append(sealed, k.Seal([]byte("aad"), []byte("x")))
				}
				h.store.failAfter = step
				if err := rotate.f(t.Context(), h); err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				h.store.failAfter = 0
				h.now = h.now.Add(2 * time.Hour)
				h.restart(t)
				for _, s := range sealed {
					h.wantOpen(t, s, "x")
				}
				for _, k := range h.store.tenants {
					if k.RootID != mustRoot(t, h.root).ID() {
						t.Errorf("tenant key %d is wrapped by %s", k.Version, k.RootID)
					}
				}
				if len(h.store.tenants) != 1 {
					t.Errorf("%d tenant keys", len(h.store.tenants))
				}
			})
		}
	}
}

func mustRoot(t *testing.T, path string) *keyring.Root {
	t.Helper()
	r, err := keyring.OpenRoot(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTwoNodesRotate(t *testing.T) {
	h := newHub(t)
	sealed := h.seal(t, "c1", "x")
	other := &hub{store: h.store, root: h.root, now: h.now}
	other.restart(t)
	if err := errors.Join(h.RotateRoot(t.Context()), h.RotateTenant(t.Context(), "t"), h.RotateTenant(t.Context(), "t")); err != nil {
		t.Fatal(err)
	}
	other.wantOpen(t, sealed, "x")
	other.wantOpen(t, h.seal(t, "c2", "y"), "y")
	h.wantOpen(t, other.seal(t, "c3", "z"), "z")
}

func TestShred(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	gone, kept := h.seal(t, "c1", "x"), h.seal(t, "c2", "y")
	rolledBack := errors.New("no")
	shred := func(then error) error {
		return h.store.Update(ctx, func(tx keyring.Tx) error {
			if err := h.Shred(ctx, tx, "t", keyring.Contact, "c1"); err != nil {
				return err
			}
			// A reader that comes before the commit must not bring the key back into memory.
			h.readDuringShred(ctx, t, tx)
			return then
		})
	}
	if err := shred(rolledBack); !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	h.wantOpen(t, gone, "x")
	if err := shred(nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := h.Open(ctx, "t", gone, []byte("aad")); !errs.Is(err, errs.NotFound) || !keyring.IsShredded(err) {
			t.Errorf("opened after shredding: %v", err)
		}
		if _, err := h.Key(ctx, "t", keyring.Contact, "c1"); !keyring.IsShredded(err) {
			t.Errorf("a new key for an erased subject: %v", err)
		}
		if _, err := h.RotateData(ctx, "t", keyring.Contact, "c1"); !keyring.IsShredded(err) {
			t.Errorf("a new version for an erased subject: %v", err)
		}
		h.wantOpen(t, kept, "y")
		h.restart(t)
	}
	if len(h.store.events) != 1 || h.store.events[0].Type != "key.shredded" || h.store.events[0].Subject != "contact/c1" {
		t.Errorf("events %+v", h.store.events)
	}
}

// readDuringShred loads the key from the state before the unit of work, as a reader on a snapshot does.
func (h *hub) readDuringShred(ctx context.Context, t *testing.T, _ keyring.Tx) {
	t.Helper()
	h.store.mu.Unlock()
	defer h.store.mu.Lock()
	if _, err := h.Key(ctx, "t", keyring.Contact, "c1"); err != nil {
		t.Errorf("before the commit: %v", err)
	}
}

func TestBlindIndexes(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	blind := func(f keyring.Form) string {
		t.Helper()
		s, err := h.Blind(ctx, "t", f.Field, f.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f := keyring.Form{Field: "number", Value: "+14155550100"}
	one := blind(f)
	if one != blind(f) || one == blind(keyring.Form{Field: "other", Value: f.Value}) || strings.Contains(one, "5550100") {
		t.Errorf("index %q", one)
	}
	if v, err := h.RotateIndex(ctx, "t"); err != nil || v != 2 {
		t.Fatalf("version %d, %v", v, err)
	}
	h.restart(t)
	two := blind(f)
	found, err := h.Search(ctx, "t", f)
	if err != nil || len(found) != 2 || found[0] != two || found[1] != one || keyring.TokenVersion(two) != 2 || h.IndexVersion("t") != 2 {
		t.Errorf("search %v, %v; want %s and %s", found, err, two, one)
	}
	if err := h.RetireIndex(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if found, err = h.Search(ctx, "t", f); err != nil || len(found) != 1 || found[0] != two {
		t.Errorf("search %v, %v", found, err)
	}
	if _, err := h.Blind(ctx, "t", "f", strings.Repeat("x", 600)); !errs.Is(err, errs.Invalid) {
		t.Errorf("a long value: %v", err)
	}
}

func TestForms(t *testing.T) {
	text := func(forms []keyring.Form) string {
		var parts []string
		for _, f := range forms {
			parts = append(parts, f.Field+"="+f.Value)
		}
		return strings.Join(parts, " ")
	}
	for _, c := range []struct{ got, want string }{
		{text(keyring.NumberForms("n", "+1 (415) 555-0100")), "n=+14155550100 n#7=5550100 n#4=0100"},
		{text(keyring.NumberForms("n", "12345")), "n=12345 n#4=2345"},
		{text(keyring.NumberForms("n", "anonymous")), ""},
		{text(keyring.NameForms("w", "Müller-Lüdenscheidt, José  müller")), "w=muller w=ludenscheidt w=jose"},
		{text(keyring.NameForms("w", "Mu\u0308ller Groß Ærø Œuvre Łódź")), "w=muller w=gross w=aero w=oeuvre w=lodz"},
		{text(keyring.NameForms("w", "山田 太郎")), "w=山田 w=太郎"},
		{text(keyring.NameForms("w", strings.Repeat("a ", 3)+"b")), "w=a w=b"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if f, ok := keyring.EmailForm("e", " Ann@Example.COM "); !ok || f.Value != "ann@example.com" {
		t.Errorf("got %v", f)
	}
	if _, ok := keyring.EmailForm("e", "nobody"); ok {
		t.Error("an address without @")
	}
}

func TestSigner(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	s, err := h.Signer(ctx, "t", "tandem-audit")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "hello\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RotateSigner(ctx, "t", "tandem-audit"); err != nil {
		t.Fatal(err)
	}
	h.restart(t)
	keys, err := h.VerifierKeys(ctx, "t", "tandem-audit")
	if err != nil || len(keys) != 2 || keys[0] != s.VerifierKey() {
		t.Fatalf("keys %v, %v", keys, err)
	}
	v, err := note.NewVerifier(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		t.Errorf("an old signature: %v", err)
	}
	if _, err := h.Signer(ctx, "t", "no good+name"); !errs.Is(err, errs.Invalid) {
		t.Errorf("a bad name: %v", err)
	}
}

func TestDeniedUses(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	sealed := h.seal(t, "c1", "x")
	for action, use := range map[string]func(*keyring.Ring) error{
		keyring.ActionDecrypt: func(r *keyring.Ring) error { _, err := r.Open(ctx, "t", sealed, []byte("aad")); return err },
		keyring.ActionEncrypt: func(r *keyring.Ring) error { _, err := r.Key(ctx, "t", keyring.Contact, "c1"); return err },
		keyring.ActionNewKey:  func(r *keyring.Ring) error { _, err := r.NewDataKey(ctx, "t", keyring.Contact, "n"); return err },
		keyring.ActionIndex:   func(r *keyring.Ring) error { _, err := r.Blind(ctx, "t", "f", "v"); return err },
		keyring.ActionSign:    func(r *keyring.Ring) error { _, err := r.Signer(ctx, "t", "s"); return err },
		keyring.ActionRotate: func(r *keyring.Ring) error {
			for _, err := range []error{r.RotateRoot(ctx), r.RotateTenant(ctx, "t"), r.RetireIndex(ctx, "t")} {
				if err == nil {
					return nil
				}
			}
			_, err := r.RotateIndex(ctx, "t")
			return err
		},
		keyring.ActionShred: func(r *keyring.Ring) error {
			return h.store.Update(ctx, func(tx keyring.Tx) error { return r.Shred(ctx, tx, "t", keyring.Contact, "c1") })
		},
	} {
		r, err := keyring.New(keyring.Config{Store: h.store, Root: mustRoot(t, h.root), Authz: open{denied: action}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time the key is in memory
			if err := use(r); !errs.Is(err, errs.Denied) {
				t.Errorf("%s: got %v", action, err)
			}
		}
	}
}

func TestNothingShowsAKey(t *testing.T) {
	h := newHub(t)
	k, err := h.Key(t.Context(), "t", keyring.Contact, "c1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Signer(t.Context(), "t", "s")
	if err != nil {
		t.Fatal(err)
	}
	root := mustRoot(t, h.root)
	file, err := os.ReadFile(h.root)
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Keys []struct{ Key []byte } }
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&buf, nil))
	for _, v := range []any{k, s, root, []any{k}, struct{ K *keyring.DataKey }{k}} {
		log.Info("x", slog.Any("v", v))
		fmt.Fprintf(&buf, "%v %+v %#v %s %q %x %d\n", v, v, v, v, v, v, v)
		if j, err := json.Marshal(v); err == nil {
			buf.Write(j)
		}
	}
	out, text := buf.String(), string(f.Keys[0].Key)
	for _, form := range []string{
		fmt.Sprintf("%x", f.Keys[0].Key), strings.Trim(fmt.Sprintf("%d", f.Keys[0].Key), "[]"), text, "PRIVATE", "aead", "wrapped", "Wrapped",
	} {
		if strings.Contains(out, form) {
			t.Errorf("%q is shown in %s", form, out)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	h := newHub(t)
	ctx := t.Context()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				subject := fmt.Sprint(i % 7)
				sealed, err := h.Seal(ctx, "t", keyring.Job, subject, nil, []byte("x"))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := h.Open(ctx, "t", sealed, nil); err != nil {
					t.Error(err)
				}
				switch {
				case g == 0 && i%20 == 0:
					if err := h.RotateTenant(ctx, "t"); err != nil {
						t.Error(err)
					}
				case g == 1 && i%10 == 0:
					if _, err := h.RotateData(ctx, "t", keyring.Job, subject); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(h.store.keys); n > 7+6+1 {
		t.Errorf("%d keys were made for 7 subjects", n)
	}
}

func TestOpenReadsTheStoreOnce(t *testing.T) {
	h := newHub(t)
	sealed := h.seal(t, "c1", "x")
	h.restart(t)
	h.wantOpen(t, sealed, "x")
	before := h.store.reads
	for range 10 {
		h.wantOpen(t, sealed, "x")
	}
	if h.store.reads != before {
		t.Errorf("%d reads for a key in memory", h.store.reads-before)
	}
}

func TestStartNeedsTheRightRoot(t *testing.T) {
	h := newHub(t)
	root, err := keyring.OpenRoot(filepath.Join(t.TempDir(), "other"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := keyring.New(keyring.Config{Store: h.store, Root: root, Authz: open{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("started with another root key: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	h := newHub(f)
	sealed := h.seal(f, "c1", "hello")
	f.Add(sealed)
	f.Add(sealed[:20])
	f.Add([]byte{})
	f.Add(append([]byte{2}, sealed[1:]...))
	ctx := f.Context()
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := h.Open(ctx, "t", data, []byte("aad"))
		if err == nil && !bytes.Equal(data, sealed) {
			t.Fatalf("opened a forgery: %q", got)
		}
		if err != nil && !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.NotFound) {
			t.Fatalf("got %v", err)
		}
	})
}

func BenchmarkSeal1K(b *testing.B) {
	h := newHub(b)
	k, err := h.Key(b.Context(), "t", keyring.Contact, "c1")
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 1024)
	aad := []byte("contact/c1/notes")
	b.SetBytes(1024)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k.Seal(aad, text)
		}
	})
}

func BenchmarkOpen1K(b *testing.B) {
	h := newHub(b)
	ctx := b.Context()
	sealed := h.seal(b, "c1", strings.Repeat("x", 1024))
	b.SetBytes(1024)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.Open(ctx, "t", sealed, []byte("aad")); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkBlind(b *testing.B) {
	h := newHub(b)
	ctx := b.Context()
	for b.Loop() {
		if _, err := h.Blind(ctx, "t", "number", "+14155550100"); err != nil {
			b.Fatal(err)
		}
	}
}

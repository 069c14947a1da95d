package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestRootFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids { // whoever is first, all use the same key
		wg.Go(func() {
			r, err := OpenRoot(path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = r.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("root keys %v", ids)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("temporary files are left: %v", entries)
	}
	if _, err := OpenRoot(path, []byte("secret")); !errs.Is(err, errs.Invalid) {
		t.Errorf("a passphrase for a plain file: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRoot(path, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("a readable root key: %v", err)
	}
}

func TestRootPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	r, err := OpenRoot(path, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.addKey(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range r.keys {
		if bytes.Contains(data, []byte(encodeToken(k.key[:]))) {
			t.Error("the file holds the key in clear")
		}
	}
	again, err := OpenRoot(path, []byte("correct horse"))
	if err != nil || again.ID() != r.ID() || again.keys[0].key != r.keys[0].key {
		t.Fatalf("got %v, %v", again, err)
	}
	if _, err := OpenRoot(path, []byte("wrong")); !errs.Is(err, errs.Denied) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := OpenRoot(path, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("no passphrase: %v", err)
	}
}

func FuzzParseRoot(f *testing.F) {
	r := &Root{salt: make([]byte, 16)}
	k, err := newRootKey()
	if err != nil {
		f.Fatal(err)
	}
	r.keys = []rootKey{k}
	data, err := r.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"tandem-root-key","version":1,"keys":[{"id":"x","key":"AA=="}]}`))
	f.Add([]byte(`{"format":"tandem-root-key","version":1,"kdf":{"memoryKiB":4294967295},"keys":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, _, err := parseRoot(data, nil)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
	})
}

func TestCacheBounds(t *testing.T) {
	c := newCache(64, time.Hour, func(id uuid.UUID) uint32 { return uint32(id[15]) })
	for range 1000 {
		c.put(uuid.New(), &DataKey{loaded: time.Now()})
	}
	if n := c.len(); n > 64 {
		t.Errorf("%d keys in a cache of 64", n)
	}
	id := uuid.New()
	c.drop(id)
	c.put(id, &DataKey{loaded: time.Now()})
	if c.get(id) != nil {
		t.Error("a shredded key came back")
	}
	for range maxDoomed * 40 {
		c.drop(uuid.New())
	}
	for i := range c.shards {
		if n := len(c.shards[i].doomed); n > maxDoomed {
			t.Errorf("%d doomed keys in a shard", n)
		}
	}
	old := uuid.New()
	c.put(old, &DataKey{loaded: time.Now().Add(-2 * time.Hour)})
	if c.get(old) != nil {
		t.Error("an old key is still used")
	}
}

package salesforce

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// digest is a hash of all records but those of definitions, by entity.
func (o *testOrg) digest() map[string]string {
	o.t.Helper()
	out := map[string]string{}
	for _, obj := range o.schema.objects {
		if obj.event {
			continue
		}
		var cols []string
		for _, c := range storedColumns(obj) {
			// Who grants what is written when the org starts, at the org's own time.
			if !obj.grants() || !strings.Contains(c.name, "Date") && !strings.Contains(c.name, "Modstamp") {
				cols = append(cols, c.name)
			}
		}
		rows, err := o.store.read.QueryContext(o.t.Context(), "SELECT "+strings.Join(cols, ", ")+" FROM "+obj.table()+` ORDER BY "Id"`)
		if err != nil {
			o.t.Fatal(err)
		}
		list, err := scanAll(rows, len(cols))
		if err != nil {
			o.t.Fatal(err)
		}
		h := sha256.New()
		for _, row := range list {
			_, _ = fmt.Fprintln(h, row...)
		}
		out[obj.name] = hex.EncodeToString(h.Sum(nil))
	}
	return out
}

// TestSeeds makes each seed twice and compares every value of every record, and holds what the documentation says they have.
func TestSeeds(t *testing.T) {
	t.Parallel()
	for seed, times := range map[string]int{SeedNone: 0, SeedSmall: 1, SeedMedium: 10} {
		if seed == SeedMedium && testing.Short() {
			continue
		}
		o := start(t, Options{Seed: seed})
		for entity, n := range map[string]int{"Account": seedAccounts, "Contact": seedContacts, "Case": seedCases} {
			if got := o.rowsOf("SELECT COUNT() FROM " + entity); got != n*times {
				t.Errorf("%s has %d of %s instead of %d", seed, got, entity, n*times)
			}
		}
		other := start(t, Options{Seed: seed}).digest()
		for name, sum := range o.digest() {
			if other[name] != sum {
				t.Errorf("%s: the %s of two orgs differ", seed, name)
			}
		}
	}
	if _, err := New(Options{Seed: "huge"}); err == nil || !strings.Contains(err.Error(), "small, medium or 1m") {
		t.Errorf("an unknown seed: %v", err)
	}
}

// TestDirectoryInUse keeps a second org from the directory of the first, until that has ended.
func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, Options{Seed: SeedNone, Dir: dir})
	if _, err := New(Options{Dir: dir}); !errors.Is(err, errInUse) {
		t.Errorf("a second org: %v", err)
	}
	if status, _ := first.soql("SELECT Id FROM User"); status != 200 {
		t.Errorf("the first one answers %d", status)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

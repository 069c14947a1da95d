package salesforce

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
)

const upgradeContacts = 10

// olderFile makes an org of a few contacts and takes the index of numbers out, as in a file of before there was one.
func olderFile(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	org, err := New(Options{Seed: SeedNone, Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	o := &testOrg{Org: org, t: t}
	server := o.serve()
	for i := range upgradeContacts {
		o.create("Contact", fmt.Sprintf(`{"LastName":"C%d","Phone":"(415) 555-01%02d","MobilePhone":"+1 212 555 01%02d ext. %d"}`, i, i, i, 300+i))
	}
	o.create("Account", `{"Name":"A","Phone":"020 7946 0123"}`)
	for _, text := range []string{"DROP TABLE phone", "DELETE FROM meta WHERE key IN ('phones', 'schema')"} {
		if _, err := org.store.write.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if err := org.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// upgraded opens a file and returns its index of numbers, having asked for each contact by both of its numbers.
func upgraded(t *testing.T, dir string, up upgrade) []string {
	t.Helper()
	org, err := New(Options{Dir: dir, Now: fixedNow, upgrade: up})
	if err != nil {
		t.Fatal(err)
	}
	o := &testOrg{Org: org, t: t}
	server := o.serve()
	defer func() {
		server.Close()
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i := range upgradeContacts {
		for _, digits := range []string{fmt.Sprintf("41555501%02d", i), fmt.Sprintf("21255501%02d", i)} {
			_, body := o.api("GET", "/search?q=FIND+%7B"+digits+"%7D+IN+PHONE+FIELDS+RETURNING+Contact(LastName)", "")
			if got, want := strip(t, body), fmt.Sprintf(`{"searchRecords":[{"LastName":"C%d"}]}`, i); got != want {
				t.Errorf("%s: %s instead of %s", digits, got, want)
			}
		}
		_, body := o.soql(fmt.Sprintf("SELECT LastName FROM Contact WHERE MobilePhone LIKE '%%212%%%d'", 300+i))
		if got, want := strip(t, body), fmt.Sprintf(`{"totalSize":1,"done":true,"records":[{"LastName":"C%d"}]}`, i); got != want {
			t.Errorf("by extension: %s instead of %s", got, want)
		}
	}
	rows, err := org.store.read.QueryContext(t.Context(), "SELECT entity, reversed, id FROM phone ORDER BY 1, 2, 3")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := scanAll(rows, 3)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range raw {
		out = append(out, fmt.Sprint(row))
	}
	return out
}

// TestUpgradePages fills the index of numbers of an older file in pages of three, to the same end as in one, and not again.
func TestUpgradePages(t *testing.T) {
	t.Parallel()
	pages := 0
	dir := olderFile(t)
	got := upgraded(t, dir, upgrade{page: 3, indexed: func() { pages++ }})
	// Of contacts 3, 3, 3 and 1; of each other entity with numbers a single one.
	if pages < 5 {
		t.Errorf("the index was filled in %d pages", pages)
	}
	if want := upgraded(t, olderFile(t), upgrade{}); !slices.Equal(got, want) {
		t.Errorf("in pages %v, at once %v", got, want)
	}
	again := upgraded(t, dir, upgrade{indexed: func() { t.Error("a file that is up to date is indexed again") }})
	if !slices.Equal(got, again) {
		t.Errorf("at first %v, then %v", got, again)
	}
}

const dirOfKilledUpgrade = "SANDBOX_UPGRADE_DIR"

// TestUpgradeKilled ends the process after each page in turn: what comes next goes on from there.
func TestUpgradeKilled(t *testing.T) {
	if dir := os.Getenv(dirOfKilledUpgrade); dir != "" {
		_, err := New(Options{Dir: dir, Now: fixedNow, upgrade: upgrade{page: 3, indexed: func() {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill() // which is the end of it
			}
			select {}
		}}})
		t.Fatalf("the upgrade went through: %v", err)
	}
	t.Parallel()
	dir := olderFile(t)
	want := upgraded(t, olderFile(t), upgrade{})
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpgradeKilled$")
		cmd.Env = append(os.Environ(), dirOfKilledUpgrade+"="+dir)
		if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() == 1 {
			t.Fatalf("the process was not killed: %v %s", err, out)
		}
	}
	pages := 0
	if got := upgraded(t, dir, upgrade{page: 3, indexed: func() { pages++ }}); !slices.Equal(got, want) {
		t.Errorf("after being killed %v, otherwise %v", got, want)
	}
	whole := 0
	upgraded(t, olderFile(t), upgrade{page: 3, indexed: func() { whole++ }})
	if pages != whole-3 {
		t.Errorf("%d pages were left after three of %d", pages, whole)
	}
}

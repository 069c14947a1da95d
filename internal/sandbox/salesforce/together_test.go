package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestBulkSeesItsOwnRows loads rows that depend on rows just before them, which may not have reached their table yet.
func TestBulkSeesItsOwnRows(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("PushTopic", `{"Name":"Hot","Query":"SELECT Id, Name FROM Account WHERE Rating = 'Hot'","ApiVersion":60.0}`)
	var data strings.Builder
	data.WriteString("Ext__c,Name,Rating,Phone,Parent.Ext__c\n")
	const n = 3*maxTogether + 5
	for i := range n {
		parent := ""
		if i > 0 {
			parent = fmt.Sprintf("k%d", i-1) // of the row before
		}
		fmt.Fprintf(&data, "k%d,Account %d,Hot,+1 415 555 %04d,%s\n", i, i, i, parent)
	}
	data.WriteString("k3,Doubled,Cold,,\n")
	j := o.load(`{"object":"Account","operation":"insert"}`, data.String())
	if j.State != "JobComplete" || j.Processed != n+1 || j.Failed != 1 {
		t.Fatalf("%+v", j)
	}
	for query, want := range map[string]int{
		"SELECT COUNT() FROM Account": n, "SELECT COUNT() FROM Account WHERE Parent.Rating = 'Hot'": n - 1, "SELECT COUNT() FROM Account WHERE Name LIKE 'account%'": n,
	} {
		if _, out := o.soql(query); !strings.Contains(out, fmt.Sprintf(`"totalSize":%d`, want)) {
			t.Errorf("%s: %s", query, out)
		}
	}
	if _, out := o.api(http.MethodGet, "/search?q=FIND+%7B4155550121%7D+IN+PHONE+FIELDS+RETURNING+Account(Name)", ""); !strings.Contains(out, "Account 121") {
		t.Errorf("by number: %s", out)
	}
	changes, err := o.changesAfter(t.Context(), "AccountChangeEvent", 0, 2*n, deliverBytes)
	if err != nil || len(changes) != n {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	for i, c := range changes {
		if !strings.Contains(string(c.data), fmt.Sprintf(`"Account %d"`, i)) || c.n%2 == 0 {
			t.Fatalf("change %d is number %d of its transaction: %s", i, c.n, c.data)
		}
	}
	if topic, err := o.changesAfter(t.Context(), "/topic/Hot", 0, 2*n, deliverBytes); err != nil || len(topic) != n {
		t.Errorf("%d events of the topic, %v", len(topic), err)
	}
}

func TestTogetherReportsWhatFails(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	double := newInsertion("meta", []string{"key", "value"}, "")
	err := o.store.update(t.Context(), func(tx *sql.Tx) error {
		o.store.together()
		for range maxTogether {
			if err := o.store.add(t.Context(), tx, double, "same", "x"); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "UNIQUE") {
		t.Errorf("rows of one key: %v", err)
	}
	boom := errors.New("boom")
	err = o.store.update(t.Context(), func(tx *sql.Tx) error {
		o.store.together()
		return errors.Join(o.store.add(t.Context(), tx, double, "other", "x"), boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("a transaction that was given up: %v", err)
	}
	if _, err := o.store.meta(context.Background(), "other"); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a row of a transaction that was given up: %v", err)
	}
}

package salesforce

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// logged is a change event as a client of the Pub/Sub API reads it by its schema.
type logged struct {
	kind, origin, key, user string
	ids                     []string
	sequence                int32
	commit, at              int64
	changed, nulled, differ []string
	values                  map[string]any // unions unwrapped, those without a value left out
}

// changeLog decodes all change events of a topic, by the schema they name and with another implementation of Avro.
func (o *testOrg) changeLog(topic string) []logged {
	o.t.Helper()
	list, err := o.changesAfter(o.t.Context(), topic, 0, 1000, deliverBytes)
	if err != nil {
		o.t.Fatal(err)
	}
	var out []logged
	for _, c := range list {
		s, r, err := o.visible(o.t.Context(), c, o.viewOf(o.t.Context(), o.admin), topic)
		if err != nil {
			o.t.Fatal(err)
		}
		if s == nil {
			continue // it is not for the topic
		}
		codec, err := goavro.NewCodec(s.text)
		if err != nil {
			o.t.Fatal(err)
		}
		native, rest, err := codec.NativeFromBinary(s.avro(c, r))
		if err != nil || len(rest) > 0 {
			o.t.Fatalf("event %d is not of its schema: %v, %d bytes left", c.seq, err, len(rest))
		}
		out = append(out, readLogged(native))
	}
	return out
}

func readLogged(native any) logged {
	all, _ := unwrap(native).(map[string]any)
	h, _ := all["ChangeEventHeader"].(map[string]any)
	delete(all, "ChangeEventHeader")
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	var l logged
	l.kind, _ = h["changeType"].(string)
	l.origin, _ = h["changeOrigin"].(string)
	l.key, _ = h["transactionKey"].(string)
	l.user, _ = h["commitUser"].(string)
	l.sequence, _ = h["sequenceNumber"].(int32)
	l.commit, _ = h["commitNumber"].(int64)
	l.at, _ = h["commitTimestamp"].(int64)
	l.ids, l.changed, l.nulled = stringsOf(h["recordIds"]), stringsOf(h["changedFields"]), stringsOf(h["nulledFields"])
	l.differ = stringsOf(h["diffFields"])
	l.values = all
	return l
}

func stringsOf(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

// unwrap takes the branches of unions away.
func unwrap(v any) any {
	m, isMap := v.(map[string]any)
	if !isMap {
		return v
	}
	if len(m) == 1 {
		for name, inner := range m {
			if slices.Contains([]string{"string", "int", "long", "double", "boolean"}, name) || strings.HasPrefix(name, "com.sforce.") {
				return unwrap(inner)
			}
		}
	}
	for name, inner := range m {
		m[name] = unwrap(inner)
	}
	return m
}

func TestChangesSayWhichAPIMadeThem(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme"}`)
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Name":"Acme 2"}`, "Sforce-Call-Options", "defaultNamespace=x, client=tandem/1.0")
	o.version = "v58.0"
	o.api(http.MethodPost, "/composite", `{"compositeRequest":[{"method":"PATCH","url":"/services/data/v58.0/sobjects/Account/`+id+`","referenceId":"a","body":{"Name":"Acme 3"}}]}`,
		"Sforce-Call-Options", "client=other")
	o.version = ""
	if j := o.load(`{"object":"Account","operation":"update"}`, "Id,Name\n"+id+",Acme 4\n"); j.Failed != 0 {
		t.Fatalf("%+v", j)
	}
	var got []string
	for _, l := range o.changeLog("/data/AccountChangeEvent") {
		got = append(got, l.origin)
	}
	want := []string{
		"com/salesforce/api/rest/60.0", "com/salesforce/api/rest/60.0;client=tandem/1.0", "com/salesforce/api/rest/58.0;client=other", "com/salesforce/api/bulkapi/60.0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestChangesOfATransactionBelongTogether(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	status, out := o.api(http.MethodPost, "/composite", `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"/services/data/v60.0/sobjects/Account","referenceId":"a","body":{"Name":"Acme"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/Contact","referenceId":"c","body":{"LastName":"Silva","AccountId":"@{a.id}"}}]}`)
	if status != http.StatusOK || strings.Contains(out, "errorCode") {
		t.Fatalf("%d %s", status, out)
	}
	o.create("Account", `{"Name":"Another"}`)
	got := o.changeLog("/data/ChangeEvents")
	if len(got) != 3 {
		t.Fatalf("%d events", len(got))
	}
	a, c, other := got[0], got[1], got[2]
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	switch {
	case !uuid.MatchString(a.key) || a.key != c.key || a.key == other.key:
		t.Errorf("keys %s, %s, %s", a.key, c.key, other.key)
	case a.commit != c.commit || other.commit <= a.commit:
		t.Errorf("commit numbers %d, %d, %d", a.commit, c.commit, other.commit)
	case a.sequence != 1 || c.sequence != 2 || other.sequence != 1:
		t.Errorf("sequence numbers %d, %d, %d", a.sequence, c.sequence, other.sequence)
	case a.at != c.at || a.at != fixedNow().UnixMilli():
		t.Errorf("timestamps %d, %d", a.at, c.at)
	case a.user != o.admin:
		t.Errorf("user %s", a.user)
	}
	if status, out := o.api(http.MethodPost, "/composite", `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"/services/data/v60.0/sobjects/Account","referenceId":"a","body":{"Name":"Undone"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/Contact","referenceId":"c","body":{}}]}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, out)
	}
	if got := o.changeLog("/data/ChangeEvents"); len(got) != 3 {
		t.Errorf("what was undone is told of: %v", got[3:])
	}
}

// TestSameChangesAreOneEvent follows the guide's "Merged Change Events": the same change of several records in one
// transaction is one event, unless it made them.
func TestSameChangesAreOneEvent(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	var ids []string
	for range 4 {
		ids = append(ids, o.create("Account", `{"Name":"Same"}`))
	}
	change := func(fields ...string) string {
		var list []string
		for i, f := range fields {
			list = append(list, fmt.Sprintf(`{"attributes":{"type":"Account"},"id":%q,%s}`, ids[i], f))
		}
		status, out := o.api(http.MethodPatch, "/composite/sobjects", `{"allOrNone":false,"records":[`+strings.Join(list, ",")+`]}`)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, out)
		}
		return out
	}
	change(`"Rating":"Hot"`, `"Rating":"Hot"`, `"Rating":"Cold"`, `"Rating":"Hot"`)
	if out := change(`"OwnerId":"`+ids[0]+`"`, `"Name":""`, `"Rating":"Warm"`); !strings.Contains(out, "REQUIRED_FIELD_MISSING") {
		t.Fatalf("nothing failed: %s", out)
	}
	change(`"Fax":"1"`, `"Name":""`, `"Fax":"1"`) // the failure between them does not part them
	o.api(http.MethodDelete, "/composite/sobjects?ids="+strings.Join(ids, ","), "")
	var got []string
	for _, l := range o.changeLog("/data/AccountChangeEvent")[4:] {
		for i, id := range l.ids {
			l.ids[i] = fmt.Sprint(slices.Index(ids, id))
		}
		got = append(got, fmt.Sprintf("%d %s %v", l.sequence, l.kind, l.ids))
	}
	want := []string{"1 UPDATE [0 1]", "2 UPDATE [2]", "3 UPDATE [3]", "1 UPDATE [2]", "1 UPDATE [0 2]", "1 DELETE [0 1 2 3]"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMergedEventsAreBounded(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const n = 2*maxMerged + 3
	var made, gone strings.Builder
	made.WriteString("Name\n")
	for i := range n {
		fmt.Fprintf(&made, "Account %d\n", i)
	}
	o.load(`{"object":"Account","operation":"insert"}`, made.String())
	_, body := o.soql("SELECT Id FROM Account")
	gone.WriteString("Id\n")
	for part := range strings.SplitSeq(body, `"Id":"`) {
		if strings.HasPrefix(part, "001") {
			gone.WriteString(part[:18] + "\n")
		}
	}
	if j := o.load(`{"object":"Account","operation":"delete"}`, gone.String()); j.Processed != n || j.Failed != 0 {
		t.Fatalf("%+v", j)
	}
	total, seen := 0, map[string]bool{}
	for _, l := range o.changeLog("/data/AccountChangeEvent")[n:] {
		total += len(l.ids)
		for _, id := range l.ids {
			seen[id] = true
		}
		if l.kind != "DELETE" || len(l.ids) > maxMerged {
			t.Errorf("%s of %d", l.kind, len(l.ids))
		}
	}
	if total != n || len(seen) != n {
		t.Errorf("%d deletions of %d records", total, len(seen))
	}
}

// TestChangesCarryTheirTypes reads each type back by its schema, compounds among them.
func TestChangesCarryTheirTypes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Kind__c", Fields: []CustomField{
		{Name: "Day__c", Type: "date"},
		{Name: "Moment__c", Type: "datetime"},
		{Name: "Whole__c", Type: "int"},
		{Name: "Part__c", Type: "double"},
		{Name: "Money__c", Type: "currency"},
		{Name: "Yes__c", Type: "boolean"},
		{Name: "Text__c", Type: "string"},
		{Name: "Account__c", Type: "reference", References: []string{"Account"}},
	}}}})
	account := o.create("Account", `{"Name":"Acme","BillingCity":"Porto","ShippingCountry":"Portugal"}`)
	id := o.create("Kind__c", `{"Name":"n","Day__c":"2026-11-18","Moment__c":"2026-11-18T10:00:00.000Z","Whole__c":-7,"Part__c":2,"Money__c":1.5,"Yes__c":true,"Text__c":"ção","Account__c":"`+account+`"}`)
	got := o.changeLog("/data/Kind__ChangeEvent")[0]
	for name, want := range map[string]any{
		"Day__c": time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC).UnixMilli(), "Moment__c": time.Date(2026, 11, 18, 10, 0, 0, 0, time.UTC).UnixMilli(),
		"Whole__c": int32(-7), "Part__c": 2.0, "Money__c": 1.5, "Yes__c": true, "Text__c": "ção", "Account__c": account, "CreatedDate": fixedNow().UnixMilli(),
	} {
		if got.values[name] != want {
			t.Errorf("%s is %T %v instead of %v", name, got.values[name], got.values[name], want)
		}
	}
	if got.kind != "CREATE" || len(got.changed) != 0 || len(got.nulled) != 0 {
		t.Errorf("%+v", got)
	}
	o.api(http.MethodPatch, "/sobjects/Kind__c/"+id, `{"Part__c":null,"Yes__c":false}`)
	o.api(http.MethodPatch, "/sobjects/Account/"+account, `{"BillingCity":null,"BillingStreet":"1 Main St","Name":"New"}`)
	changed := o.changeLog("/data/Kind__ChangeEvent")[1]
	s := o.events.byChannel["/data/Kind__ChangeEvent"]
	if names := bitmapNames(t, s, changed.changed); names != "LastModifiedDate,Part__c,Yes__c" {
		t.Errorf("changed: %s", names)
	}
	if names := bitmapNames(t, s, changed.nulled); names != "Part__c" || changed.values["Yes__c"] != false || changed.values["Text__c"] != nil {
		t.Errorf("nulled: %s, %v", names, changed.values)
	}
	accounts := o.changeLog("/data/AccountChangeEvent")
	s = o.events.byChannel["/data/AccountChangeEvent"]
	if names := bitmapNames(t, s, accounts[1].changed); names != "BillingAddress.City,BillingAddress.Street,LastModifiedDate,Name" {
		t.Errorf("changed of the account: %s", names)
	}
	if names := bitmapNames(t, s, accounts[1].nulled); names != "BillingAddress.City" {
		t.Errorf("nulled of the account: %s", names)
	}
	raw, err := json.Marshal(accounts[0].values)
	if err != nil || !strings.Contains(string(raw), `"City":"Porto"`) || !strings.Contains(string(raw), `"Country":"Portugal"`) {
		t.Errorf("%s %v", raw, err)
	}
}

// bitmapNames resolves the bitmaps of a header the way the platform's samples do: the first is of the fields of the
// schema, the lowest bit for the first; n-0x.. is of the fields within the n-th.
func bitmapNames(t *testing.T, s *eventSchema, list []string) string {
	t.Helper()
	var schema struct {
		Fields []struct {
			Name string          `json:"name"`
			Type json.RawMessage `json:"type"`
		} `json:"fields"`
	}
	if err := json.Unmarshal([]byte(s.text), &schema); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, item := range list {
		at, bits := -1, item
		if before, after, nested := strings.Cut(item, "-"); nested {
			if _, err := fmt.Sscan(before, &at); err != nil {
				t.Fatal(err)
			}
			bits = after
		}
		var n uint64
		if _, err := fmt.Sscanf(bits, "0x%X", &n); err != nil || len(bits)%2 != 0 {
			t.Fatalf("%s: %v", item, err)
		}
		for bit := range 64 {
			switch {
			case n>>bit&1 == 0:
			case at < 0:
				out = append(out, schema.Fields[bit].Name)
			default:
				f := s.fields[at-1]
				if schema.Fields[at].Name != f.name {
					t.Fatalf("%s is no compound", schema.Fields[at].Name)
				}
				out = append(out, f.name+"."+f.sub[bit].name)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// TestOlderLogsCanBeRead opens a file whose log does not know origins and numbers of transactions yet.
func TestOlderLogsCanBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, err := New(Options{Seed: SeedNone, Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	err = old.store.update(t.Context(), func(tx *sql.Tx) error {
		_, err := old.create(t.Context(), tx, old.admin, old.schema.object("Account"), record{"Name": "Old"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = old.store.update(t.Context(), func(tx *sql.Tx) error {
		for _, text := range []string{
			`ALTER TABLE change DROP COLUMN commit_no`, `ALTER TABLE change DROP COLUMN origin`, `DROP TABLE event_schema`, `DROP TABLE event_channel`,
			`DELETE FROM meta WHERE key = 'schema'`,
		} {
			if _, err := tx.ExecContext(t.Context(), text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	o.create("Account", `{"Name":"New"}`)
	got := o.changeLog("/data/AccountChangeEvent")
	if len(got) != 2 || got[0].values["Name"] != "Old" || got[0].commit != 1 || got[1].commit != 2 || got[1].origin == "" {
		t.Errorf("%+v", got)
	}
}

// TestSchemasStayKnown adds a field between two runs: the schema has another id, the old one can still be had, and events
// of before are told of in the new one.
func TestSchemasStayKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, Options{Seed: SeedNone, Dir: dir})
	first.create("Account", `{"Name":"Old"}`)
	before, same := first.events.byChannel["/data/AccountChangeEvent"].id, first.events.byChannel["/data/ContactChangeEvent"].id
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "custom"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "custom", "more.yaml"), []byte("- name: Account\n  fields:\n    - {name: Tier__c, type: string}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	after := o.events.byChannel["/data/AccountChangeEvent"].id
	if after == before || o.events.byChannel["/data/ContactChangeEvent"].id != same {
		t.Errorf("the schema was %s and is %s", before, after)
	}
	text, err := o.schemaText(t.Context(), before)
	if err != nil || text == "" || strings.Contains(text, "Tier__c") {
		t.Errorf("the old schema: %.80s %v", text, err)
	}
	if text, err = o.schemaText(t.Context(), after); err != nil || !strings.Contains(text, "Tier__c") {
		t.Errorf("the new schema: %.80s %v", text, err)
	}
	if got := o.changeLog("/data/AccountChangeEvent"); len(got) != 1 || got[0].values["Name"] != "Old" {
		t.Errorf("%+v", got)
	}
}

func TestEventMoments(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]string{1_700_000_000_000: "2023-11-14T22:13:20Z", 1_700_000_000_120: "2023-11-14T22:13:20.120Z", -1: "1969-12-31T23:59:59.999Z"} {
		if got := string(eventMoment(nil, time.UnixMilli(ms))); got != want {
			t.Errorf("%d: %s instead of %s", ms, got, want)
		}
	}
}

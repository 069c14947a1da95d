package salesforce

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// plansOf explains how a query is run, one step a line.
func (o *testOrg) plansOf(t *testing.T, query string) string {
	t.Helper()
	env := environment{now: fixedNow(), zone: fixedNow().Location(), user: o.admin}
	p, err := o.planFor(query, false, env)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return o.explain(t, p)
}

func (o *testOrg) explain(t *testing.T, p *plan) string {
	t.Helper()
	env := environment{now: fixedNow(), zone: fixedNow().Location(), user: o.admin}
	rows, err := o.store.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+p.sql, p.values(env, "")...)
	if err != nil {
		t.Fatalf("%s: %v", p.sql, err)
	}
	raw, err := scanAll(rows, 4)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, row := range raw {
		steps = append(steps, fmt.Sprint(row[3]))
	}
	return strings.Join(steps, "\n")
}

// TestQueriesUseIndexes looks at how what a contact centre asks is run: nothing may read a whole table, with the
// statistics of a sample org or without any.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	scan := regexp.MustCompile(`(?m)^SCAN (?:[^U]|U[^S])*$`) // and no USING
	for _, seed := range []string{SeedSmall, SeedNone} {
		o := start(t, Options{Seed: seed})
		if plan := o.plansOf(t, "SELECT Id FROM Contact WHERE Title = 'Buyer'"); !scan.MatchString(plan) {
			t.Errorf("a read of a whole table is not told: %s", plan)
		}
		for query, index := range map[string]string{
			"SELECT Id FROM Contact WHERE Id = '003000000000001AAA'":                                                            "PRIMARY KEY",
			"SELECT Id FROM Contact WHERE Email = 'a@b.example'":                                                                "Contact.Email",
			"SELECT Id FROM Contact WHERE Phone_E164__c = '+15550100' LIMIT 5":                                                  "Contact.Phone_E164__c",
			"SELECT Id FROM Contact WHERE Phone_E164__c IN ('+15550100','+15550101')":                                           "Contact.Phone_E164__c",
			"SELECT Id FROM Contact WHERE Phone = '1' OR MobilePhone = '1' OR HomePhone = '1'":                                  "MULTI-INDEX OR",
			"SELECT Id FROM Contact WHERE Ext__c = 'k'":                                                                         "Contact.Ext__c",
			"SELECT Id, Account.Name FROM Contact WHERE AccountId = '001000000000001AAA'":                                       "Contact.AccountId",
			"SELECT Id, (SELECT Id FROM Cases WHERE IsClosed = false) FROM Contact WHERE LastName = 'Silva'":                    "Contact.LastName",
			"SELECT Id FROM Contact WHERE Name LIKE 'Silv%' LIMIT 10":                                                           "Contact.Name",
			"SELECT Id FROM Account WHERE Phone LIKE '%415%555%0100'":                                                           "phone",
			"SELECT Id FROM Contact WHERE OtherPhone LIKE '%415%555%0100' OR Fax LIKE '%0100'":                                  "phone",
			"SELECT Id FROM Contact WHERE SystemModstamp > 2026-11-17T00:00:00Z ORDER BY SystemModstamp, Id":                    "Contact.SystemModstamp",
			"SELECT Id FROM Contact WHERE SystemModstamp > LAST_N_DAYS:2":                                                       "Contact.SystemModstamp",
			"SELECT Id FROM Contact WHERE CreatedDate = TODAY":                                                                  "Contact.CreatedDate",
			"SELECT Id FROM Case WHERE ContactId = '003000000000001AAA' AND IsClosed = false ORDER BY CreatedDate DESC LIMIT 1": "Case.ContactId",
			"SELECT Id FROM Case WHERE CaseNumber = '00001001'":                                                                 "Case.CaseNumber",
			"SELECT Id FROM Case WHERE Contact.Email = 'a@b.example'":                                                           "Contact.Email",
			"SELECT COUNT() FROM Case WHERE AccountId = '001000000000001AAA'":                                                   "Case.AccountId",
			"SELECT Id FROM Task WHERE WhoId = '003000000000001AAA' ORDER BY CreatedDate DESC":                                  "Task.WhoId",
			"SELECT Id, TaskWhoIds FROM Task WHERE WhoId = '003000000000001AAA'":                                                "TaskWhoRelation.TaskId",
			"SELECT Id FROM CaseComment WHERE ParentId = '500000000000001AAA'":                                                  "CaseComment.ParentId",
			"SELECT Id FROM VoiceCall WHERE VendorCallKey = 'k'":                                                                "VoiceCall.VendorCallKey",
			"SELECT Id FROM User WHERE Username = 'a@b.example'":                                                                "User.Username",
			"SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name = 'Acme')":                            "Account.Name",
			"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48.85, 2.35), 'km') < 20":                        "Account.BillingLatitude",
			"SELECT Id FROM Contact WHERE DISTANCE(Account.BillingAddress, GEOLOCATION(48.85, 2.35), 'km') < 20":                "Account.BillingLatitude",
			"SELECT Id FROM Contact WHERE Id IN (" + strings.Repeat("'003000000000001AAA',", 30) + "'003000000000002AAA')":      "PRIMARY KEY",
		} {
			plan := o.plansOf(t, query)
			for line := range strings.SplitSeq(plan, "\n") {
				if scan.MatchString(line) && !strings.Contains(line, "json_each") && !strings.Contains(line, "(subquery") {
					t.Errorf("with seed %s, %s reads a table: %s", seed, query, plan)
				}
			}
			if !strings.Contains(plan, index) {
				t.Errorf("with seed %s, %s does not use %s: %s", seed, query, index, plan)
			}
		}
	}
}

// TestLikeNumbers compares what is found by digits with what the texts say.
func TestLikeNumbers(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	texts := []string{
		"(415) 555-0100", "+1 415-555-0100 x45", "0044 20 7946 0123", "00123", "415.555.0199 ext. 0100", "x 0100", "٠١٠٠", "4155550100", "0100", "020 7946 0100",
	}
	for i, text := range texts {
		o.create("Contact", fmt.Sprintf(`{"LastName":"N%d","Phone":%q,"OtherPhone":%q}`, i, text, text))
	}
	for _, pattern := range []string{"%415%555%0100", "%0100", "%045", "%123", "%0123", "00%123", "0100", "%0199", "415%", "%7946%0100", "4%0100", "%100%", "%44%7946%123", "(415)%0100", "%٠٠"} {
		var want []string
		for i, text := range texts {
			if likeText(pattern, text) {
				want = append(want, fmt.Sprintf(`{"LastName":"N%d"}`, i))
			}
		}
		for _, field := range []string{"Phone", "OtherPhone"} {
			_, out := o.soql("SELECT LastName FROM Contact WHERE " + field + " LIKE '" + pattern + "' ORDER BY LastName")
			if got := strip(t, out); !strings.Contains(got, `"records":[`+strings.Join(want, ",")+"]") {
				t.Errorf("%s LIKE %s: %s instead of %v", field, pattern, got, want)
			}
		}
	}
	id := o.create("Contact", `{"LastName":"Moved","Phone":"+1 212 555 0101 x77"}`)
	o.api(http.MethodPatch, "/sobjects/Contact/"+id, `{"Phone":"+1 212 555 0102 x78"}`)
	for pattern, n := range map[string]int{"%0101%077": 0, "%5550101": 0, "%078": 0, "%5%78": 1, "%0102%78": 1} {
		_, out := o.soql("SELECT Id FROM Contact WHERE LastName = 'Moved' AND Phone LIKE '" + pattern + "'")
		if !strings.Contains(out, fmt.Sprintf(`"totalSize":%d,`, n)) {
			t.Errorf("%s: %s", pattern, out)
		}
	}
}

// likeText is LIKE with % alone, by regular expression.
func likeText(pattern, text string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), "%", ".*") + "$").MatchString(text)
}

// TestLikePrefix holds LIKE with a known beginning, where the range must not leave anything out.
func TestLikePrefix(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, name := range []string{"Zoë", "Zoe", "zo", "Zo\U0010FFFFx", "50% off", "50%", "50x", "a_b", "axb", "퟿", "퟿y"} {
		o.create("Account", `{"Name":"`+name+`"}`)
	}
	for pattern, want := range map[string]int{"zo%": 4, "Zoë%": 1, "ZO_": 2, `50\%%`: 2, `50\%`: 1, `a\_b`: 1, "a_b": 2, "퟿%": 2, "zo\U0010FFFF%": 1, "%": 11, "z%o": 1} {
		if _, out := o.api(http.MethodGet, "/query?q="+url.QueryEscape("SELECT Id FROM Account WHERE Name LIKE '"+pattern+"'"), ""); !strings.Contains(out, fmt.Sprintf(`"totalSize":%d,`, want)) {
			t.Errorf("%s: %s instead of %d", pattern, out, want)
		}
	}
	for _, prefix := range []string{"a", "zz", "퟿", "ÿ"} {
		if next := following(prefix); next <= prefix || !utf8.ValidString(next) {
			t.Errorf("after %q comes %q", prefix, next)
		}
	}
	if next := following("x\U0010FFFF"); next != "" {
		t.Errorf("after the last comes %q", next)
	}
}

// TestOlderPhoneIndex opens a file of before numbers with extensions were found by their last digits.
func TestOlderPhoneIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	org, err := New(Options{Seed: SeedNone, Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	first := &testOrg{Org: org, t: t}
	server := first.serve()
	first.create("Contact", `{"LastName":"Old","Phone":"415 555 0100 x321"}`)
	for _, text := range []string{"DELETE FROM phone", "DELETE FROM meta WHERE key IN ('phones', 'schema')"} {
		if _, err := org.store.write.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if err := org.Close(); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	for _, pattern := range []string{"%0321", "%321", "%415%321"} {
		want := pattern != "%0321"
		if _, out := o.soql("SELECT LastName FROM Contact WHERE Phone LIKE '" + pattern + "'"); strings.Contains(out, "Old") != want {
			t.Errorf("%s: %s", pattern, out)
		}
	}
	if _, out := o.api(http.MethodGet, "/search?q=FIND+%7B4155550100%7D+IN+PHONE+FIELDS+RETURNING+Contact(LastName)", ""); !strings.Contains(out, "Old") {
		t.Errorf("by number: %s", out)
	}
}

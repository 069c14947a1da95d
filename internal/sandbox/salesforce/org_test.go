package salesforce

import (
	"net/http"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	at := time.Now()
	o := start(t, Options{})
	t.Logf("start: %v", time.Since(at))
	for _, q := range []string{
		"SELECT Id, Name, Account.Name, Account.Owner.Name, Phone FROM Contact WHERE Phone LIKE '%555%0100%' LIMIT 3",
		"SELECT COUNT() FROM Contact", "SELECT Status, COUNT(Id) c FROM Case GROUP BY Status",
		"SELECT Id, (SELECT CaseNumber FROM Cases) FROM Contact WHERE Id IN (SELECT ContactId FROM Case WHERE IsClosed = false) LIMIT 2",
		"SELECT Id, Owner.Name, Owner.Type FROM Case LIMIT 1",
	} {
		status, body := o.soql(q)
		t.Logf("%s\n%d %.1500s", q, status, body)
		if status != http.StatusOK {
			t.Fail()
		}
	}
}

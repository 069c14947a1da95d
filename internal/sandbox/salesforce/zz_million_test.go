package salesforce

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestZZMillion(t *testing.T) {
	dir := os.Getenv("ZZDIR")
	if dir == "" {
		t.Skip("x")
	}
	o := start(t, Options{Dir: dir})
	rows, _ := o.store.read.QueryContext(t.Context(), "SELECT entity, count(*), count(distinct reversed) FROM phone GROUP BY 1")
	raw, _ := scanAll(rows, 3)
	fmt.Println(raw)
	rows, _ = o.store.read.QueryContext(t.Context(), "SELECT Phone_E164__c FROM Contact WHERE Id > '003000000001000' LIMIT 30")
	raw, _ = scanAll(rows, 1)
	for _, r := range raw {
		e, _ := r[0].(string)
		q := "/search?q=FIND+%7B" + e[len(e)-9:] + "%7D+IN+PHONE+FIELDS+RETURNING+Contact(Id,Name),Account(Id,Name)+LIMIT+20"
		begin := time.Now()
		status, body := o.api("GET", q, "")
		took := time.Since(begin)
		key := reverse(e[len(e)-9:])
		b2 := time.Now()
		rr, _ := o.store.read.QueryContext(t.Context(), "SELECT count(*) FROM phone WHERE entity='003' AND reversed >= ? AND reversed < ?", key, key+"~")
		x, _ := scanAll(rr, 1)
		fmt.Println(e, took, status, len(body), x, time.Since(b2))
	}
}

package salesforce

import (
	"net/http"
	"sync"
	"testing"
)

// TestGrantsInForceAtOnce changes a grant again and again while its user keeps asking: what was granted or taken is so for
// every query that begins after the answer.
func TestGrantsInForceAtOnce(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := o.restricted(Permissions{})
	set := o.create("PermissionSet", `{"Name":"Cases","Label":"Cases"}`)
	o.create("ObjectPermissions", `{"ParentId":"`+set+`","SobjectType":"Case","PermissionsRead":true}`)
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 3 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					o.viewOf(t.Context(), makeID("005", 2))
				}
			}
		})
	}
	defer asking.Wait()
	defer close(done)
	for i := range 15 {
		id := o.create("PermissionSetAssignment", `{"PermissionSetId":"`+set+`","AssigneeId":"`+makeID("005", 2)+`"}`)
		if status, body := u.soql("SELECT Id FROM Case"); status != http.StatusOK {
			t.Fatalf("round %d, granted: %d %s", i, status, body)
		}
		if status, body := o.api(http.MethodDelete, "/sobjects/PermissionSetAssignment/"+id, ""); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, body)
		}
		if status, body := u.soql("SELECT Id FROM Case"); status != http.StatusBadRequest {
			t.Fatalf("round %d, taken: %d %s", i, status, body)
		}
	}
}

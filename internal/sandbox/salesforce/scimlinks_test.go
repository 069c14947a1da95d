package salesforce

import (
	"net/http"
	"strings"
	"testing"
)

// TestSCIMMembers: members of a public group are added and removed by PATCH, in the platform's form and in RFC 7644's.
func TestSCIMMembers(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	group := o.create("Group", `{"Name":"Tier 2","DeveloperName":"Tier_2","Type":"Regular"}`)
	inner := o.create("Group", `{"Name":"Tier 3","DeveloperName":"Tier_3","Type":"Regular"}`)
	ana, ben := makeID("005", 3), makeID("005", 4)
	patch := func(operations string, header ...string) (int, map[string]any) {
		status, doc, _ := o.scimCall(http.MethodPatch, "/Groups/"+group, `{"schemas":["`+scimPatchURN+`"],"Operations":[`+operations+`]}`, header...)
		return status, doc
	}
	for _, c := range []struct{ operations, members string }{
		{`{"op":"add","path":"members","value":{"members":[{"value":"` + ana + `"}]}}`, ana},
		{`{"op":"add","path":"members","value":[{"value":"` + ben + `"},{"value":"` + ana + `"}]}`, ana + " " + ben},
		{`{"op":"remove","path":"members","value":{"members":[{"value":"` + ana + `"}]}}`, ben},
		{`{"op":"Add","value":{"members":[{"value":"` + ana[:15] + `"}]}}`, ben + " " + ana},
		{`{"op":"remove","path":"members[value eq \"` + ben + `\"]"}`, ana},
		{`{"op":"replace","path":"members","value":[{"value":"` + ben + `"},{"value":"` + inner + `"}]}`, ben + " " + inner},
		{`{"op":"remove","path":"members"}`, ""},
		{`{"op":"add","path":"members","value":{"value":"` + ana + `"}},{"op":"add","path":"members","value":[{"value":"` + ben + `"}]},{"op":"remove","path":"members","value":[{"value":"` + ana + `"}]}`, ben},
		{`{"op":"remove","path":"members","value":[{"value":"` + ana + `"}]}`, ben},
	} {
		status, doc := patch(c.operations)
		if got := membersIn(doc); status != http.StatusOK || got != c.members {
			t.Errorf("%s: %d %s, want %s", c.operations, status, got, c.members)
		}
	}
	if _, body := o.soql("SELECT COUNT() FROM GroupMember WHERE GroupId = '" + group + "' AND UserOrGroupId = '" + ben + "'"); !strings.Contains(body, `"totalSize":1`) {
		t.Errorf("the records: %s", body)
	}
	for operations, want := range map[string]int{
		`{"op":"add","path":"members","value":[{"value":"x"}]}`:                         400,
		`{"op":"add","path":"members","value":[{"value":"` + makeID("005", 99) + `"}]}`: 400,
		`{"op":"add","path":"members","value":[{"value":"` + makeID("001", 1) + `"}]}`:  400,
		`{"op":"add","path":"members","value":[{"value":"` + group + `"}]}`:             400,
		`{"op":"replace","path":"displayName","value":"x"}`:                             400,
		`{"op":"replace","value":{"displayName":"x"}}`:                                  400,
		`{"op":"move","path":"members"}`:                                                400,
		`{"op":"remove","path":"members[value eq \"` + ana + `\"]"}`:                    400,
		`{"op":"replace","path":"members[value eq \"x\"]","value":[]}`:                  400,
		``: 400,
	} {
		if status, doc := patch(operations); status != want || doc["detail"] == "" {
			t.Errorf("%s: %d %v", operations, status, doc)
		}
	}
	// All of a request or none of it.
	if status, doc := patch(`{"op":"add","path":"members","value":[{"value":"` + ana + `"}]},{"op":"add","path":"members","value":[{"value":"x"}]}`); status != http.StatusBadRequest {
		t.Errorf("half a request: %d %v", status, doc)
	}
	_, doc, header := o.scimCall(http.MethodGet, "/Groups/"+group, "")
	if membersIn(doc) != ben {
		t.Errorf("a refused request changed something: %v", doc)
	}
	if status, _ := patch(`{"op":"add","path":"members","value":[{"value":"`+ana+`"}]}`, "If-Match", `W/"other"`); status != http.StatusPreconditionFailed {
		t.Errorf("another version: %d (%v)", status, header)
	}
	for path, want := range map[string]int{"/Groups/" + makeID("00G", 1): 404, "/Groups/" + makeID("00G", 99): 404, "/Groups/" + ana: 404, "/Groups": 405} {
		status, doc, _ := o.scimCall(http.MethodPatch, path, `{"schemas":["`+scimPatchURN+`"],"Operations":[{"op":"remove","path":"members"}]}`)
		if status != want {
			t.Errorf("%s: %d %v", path, status, doc)
		}
	}
}

// membersIn are the ids of a group's members, in order.
func membersIn(doc map[string]any) string {
	list, _ := doc["members"].([]any)
	var out []string
	for _, m := range list {
		one, _ := m.(map[string]any)
		out = append(out, str(one["value"]))
	}
	return strings.Join(out, " ")
}

// TestSCIMPermissionSets: permission sets are entitlements beside the profile, in all of POST, PUT and PATCH.
func TestSCIMPermissionSets(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, name := range []string{"Dialler", "Recorder"} {
		if err := o.SetPermissionSet(t.Context(), name, &Permissions{}); err != nil {
			t.Fatal(err)
		}
	}
	profile := standardProfile(o)
	set := func(name string) string {
		return (&ruled{testOrg: o}).idOf("SELECT Id FROM PermissionSet WHERE Label = '" + name + "'")
	}
	dialler, recorder := set("Dialler"), set("Recorder")
	entitled := func(doc map[string]any) string {
		list, _ := doc["entitlements"].([]any)
		var out []string
		for _, e := range list {
			one, _ := e.(map[string]any)
			out = append(out, str(one["display"]))
		}
		return strings.Join(out, ", ")
	}
	user := func(entitlements string) string {
		return `{"schemas":["` + scimUserURN + `"],"userName":"eve@x.example","name":{"familyName":"Eve"},"emails":[{"value":"eve@x.example"}],"entitlements":[` + entitlements + `]}`
	}
	value := func(ids ...string) string { return `{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}` }
	status, doc, _ := o.scimCall(http.MethodPost, "/Users", user(value(dialler, profile)))
	if status != http.StatusCreated || entitled(doc) != "Standard User, Dialler" {
		t.Fatalf("POST: %d %v", status, doc)
	}
	path := "/Users/" + str(doc["id"])
	patch := func(operations string) (int, map[string]any) {
		status, doc, _ := o.scimCall(http.MethodPatch, path, `{"schemas":["`+scimPatchURN+`"],"Operations":[`+operations+`]}`)
		return status, doc
	}
	for _, c := range []struct{ operations, want string }{
		{`{"op":"add","value":{"entitlements":[` + value(recorder, dialler) + `]}}`, "Standard User, Dialler, Recorder"},
		{`{"op":"remove","path":"entitlements[value eq \"` + dialler + `\"]"}`, "Standard User, Recorder"},
		{`{"op":"add","path":"entitlements","value":[` + value(makeID("00e", 1)) + `]}`, "System Administrator, Recorder"},
		{`{"op":"remove","path":"entitlements","value":[` + value(recorder) + `]},{"op":"add","path":"entitlements","value":[` + value(dialler) + `]}`, "System Administrator, Dialler"},
		{`{"op":"replace","path":"entitlements","value":[` + value(profile, recorder) + `]}`, "Standard User, Recorder"},
		{`{"op":"replace","path":"entitlements[type eq \"Profile\"].value","value":"` + makeID("00e", 1) + `"}`, "System Administrator, Recorder"},
		{`{"op":"replace","path":"title","value":"Agent"}`, "System Administrator, Recorder"},
		{`{"op":"remove","path":"entitlements[type eq \"PermissionSet\"]"}`, "System Administrator"},
	} {
		if status, doc := patch(c.operations); status != http.StatusOK || entitled(doc) != c.want {
			t.Errorf("%s: %d %s, want %s (%v)", c.operations, status, entitled(doc), c.want, doc["detail"])
		}
	}
	for _, operations := range []string{
		`{"op":"remove","path":"entitlements"}`, `{"op":"remove","path":"entitlements[type eq \"Profile\"]"}`,
		`{"op":"replace","path":"entitlements","value":[` + value(recorder) + `]}`,
		`{"op":"add","path":"entitlements","value":[` + value(makeID("0PS", 99)) + `]}`,
		`{"op":"add","path":"entitlements","value":[` + value(makeID("005", 1)) + `]}`,
		`{"op":"add","path":"entitlements","value":[` + value(profile, makeID("00e", 1)) + `]}`,
	} {
		if status, doc := patch(operations); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", operations, status, doc)
		}
	}
	status, doc, _ = o.scimCall(http.MethodPut, path, user(value(profile, dialler)))
	if status != http.StatusOK || entitled(doc) != "Standard User, Dialler" {
		t.Errorf("PUT: %d %v", status, doc)
	}
	if status, doc, _ = o.scimCall(http.MethodPut, path, user(value(profile))); status != http.StatusOK || entitled(doc) != "Standard User" {
		t.Errorf("PUT without permission sets: %d %v", status, doc)
	}
	if status, doc, _ = o.scimCall(http.MethodPost, "/Users", strings.ReplaceAll(user(value(profile, makeID("0PS", 99))), "eve@", "mallory@")); status != http.StatusBadRequest {
		t.Errorf("POST with an unknown set: %d %v", status, doc)
	}
	if _, body := o.soql("SELECT COUNT() FROM User WHERE Username = 'mallory@x.example'"); !strings.Contains(body, `"totalSize":0`) {
		t.Errorf("a refused POST left a user: %s", body)
	}
}

func FuzzSCIMPatch(f *testing.F) {
	for _, operations := range []string{
		`{"op":"add","path":"members","value":{"members":[{"value":"005000000000001AAA"}]}}`, `{"op":"remove","path":"members[value eq \"x\"]"}`,
		`{"op":"add","value":{"entitlements":[{"value":"0PS000000000001AAA"},{"value":"00e000000000001AAA"}]}}`, `{"op":"replace","path":"entitlements[type eq \"Profile\"].value","value":"x"}`,
		`{"op":"remove","path":"entitlements"}`, `{"op":"replace","value":{"active":"False","name":{"familyName":"x"}}}`,
	} {
		f.Add(`{"schemas":["` + scimPatchURN + `"],"Operations":[` + operations + `]}`)
	}
	f.Fuzz(func(t *testing.T, body string) {
		user := record{"ProfileId": makeID("00e", 1), "Email": "a@x.example"}
		in, err := scimPatch([]byte(body), user, []string{makeID("0PS", 1)})
		if sets, given := in.takeSets(); err == nil && given {
			for _, id := range sets {
				if !strings.HasPrefix(id, "0PS") {
					t.Errorf("%s makes a permission set of %s", body, id)
				}
			}
		}
		operations, err := scimOperations([]byte(body))
		for i := 0; err == nil && i < len(operations); i++ {
			_, err = patchMembers([]string{makeID("005", 1)}, operations[i])
		}
	})
}

package salesforce

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMeaningOfPlaces covers addresses, locations and DISTANCE. Acme is in San Francisco, beta 50% in Chicago, 2984 km or
// 1854 miles from there, and zeta in London, 8616 km from San Francisco.
func TestMeaningOfPlaces(t *testing.T) {
	t.Parallel()
	const sf = "GEOLOCATION(37.7749, -122.4194)"
	o := meaningOrg(t)
	o.means(t, []meaning{
		{"an address is an object", "SELECT BillingAddress FROM Account WHERE Name = 'Acme'", `[{"BillingAddress":{"city":"San Francisco","country":"USA","geocodeAccuracy":"Zip","latitude":37.7749,"longitude":-122.4194,"postalCode":"94105","state":"CA","street":"1 Main St"}}]`},
		{"an address of which little is known", "SELECT Name, BillingAddress FROM Account WHERE Name = 'zeta'", `[{"Name":"zeta","BillingAddress":{"city":"London","country":null,"geocodeAccuracy":null,"latitude":51.5074,"longitude":-0.1278,"postalCode":null,"state":null,"street":null}}]`},
		{"an address of which nothing is known", "SELECT BillingAddress, ShippingAddress FROM Account WHERE Name = 'Émile_x'", `[{"BillingAddress":null,"ShippingAddress":null}]`},
		{"the parts of an address", "SELECT BillingCity, billinglatitude, BillingGeocodeAccuracy FROM Account WHERE BillingPostalCode = '94105'", `[{"BillingCity":"San Francisco","BillingLatitude":37.7749,"BillingGeocodeAccuracy":"Zip"}]`},
		{"a parent's address", "SELECT LastName, Account.BillingAddress FROM Contact WHERE LastName IN ('Lone', 'Zed') ORDER BY LastName", `[{"LastName":"Lone","Account":null},{"LastName":"Zed","Account":{"BillingAddress":{"city":"Chicago","country":null,"geocodeAccuracy":null,"latitude":41.8781,"longitude":-87.6298,"postalCode":null,"state":null,"street":null}}}]`},
		{"a location", "SELECT Loc__c, Loc__Latitude__s FROM Account WHERE Name = 'Acme'", `[{"Loc__c":{"latitude":37.7749,"longitude":-122.4194},"Loc__Latitude__s":37.7749}]`},
		{"half a location is none", "SELECT Loc__c, loc__latitude__s, Loc__Longitude__s FROM Account WHERE Name = 'Émile_x'", `[{"Loc__c":null,"Loc__Latitude__s":48.8566,"Loc__Longitude__s":null}]`},
		{"FIELDS(CUSTOM) has locations and their parts", "SELECT FIELDS(CUSTOM) FROM Account WHERE Name = 'Acme' LIMIT 1", `[{"Phone_E164__c":null,"Ext__c":null,"Channels__c":"Phone;Mail","Loc__Latitude__s":37.7749,"Loc__Longitude__s":-122.4194,"Loc__c":{"latitude":37.7749,"longitude":-122.4194}}]`},
		{"within a radius in kilometres", "SELECT Name FROM Account WHERE DISTANCE(BillingAddress, " + sf + ", 'km') < 3000 ORDER BY Name", `[{"Name":"Acme"},{"Name":"beta 50%"}]`},
		{"within a radius in miles", "SELECT Name FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'mi') < 1800", `[{"Name":"Acme"}]`},
		{"beyond a radius, what has no place left out", "SELECT Name FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'km') > 2000.5 ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"no nearer than", "SELECT Name FROM Account WHERE (NOT DISTANCE(Loc__c, " + sf + ", 'km') < 3000) ORDER BY Name", `[{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"the nearest first, and what has no place before them", "SELECT Name FROM Account ORDER BY DISTANCE(Loc__c, GEOLOCATION(51, 0), 'mi')", `[{"Name":"Émile_x"},{"Name":"zeta"},{"Name":"beta 50%"},{"Name":"Acme"}]`},
		{"the farthest first", "SELECT Name FROM Account WHERE BillingCity != null ORDER BY DISTANCE(BillingAddress, GEOLOCATION(51, 0), 'km') DESC NULLS LAST LIMIT 2", `[{"Name":"Acme"},{"Name":"beta 50%"}]`},
		{"of a parent", "SELECT LastName FROM Contact WHERE DISTANCE(Account.BillingAddress, " + sf + ", 'km') < 1", `[{"LastName":"O'Brien"}]`},
		{"in SELECT", "SELECT Name, DISTANCE(BillingAddress, " + sf + ", 'km') FROM Account WHERE Name = 'Acme'", `[{"Name":"Acme","expr0":0.0}]`},
		{"in SELECT with an alias", "SELECT Name, DISTANCE(Loc__c, " + sf + ", 'mi') away FROM Account WHERE Name = 'Émile_x'", `[{"Name":"Émile_x","away":null}]`},
		{"units in any case", "SELECT Name FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'KM') < 1", `[{"Name":"Acme"}]`},
		{"an unknown unit", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'm') < 1", "!MALFORMED_QUERY Invalid distance unit 'm'"},
		{"a latitude out of bounds", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, GEOLOCATION(90.5, 0), 'km') < 1", "!MALFORMED_QUERY Latitude must be between -90 and 90: it is 90.5"},
		{"a longitude out of bounds", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, GEOLOCATION(1, -180.5), 'km') < 1", "!MALFORMED_QUERY Longitude must be between -180 and 180: it is -180.5"},
		{"of a text", "SELECT Id FROM Account WHERE DISTANCE(Name, " + sf + ", 'km') < 1", "!INVALID_FIELD field 'Name' does not support DISTANCE"},
		{"of a part", "SELECT Id FROM Account WHERE DISTANCE(BillingLatitude, " + sf + ", 'km') < 1", "!INVALID_FIELD field 'BillingLatitude' does not support DISTANCE"},
		{"equal", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'km') = 1", "!INVALID_QUERY_FILTER_OPERATOR DISTANCE only supports the operators < and >"},
		{"less or equal", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'km') <= 1", "!INVALID_QUERY_FILTER_OPERATOR DISTANCE only supports the operators < and >"},
		{"less than a text", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'km') < '1'", "!INVALID_FIELD must be of type double"},
		{"in a list", "SELECT Id FROM Account WHERE DISTANCE(Loc__c, " + sf + ", 'km') IN (1)", "!MALFORMED_QUERY unexpected token: 'IN'"},
		{"in GROUP BY", "SELECT COUNT(Id) FROM Account GROUP BY DISTANCE(Loc__c, " + sf + ", 'km')", "!MALFORMED_QUERY unexpected token: ','"},
		{"beside an aggregate", "SELECT COUNT(Id), DISTANCE(Loc__c, " + sf + ", 'km') FROM Account", "!MALFORMED_QUERY Field must be grouped or aggregated"},
		{"an address in a condition", "SELECT Id FROM Account WHERE BillingAddress = null", "!INVALID_FIELD field 'BillingAddress' can not be filtered in a query call"},
		{"a location in a condition", "SELECT Id FROM Account WHERE Loc__c != null", "!INVALID_FIELD field 'Loc__c' can not be filtered in a query call"},
		{"an address in ORDER BY", "SELECT Id FROM Account ORDER BY BillingAddress", "!INVALID_FIELD field 'BillingAddress' can not be sorted in a query call"},
		{"an address counted", "SELECT COUNT(BillingAddress) FROM Account", "!MALFORMED_QUERY field BillingAddress does not support aggregate operator COUNT"},
		{"an address formatted", "SELECT FORMAT(BillingAddress) FROM Account", "!INVALID_FIELD FORMAT does not take the compound field 'BillingAddress'"},
		{"an address twice", "SELECT BillingAddress, billingaddress FROM Account", "!INVALID_FIELD duplicate field selected: BillingAddress"},
	})
}

func TestCompoundsOfRecords(t *testing.T) {
	t.Parallel()
	o := meaningOrg(t)
	_, body := o.api(http.MethodGet, "/sobjects/Account/001000000000001AAA", "")
	for _, want := range []string{`"BillingAddress":{"city":"San Francisco"`, `"ShippingAddress":null`, `"Loc__c":{"latitude":37.7749,"longitude":-122.4194}`, `"BillingLatitude":37.7749`} {
		if !strings.Contains(body, want) {
			t.Errorf("the record lacks %s: %s", want, body)
		}
	}
	for _, c := range []struct{ body, want string }{
		{`{"BillingAddress":{"city":"x"}}`, "BillingAddress"},
		{`{"Loc__c":{"latitude":1,"longitude":1}}`, "Loc__c"},
		{`{"BillingLatitude":91}`, `"NUMBER_OUTSIDE_VALID_RANGE"`},
		{`{"Loc__Longitude__s":-180.1}`, `"NUMBER_OUTSIDE_VALID_RANGE"`},
		{`{"BillingGeocodeAccuracy":"Guess"}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
	} {
		if status, out := o.api(http.MethodPatch, "/sobjects/Account/001000000000001AAA", c.body); status != http.StatusBadRequest || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d %s", c.body, status, out)
		}
	}
	if status, out := o.api(http.MethodPatch, "/sobjects/Account/001000000000001AAA", `{"BillingLatitude":-90,"BillingLongitude":180}`); status != http.StatusNoContent {
		t.Errorf("the bounds themselves: %d %s", status, out)
	}
	for entity, names := range map[string][]string{
		"Account": {"BillingAddress", "ShippingAddress", "Loc__c"}, "Contact": {"MailingAddress", "OtherAddress"}, "User": {"Address"},
	} {
		_, body := o.api(http.MethodGet, "/sobjects/"+entity+"/describe", "")
		var d struct {
			Fields []map[string]any `json:"fields"`
		}
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			t.Fatal(err)
		}
		byName, parts := map[string]map[string]any{}, map[any]int{}
		for _, f := range d.Fields {
			name, _ := f["name"].(string)
			byName[name] = f
			parts[f["compoundFieldName"]]++
		}
		for _, name := range names {
			kind, soap, n := "address", "urn:address", 8
			if name == "Loc__c" {
				kind, soap, n = "location", "urn:location", 2
			}
			f := byName[name]
			if f == nil || f["type"] != kind || f["soapType"] != soap || f["queryByDistance"] != true || f["createable"] != false || f["groupable"] != false ||
				f["sortable"] != false || f["filterable"] != true || f["custom"] != (kind == "location") || parts[name] != n {
				t.Errorf("%s.%s: %v with %d parts", entity, name, f, parts[name])
			}
		}
	}
	_, columns := o.api(http.MethodGet, "/query?columns=true&q=SELECT+BillingAddress,Loc__c+FROM+Account", "")
	for _, want := range []string{`"apexType":"Address","booleanType":false,"columnName":"BillingAddress","custom":false`, `"apexType":"Location","booleanType":false,"columnName":"Loc__c","custom":true`} {
		if !strings.Contains(columns, want) {
			t.Errorf("the columns lack %s: %s", want, columns)
		}
	}
	if status, body := o.api(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id, BillingAddress FROM Account"}`); status != http.StatusBadRequest || !strings.Contains(body, "compound") {
		t.Errorf("a bulk query of an address: %d %s", status, body)
	}
}

// TestRestrictedCompounds: a compound is there for who may read all of its parts.
func TestRestrictedCompounds(t *testing.T) {
	t.Parallel()
	o := meaningOrg(t)
	account := o.schema.object("Account")
	whole := account.without(func(*field) bool { return true })
	part := account.without(func(f *field) bool { return f.name != "BillingLatitude" })
	if len(whole.compounds) != 3 || len(part.compounds) != 2 || part.compound("BillingAddress") != nil {
		t.Errorf("%d and %d compounds", len(whole.compounds), len(part.compounds))
	}
}

// TestDistances compares with distances known otherwise.
func TestDistances(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lat1, lon1, lat2, lon2, km float64 }{
		{0, 0, 0, 0, 0},
		{0, 0, 0, 180, math.Pi * earthKilometres},
		{90, 0, -90, 0, math.Pi * earthKilometres},
		{0, 179, 0, -179, math.Pi * earthKilometres / 90},
		{48.8566, 2.3522, 51.5074, -0.1278, 343.6},
		{37.7749, -122.4194, 41.8781, -87.6298, 2984},
	} {
		if got := distanceBetween(c.lat1, c.lon1, c.lat2, c.lon2, earthKilometres); math.Abs(got-c.km) > 1 {
			t.Errorf("from %v,%v to %v,%v it is %.1f km instead of %.1f", c.lat1, c.lon1, c.lat2, c.lon2, got, c.km)
		}
	}
}

// TestSeedPlaces: the sample accounts have places, the same in each org.
func TestSeedPlaces(t *testing.T) {
	t.Parallel()
	var answers []string
	for range 2 {
		o := start(t, Options{})
		_, body := o.api(http.MethodGet, "/query?q="+url.QueryEscape(
			"SELECT Name, BillingCity, BillingAddress FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48.85, 2.35), 'km') < 100 ORDER BY Id"), "")
		answers = append(answers, body)
		if strings.Count(body, `"BillingCity":"Paris"`) == 0 || strings.Count(body, `"BillingCity":`) != strings.Count(body, `"BillingCity":"Paris"`) {
			t.Errorf("near Paris there are %s", body)
		}
		if _, body := o.soql("SELECT COUNT() FROM Account WHERE BillingLatitude = null"); !strings.Contains(body, `"totalSize":0`) {
			t.Errorf("accounts without a place: %s", body)
		}
	}
	if answers[0] != answers[1] {
		t.Error("two orgs differ")
	}
}

// TestDistancesAgree compares what is found within and beyond radii, by latitude first, with the distances of all places:
// those at the poles and on either side of the date line among them.
func TestDistancesAgree(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	rnd := rand.New(rand.NewPCG(1, 2))
	places := [][2]float64{{90, 0}, {-90, 10}, {0, 180}, {0, -180}, {89.9, 179.9}, {-89.9, -179.9}}
	for range 200 {
		places = append(places, [2]float64{rnd.Float64()*180 - 90, rnd.Float64()*360 - 180})
	}
	obj := o.schema.object("Account")
	err := o.store.update(t.Context(), func(tx *sql.Tx) error {
		for i, p := range places {
			r := record{"Name": strconv.Itoa(i), "BillingLatitude": p[0], "BillingLongitude": p[1]}
			if _, err := o.Org.create(t.Context(), tx, o.admin, obj, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		at, unit, radius := places[i], "km", earthKilometres
		if i%2 == 0 {
			unit, radius = "mi", earthMiles
		}
		far := []float64{0.5, 50, 1000, 5000, 12_000}[i%5]
		within := 0
		for _, p := range places {
			if distanceBetween(p[0], p[1], at[0], at[1], radius) < far {
				within++
			}
		}
		for op, want := range map[string]int{"<": within, ">": len(places) - within} {
			where := fmt.Sprintf("DISTANCE(BillingAddress, GEOLOCATION(%s, %s), '%s') %s %v", formatFloat(at[0]), formatFloat(at[1]), unit, op, far)
			if n, err := o.plan(where); err != nil || n != want {
				t.Errorf("%s: %d of %d, %v", where, n, want, err)
			}
		}
	}
}

// TestLocationFile reads a location from the org's folder, as an administrator adds one.
func TestLocationFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "custom"), 0o700); err != nil {
		t.Fatal(err)
	}
	const text = "name: Site__c\nfields:\n  - name: Place__c\n    label: Place\n    type: location\n    required: true\n"
	if err := os.WriteFile(filepath.Join(dir, "custom", "site.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Seed: SeedNone, Dir: dir})
	if status, body := o.api(http.MethodPost, "/sobjects/Site__c", `{"Name":"half","Place__Latitude__s":1}`); status != http.StatusBadRequest || !strings.Contains(body, "Place__Longitude__s") {
		t.Errorf("half a place: %d %s", status, body)
	}
	o.create("Site__c", `{"Name":"Harbour","Place__Latitude__s":53.5,"Place__Longitude__s":9.9}`)
	const q = "SELECT Name, Place__c, DISTANCE(Place__c, GEOLOCATION(53.5, 9.9), 'km') FROM Site__c WHERE DISTANCE(Place__c, GEOLOCATION(53.5, 10), 'km') < 10"
	status, body := o.soql(q)
	o.judge(t, meaning{q: q, want: `[{"Name":"Harbour","Place__c":{"latitude":53.5,"longitude":9.9},"expr0":0.0}]`}, status, body, "records")
	if plan := o.plansOf(t, q); !strings.Contains(plan, "Site__c.Place__Latitude__s") {
		t.Errorf("places are not looked up: %s", plan)
	}
	twice := CustomObject{Name: "Account", Fields: []CustomField{{Name: "P__c", Type: "location"}, {Name: "P__c", Type: "location"}}}
	if _, err := newSchema(twice); err == nil {
		t.Error("a location is there twice")
	}
	event := CustomObject{Name: "Moved__e", Fields: []CustomField{{Name: "At__c", Type: "location"}}}
	if _, err := newSchema(event); err != nil {
		t.Errorf("an event with a place: %v", err)
	}
}

// TestEventCompounds: change events carry addresses and locations as records, of which those of one kind are alike.
func TestEventCompounds(t *testing.T) {
	t.Parallel()
	sc, err := newSchema(CustomObject{Name: "Account", Fields: []CustomField{{Name: "Loc__c", Type: "location"}, {Name: "Site__c", Type: "location"}}})
	if err != nil {
		t.Fatal(err)
	}
	for entity, want := range map[string]map[string]string{
		"Account": {
			"BillingAddress":  "Street City State PostalCode Country Latitude Longitude GeocodeAccuracy",
			"ShippingAddress": "Street City State PostalCode Country Latitude Longitude GeocodeAccuracy",
			"Loc__c":          "Latitude Longitude", "Site__c": "Latitude Longitude",
		},
		"User": {"Address": "Street City State PostalCode Country Latitude Longitude GeocodeAccuracy", "Name": "LastName FirstName"},
	} {
		got := map[string]string{}
		for _, f := range eventFields(sc.object(entity)) {
			var parts []string
			for _, sub := range f.sub {
				parts = append(parts, sub.name)
			}
			if len(parts) > 0 {
				got[f.name] = strings.Join(parts, " ")
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v instead of %v", entity, got, want)
		}
	}
	var schema struct {
		Fields []struct {
			Name string `json:"name"`
			Type any    `json:"type"`
		} `json:"fields"`
	}
	if err := json.Unmarshal([]byte(newEventSchema(sc.object("Account")).text), &schema); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, f := range schema.Fields {
		types[f.Name] = fmt.Sprint(f.Type)
	}
	if !strings.Contains(types["Loc__c"], "name:Location") || types["Site__c"] != "[null Location]" || types["ShippingAddress"] != "[null Address]" {
		t.Errorf("%s, %s, %s", types["Loc__c"], types["Site__c"], types["ShippingAddress"])
	}
}

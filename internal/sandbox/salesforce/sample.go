package salesforce

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// sample makes accounts, their contacts, and cases. Of every ten contacts one has a closed case only, one has one open
// case, one has three open cases, and seven have none. Every fiftieth contact shares its number with the one before.
func (s *seeder) sample() error {
	scale := s.org.seedScale()
	accounts := make([]string, seedAccounts*scale)
	for i := range accounts {
		id, err := s.add("Account", s.start.Add(time.Duration(i)*(time.Hour/time.Duration(scale))), s.account(i))
		if err != nil {
			return err
		}
		accounts[i] = id
	}
	phone := ""
	for i := range seedContacts * scale {
		if i%50 != 49 {
			phone = s.number(i)
		}
		account := accounts[(i*7)%len(accounts)]
		at := s.start.Add(time.Duration(i) * (3 * time.Hour / time.Duration(scale))).Truncate(time.Second)
		id, err := s.add("Contact", at, s.contact(i, account, phone))
		if err != nil {
			return err
		}
		if err := s.cases(i, id, account, at); err != nil {
			return err
		}
	}
	if n := s.next["500"]; n != int64(seedCases*scale) {
		return fmt.Errorf("the seed made %d cases instead of %d", n, seedCases*scale)
	}
	return nil
}

func pick[T any](s *seeder, list []T) T { return list[s.rnd.IntN(len(list))] }

func (s *seeder) account(i int) record {
	heads := []string{"Acme", "Borealis", "Cedar", "Délices", "Ember", "Fjord", "Granit", "Harbour", "Ivory", "Juniper", "Kestrel", "Łódź", "Müller", "Nova", "O'Neill", "Piñata", "Quartz", "Rivière", "Söder", "Tundra"}
	tails := []string{"Logistics", "Foods", "Energy", "Insurance", "Clinics", "Robotics", "Travel", "Textiles", "Bank", "Media"}
	name := heads[i%len(heads)] + " " + tails[(i/len(heads))%len(tails)]
	p := pick(s, places())
	r := record{
		"Name": name, "Industry": pick(s, s.org.schema.object("Account").field("Industry").values), "Phone": s.number(5000 + i),
		"BillingStreet": fmt.Sprintf("%d %s", 1+s.rnd.IntN(200), pick(s, []string{"Main Street", "Rue du Port", "Station Road", "Via Roma"})),
		"BillingCity":   p.city, "BillingState": p.state, "BillingCountry": p.country, "BillingPostalCode": fmt.Sprintf("%05d", s.rnd.IntN(99999)),
		"Website": "https://" + slug(name) + ".example", "NumberOfEmployees": int64(5 + s.rnd.IntN(5000)),
		"AnnualRevenue": float64(s.rnd.IntN(5000)) * 10000, "Rating": pick(s, []string{"Hot", "Warm", "Cold"}),
		"Type": pick(s, []string{"Prospect", "Customer - Direct", "Partner"}),
	}
	if p.state == "" {
		delete(r, "BillingState")
	}
	// Some kilometres around the middle of the city, by the number of the account alone.
	r["BillingLatitude"] = math.Round((p.lat+float64(i%21-10)/200)*1e4) / 1e4
	r["BillingLongitude"] = math.Round((p.lon+float64(i/21%21-10)/200)*1e4) / 1e4
	r["BillingGeocodeAccuracy"] = "Street"
	r["Phone_E164__c"] = e164(r.text("Phone"))
	if i%9 == 0 {
		r["Fax"] = s.number(6000 + i)
	}
	return r
}

type place struct {
	city, state, country string
	lat, lon             float64
}

func places() []place {
	return []place{
		{"San Francisco", "CA", "USA", 37.7749, -122.4194},
		{"Chicago", "IL", "USA", 41.8781, -87.6298},
		{"Boston", "MA", "USA", 42.3601, -71.0589},
		{"Austin", "TX", "USA", 30.2672, -97.7431},
		{"London", "", "United Kingdom", 51.5074, -0.1278},
		{"Manchester", "", "United Kingdom", 53.4808, -2.2426},
		{"Paris", "", "France", 48.8566, 2.3522},
		{"Montréal", "QC", "Canada", 45.5019, -73.5674},
		{"München", "", "Germany", 48.1351, 11.582},
		{"Zürich", "", "Switzerland", 47.3769, 8.5417},
	}
}

func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func (s *seeder) contact(i int, account, phone string) record {
	firsts := []string{"Alice", "Bruno", "Camille", "Dmitri", "Élodie", "Fatima", "Giulia", "Hassan", "Ingrid", "José", "Kofi", "Linh", "Maya", "Noah", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Thandiwe", "Uma", "Víctor", "Wei", "Ximena", "Yuki", "Zoë"}
	lasts := []string{"Andersson", "Brown", "Côté", "D'Angelo", "Evans", "Fernández", "García", "Haddad", "Ivanov", "Johnson", "Kowalski", "Lefèvre", "Martin", "Nguyễn", "O'Brien", "Patel", "Quinn", "Rossi", "Smith", "Tremblay", "Ünal", "van Dijk", "Weiß", "Xu", "Yamada", "Zieliński", "St. John-Smythe"}
	r := record{
		"AccountId": account, "FirstName": firsts[i%len(firsts)], "LastName": lasts[(i*5+i/len(lasts))%len(lasts)], "Phone": phone,
		"Email": fmt.Sprintf("contact%d@customers.example", i+1), "Title": pick(s, []string{"Buyer", "Directrice", "Engineer", "CEO", "Office Manager"}),
		"LeadSource": pick(s, []string{"Web", "Phone Inquiry", "Other"}),
	}
	r["Phone_E164__c"] = e164(phone)
	switch i % 4 {
	case 0:
		r["MobilePhone"] = s.number(2000 + i)
	case 1:
		// The only number may stand in another field than Phone.
		r["MobilePhone"] = phone
		delete(r, "Phone")
	case 2:
		r["HomePhone"] = s.number(3000 + i)
	}
	return r
}

func (s *seeder) cases(i int, contact, account string, at time.Time) error {
	count, status := 0, "New"
	switch i % 10 {
	case 4:
		count, status = 1, "Closed"
	case 6:
		count, status = 1, pick(s, []string{"New", "Working"})
	case 8:
		count = 3
	}
	subjects := []string{"Invoice is wrong", "Délai de livraison", "Cannot sign in", "Router restarts", "Change of address", "Refund not received", "Contract renewal", "Device damaged"}
	for k := range count {
		made := at.Add(time.Duration(24*(k+1)) * time.Hour)
		r := record{
			"ContactId": contact, "AccountId": account, "Subject": pick(s, subjects), "Status": status, "Origin": pick(s, []string{"Phone", "Email", "Web"}),
			"Priority": pick(s, []string{"High", "Medium", "Low"}), "Description": "Made with the sample data.",
		}
		if status == "Closed" {
			r["ClosedDate"] = made.Add(48 * time.Hour).UnixMilli()
		}
		id, err := s.add("Case", made, r)
		if err != nil {
			return err
		}
		if k == 0 && i%20 == 8 {
			if _, err := s.add("CaseComment", made.Add(time.Hour), record{"ParentId": id, "CommentBody": "Customer called back."}); err != nil {
				return err
			}
		}
	}
	return nil
}

// number writes fictional number i in one of the ways people type them. The ranges are kept for fiction: 555-01xx in North
// America, 020 7946 0xxx and 07700 900xxx in the United Kingdom (Ofcom), 01 99 00 and four digits in France (Arcep).
func (s *seeder) number(i int) string {
	switch i % 10 {
	case 7:
		return ukNumber(i / 10)
	case 8:
		return fmt.Sprintf([]string{"07700 900%03d", "+44 7700 900%03d"}[i/10%2], i/10%1000)
	case 9:
		n := i / 10 % 10000
		return fmt.Sprintf([]string{"01 99 00 %02d %02d", "+33 1 99 00 %02d %02d", "0199.00.%02d.%02d"}[n%3], n/100, n%100)
	}
	area, line := 201+(i*37)%780, 100+i%100
	layouts := []string{
		"(%d) 555-0%d", "+1 %d-555-0%d", "%d.555.0%d", "%d5550%d", "1-%d-555-0%d", "+1%d5550%d", "%d 555 0%d", "(%d)555-0%d x45",
		"+1 (%d) 555-0%d ext. 12", "%d\u00a0555\u20110%d", "001 %d 555 0%d",
	}
	return fmt.Sprintf(pick(s, layouts), area, line)
}

// e164 writes one of number's texts as E.164: they tell by their first digits where they belong.
func e164(text string) string {
	digits := digitsOf(text)
	switch {
	case len(digits) == 10 && digits[0] != '0':
		return "+1" + digits
	case len(digits) == 11 && digits[0] == '1':
		return "+" + digits
	case strings.HasPrefix(digits, "44"):
		return "+44" + strings.TrimLeft(digits[2:], "0")
	case strings.HasPrefix(digits, "33"):
		return "+" + digits
	case strings.HasPrefix(digits, "019900"):
		return "+33" + digits[1:]
	}
	return "+44" + strings.TrimLeft(digits, "0")
}

func ukNumber(n int) string {
	layouts := []string{"020 7946 0%03d", "+44 20 7946 0%03d", "0044 20 7946 0%03d", "+44 (0)20 7946 0%03d", "(020) 7946 0%03d"}
	return fmt.Sprintf(layouts[n%len(layouts)], n%1000)
}

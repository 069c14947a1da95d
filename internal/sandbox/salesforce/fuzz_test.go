package salesforce

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/linkedin/goavro/v2"
)

func FuzzTerm(f *testing.F) {
	for _, seed := range []string{`ana AND NOT "o brien" OR 415*`, `(ana OR (zed AND NOT lone)) AND *x?`, `((`, `a) AND (b`, `\(415\) 555\-0100`, `"`, `a?c*`, `AND`} {
		f.Add(seed, "Ana O'Brien", "+1 (415) 555-0100")
	}
	fields := []*field{{name: "Name", kind: typeString}, {name: "Phone", kind: typePhone}}
	f.Fuzz(func(t *testing.T, term, name, phone string) {
		m, err := parseTerm(term)
		if err != nil {
			return
		}
		m.match(documentOf(fields, []any{name, phone}))
		if digits, plain := m.plainNumber(); plain && !isNumeric(digits) {
			t.Fatalf("%q is taken for the number %q", term, digits)
		}
	})
}

func FuzzRecord(f *testing.F) {
	o := start(f, Options{Seed: SeedNone})
	for _, seed := range []string{
		`{"Name":"x","AnnualRevenue":1.5,"NumberOfEmployees":"7","ParentId":null}`, `{"Name":{"a":[1]}}`, `{"ParentId":"001000000000001AAA"}`, `null`, `{"Name":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeRecord(body)
		if err == nil {
			var r record
			if r, err = o.checkInput(t.Context(), o.store, o.schema.object("Account"), in, true); err == nil {
				if _, err := json.Marshal(r); err != nil {
					t.Fatalf("%q is stored as %v: %v", body, r, err)
				}
				return
			}
		}
		var e *apiError
		if !errors.As(err, &e) || e.Status != 400 {
			t.Fatalf("%q: %v is no fault of the client's", body, err)
		}
	})
}

func FuzzDateTime(f *testing.F) {
	for _, seed := range []string{"2026-11-22T03:13:26.000+0000", "2026-11-22T03:13:26.12345678901234Z", "2026-11-22t03:13:26+01:00", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parseDateTime(s)
		if err != nil {
			return
		}
		if _, err := parseDateTime(at.Format(wireTime)); err != nil && at.Year() >= 0 && at.Year() < 10000 {
			t.Fatalf("%q comes out as %s: %v", s, at.Format(wireTime), err)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	for _, seed := range []string{"e30.e30.e30", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOiIxIiwiYXVkIjpbXX0.AA", "..", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjFlMzA4fQ.AA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, valid := parseAssertion(s); valid && a.signedBy(nil) {
			t.Fatalf("%q is signed by nobody", s)
		}
	})
}

func FuzzBayeux(f *testing.F) {
	for _, seed := range []string{
		`[{"channel":"/meta/handshake"}]`, `{"channel":"/meta/subscribe","ext":{"replay":{"/data/X":-1}}}`, `[null]`, `[[]]`,
		`[{"channel":"/meta/handshake","ext":{"replay":true},"advice":{"timeout":6e4},"supportedConnectionTypes":["long-polling"]}]`,
		`[{"channel":"/meta/subscribe","subscription":["/a","/b"],"ext":{"replay":{"/a":"-2","/b":1e99}}}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readBayeux(body)
		if err != nil {
			return
		}
		for _, m := range list {
			if replays, err := m.replays(); err == nil {
				for _, n := range replays {
					if _, err := json.Marshal(n); err != nil {
						t.Fatalf("%q has a replay id that is no number: %v", body, err)
					}
				}
			}
			if _, err := json.Marshal(m.reply()); err != nil {
				t.Fatalf("the answer to %q: %v", body, err)
			}
		}
	})
}

func FuzzPublished(f *testing.F) {
	sc, err := newSchema()
	if err != nil {
		f.Fatal(err)
	}
	s := newEventSchema(sc.object("Call_Notice__e"))
	f.Add(s.avro(&change{at: fixedNow(), user: "005"}, record{"Message__c": "x", "Seconds__c": 1.5}))
	f.Add([]byte{0, 0, 2, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, payload []byte) {
		values, err := s.decode(payload)
		if err == nil && len(values) > len(s.fields) {
			t.Fatalf("%d values of %d fields", len(values), len(s.fields))
		}
	})
}

// FuzzReplay reads replay ids as both kinds of stream bring them.
func FuzzReplay(f *testing.F) {
	o := start(f, Options{Seed: SeedNone})
	for _, name := range []string{"A", "B", "C"} {
		o.create("Account", `{"Name":"`+name+`"}`)
	}
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 2}, "-2")
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255}, "1e2")
	f.Add([]byte{}, "9223372036854775808")
	f.Fuzz(func(t *testing.T, id []byte, text string) {
		if n, valid := replayNumber(id); valid {
			at, known, err := o.replayFrom(t.Context(), n, retention)
			if err != nil || known && (at < 0 || at > 3 || string(replayBytes(n)) != string(id)) {
				t.Fatalf("%x is at %d: %v %v", id, at, known, err)
			}
		}
		client := &cometClient{subs: map[string]int64{}}
		problem := o.comet.subscribe(t.Context(), client, "/data/ChangeEvents", map[string]json.Number{"/data/ChangeEvents": json.Number(text)})
		if at, taken := client.subs["/data/ChangeEvents"]; taken == (problem != "") || at < 0 || at > 3 {
			t.Fatalf("%q is at %d: %s", text, at, problem)
		}
	})
}

// FuzzAvro writes texts and numbers as events carry them and reads them back.
func FuzzAvro(f *testing.F) {
	sc, err := newSchema()
	if err != nil {
		f.Fatal(err)
	}
	s := newEventSchema(sc.object("Call_Notice__e"))
	f.Add("ring", 1.5, int64(1_700_000_000_000), true)
	f.Add("\xff", math.Copysign(0, -1), int64(-62_135_596_800_000), false)
	f.Fuzz(func(t *testing.T, text string, n float64, at int64, urgent bool) {
		at = min(max(at, -62_135_596_800_000), 253_402_300_799_000) // years 1 to 9999
		out, err := s.decode(s.avro(&change{at: fixedNow(), user: "005"}, record{
			"Message__c": text, "Seconds__c": n, "At__c": at, "Urgent__c": bit(urgent),
		}))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		want := map[string]any{
			"Message__c": strings.ToValidUTF8(text, "\uFFFD"), "Seconds__c": n, "At__c": time.UnixMilli(at).UTC().Format(wireTime), "Urgent__c": urgent,
		}
		for name, v := range want {
			if got := out[name]; got != v && (n == n || name != "Seconds__c") {
				t.Fatalf("%s comes back as %v instead of %v", name, got, v)
			}
		}
	})
}

// FuzzOrigin reads what a client says of itself and writes it into a change event.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"client=x", "defaultNamespace=a, client=b/1", "client", "=", ",,client==", "CLIENT= \xff"} {
		f.Add(seed)
	}
	sc, err := newSchema()
	if err != nil {
		f.Fatal(err)
	}
	s := newEventSchema(sc.object("Account"))
	codec, err := goavro.NewCodec(s.text)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		origin := originOf(withOrigin(t.Context(), "rest", 60, callOption(http.Header{"Sforce-Call-Options": {header}}, "client")))
		native, rest, err := codec.NativeFromBinary(s.avro(&change{kind: kindCreate, id: "001", origin: origin}, record{}))
		if err != nil || len(rest) > 0 || readLogged(native).origin != origin || !utf8.ValidString(origin) || len(origin) > maxOrigin+100 {
			t.Fatalf("%q becomes %q: %v", header, origin, err)
		}
	})
}

package salesforce

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/sync/errgroup"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/soql"
)

// PhoneField is the external id field that holds a record's number in E.164 form, where an org maintains one.
const PhoneField = "Phone_E164__c"

// Lookup asks who has a telephone number. People type numbers in every form there is, so the org is asked in three steps, an
// exact field, the search index and a pattern, and what it finds is compared in E.164 form here.
type Lookup struct {
	Number string // of the caller, in E.164 form where it is known
	Region string // of numbers that records have without a country code: "US"
	Field  string // the exact field; PhoneField when empty, NoMarker for none
}

// Step says how a record was found.
type Step string

// The steps, in the order in which they are trusted.
const (
	StepField   Step = "field"
	StepSearch  Step = "search"
	StepPattern Step = "pattern"
)

// Match is one record with the number.
type Match struct {
	Record
	Object string // "Contact" or "Account"
	Step   Step
	// Sure is false when the number is the same only if it was typed in the caller's country and not in Region.
	Sure bool
}

// phoneFields are the telephone fields of an object that are looked at.
func phoneFields(object string) []string {
	if object == "Contact" {
		return []string{"Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"}
	}
	return []string{"Phone", "Fax"}
}

// shown are the fields that a look-up returns besides.
func shown(object string) []string {
	if object == "Contact" {
		return append([]string{"Id", "Name", "Email", "AccountId"}, phoneFields(object)...)
	}
	return append([]string{"Id", "Name", "Industry"}, phoneFields(object)...)
}

const (
	maxMatches  = 50               // records that one step reads of an object
	fieldMemory = 10 * time.Minute // how long an org is known to lack the exact field
)

// minDigits is how many digits a number needs before it is looked for: shorter ones, such as extensions, match half the org.
const minDigits = 6

// LookUp returns the contacts and accounts that have the number, the best first: who surely has it before who only may, then by the
// step that found them, then by name. Finding nobody is no error; a number that is withheld or shorter than six digits is nobody's.
func (c *Client) LookUp(ctx context.Context, l Lookup) ([]Match, error) {
	n := numberOf(l.Number, l.Region)
	if crm.Withheld(l.Number) || len(n.national) < minDigits {
		return nil, nil
	}
	var exact, found []Match
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { exact, err = c.byField(gctx, l, n); return err })
	g.Go(func() (err error) { found, err = c.bySearch(gctx, n); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	list := append(exact, found...)
	if len(list) == 0 {
		var err error
		if list, err = c.byPattern(ctx, n); err != nil {
			return nil, err
		}
	}
	return ranked(list), nil
}

// ranked orders matches, each record once.
func ranked(list []Match) []Match {
	order := map[Step]int{StepField: 0, StepSearch: 1, StepPattern: 2}
	slices.SortStableFunc(list, func(a, b Match) int {
		if a.Sure != b.Sure {
			return map[bool]int{true: -1, false: 1}[a.Sure]
		}
		return cmp.Or(cmp.Compare(order[a.Step], order[b.Step]), strings.Compare(a.Text("Name"), b.Text("Name")))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(m Match) bool {
		dup := seen[m.ID()]
		seen[m.ID()] = true
		return dup
	})
}

// byField asks the exact field, unless the org is known not to have it.
func (c *Client) byField(ctx context.Context, l Lookup, n number) (list []Match, err error) {
	field := l.Field
	if field == "" {
		field = PhoneField
	}
	if field == NoMarker || n.e164 == "" {
		return nil, nil
	}
	for _, object := range []string{"Contact", "Account"} {
		if c.lacks(object + "." + field) {
			continue
		}
		q, err := soql.Build(object).Select(shown(object)...).Where(field, "=", n.e164).Limit(maxMatches).Text()
		if err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "the field for numbers in E.164 form cannot be asked for: check its name")
		}
		for rec, err := range c.Query(ctx, Query{Text: q}) {
			if apiErr, ok := errors.AsType[*APIError](err); ok && (apiErr.Code == "INVALID_FIELD" || apiErr.Code == "INVALID_TYPE") {
				c.remember(object + "." + field)
				break
			}
			if err != nil {
				return nil, err
			}
			list = append(list, Match{Record: rec, Object: object, Step: StepField, Sure: true})
		}
	}
	return list, nil
}

// lacks and remember keep what the org was found not to have.
func (c *Client) lacks(field string) bool {
	at, ok := c.missing.Load(field)
	since, _ := at.(time.Time)
	return ok && time.Since(since) < fieldMemory
}

func (c *Client) remember(field string) { c.missing.Store(field, time.Now()) }

// bySearch asks the search index, which knows numbers by their digits.
func (c *Client) bySearch(ctx context.Context, n number) ([]Match, error) {
	q, err := soql.FindPhone(n.national, maxMatches, soql.Found{Object: "Contact", Fields: shown("Contact")}, soql.Found{Object: "Account", Fields: shown("Account")})
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the number cannot be searched for")
	}
	list, err := c.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return n.only(list, StepSearch, ""), nil
}

// byPattern reads every record whose number has the digits in this order: slow in a large org, and only for what the index
// does not know yet, or was typed so that it does not find it.
func (c *Client) byPattern(ctx context.Context, n number) (all []Match, err error) {
	for _, object := range []string{"Contact", "Account"} {
		q, err := soql.Build(object).Select(shown(object)...).AnyLike(phoneFields(object), strings.Split(n.national, "")...).Limit(maxMatches).Text()
		if err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "the number cannot be searched for")
		}
		var list []Record
		for rec, err := range c.Query(ctx, Query{Text: q}) {
			if err != nil {
				return nil, err
			}
			list = append(list, rec)
		}
		all = append(all, n.only(list, StepPattern, object)...)
	}
	return all, nil
}

// number is a caller's number in the forms that are compared.
type number struct {
	e164     string // "" when it is no telephone number
	national string // digits as typed within the country
	own      string // the caller's region
	region   string // of records
}

func numberOf(text, region string) number {
	n := number{region: region, own: region, national: crm.Digits(text)}
	parsed, ok := parse(text, region)
	if !ok {
		return n
	}
	n.e164 = phonenumbers.Format(parsed, phonenumbers.E164)
	n.national = phonenumbers.GetNationalSignificantNumber(parsed)
	if own := phonenumbers.GetRegionCodeForNumber(parsed); own != "" && own != "001" {
		n.own = own
	} else if own := phonenumbers.GetRegionCodeForCountryCode(int(parsed.GetCountryCode())); own != "" && own != "ZZ" && own != "001" {
		n.own = own
	}
	return n
}

// parse reads a caller's number. Networks leave the plus away or put another country's international prefix before it.
func parse(text, region string) (*phonenumbers.PhoneNumber, bool) {
	parsed, err := phonenumbers.Parse(text, region)
	if err == nil && phonenumbers.IsPossibleNumber(parsed) {
		return parsed, true
	}
	digits := strings.TrimPrefix(crm.Digits(text), "00")
	parsed, err = phonenumbers.Parse("+"+digits, region)
	return parsed, err == nil && phonenumbers.IsValidNumber(parsed)
}

// only keeps the records that have the number.
func (n number) only(list []Record, step Step, object string) (out []Match) {
	for _, rec := range list {
		m := Match{Record: rec, Object: object, Step: step}
		if object == "" {
			m.Object = rec.Type()
		}
		ok := false
		for _, f := range phoneFields(m.Object) {
			if text := rec.Text(f); text != "" {
				has, sure := n.is(text)
				ok, m.Sure = ok || has, m.Sure || sure
			}
		}
		if ok {
			out = append(out, m)
		}
	}
	return out
}

// is says whether a text somebody typed is the number, and whether that is sure. Words beside the number are left out of account, and
// of several numbers in one field each counts.
func (n number) is(text string) (has, sure bool) {
	if has, sure = n.same(text); has || n.e164 == "" {
		return has, sure
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || strings.ContainsRune(";,|\n", r) })
	for _, part := range parts {
		if part == text || len(crm.Digits(part)) <= minDigits {
			continue
		}
		if has, sure = n.same(strings.Trim(part, " .:(-")); has {
			return has, sure
		}
	}
	return false, false
}

// same says whether a text is the number. A text without a country code is read as of the records' region first, and when it is no
// number there, as of the caller's.
func (n number) same(text string) (has, sure bool) {
	if n.e164 == "" {
		return crm.Digits(text) == n.national, true
	}
	there, err := phonenumbers.Parse(text, n.region)
	if err == nil && phonenumbers.Format(there, phonenumbers.E164) == n.e164 {
		return true, true
	}
	// The world's usual international prefix is typed in countries that have another one, too.
	if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " ("), "00"); ok {
		if there, err := phonenumbers.Parse("+"+rest, n.region); err == nil && phonenumbers.Format(there, phonenumbers.E164) == n.e164 {
			return true, true
		}
	}
	if n.own == n.region || err == nil && phonenumbers.IsValidNumber(there) {
		return false, false
	}
	here, err := phonenumbers.Parse(text, n.own)
	return err == nil && phonenumbers.Format(here, phonenumbers.E164) == n.e164, false
}

package salesforce

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// meaning is a query and its exact result: the records without their attributes, numbers as they are written, or "!CODE
// message" for a fault whose message holds the text.
type meaning struct{ point, q, want string }

// meaningOrg holds the records all tables below are about. It is 15:30 UTC on Wednesday, 18 November 2026; the user is Ada
// Admin, in the zone GMT and the locale en_US.
//
//	Account  Industry  Rating  AnnualRevenue  NumberOfEmployees  Channels__c  BillingCity    Loc__c
//	Acme     Energy    Hot     1000           10                 Phone;Mail   San Francisco  there
//	beta 50% Media     Cold    12345678       -                  Chat         Chicago        there
//	Émile_x  -         -       -              30                 -            -              a latitude alone
//	zeta     Energy    Warm    0.0005         -                  -            London         there
//
//	Contact  Account   Birthdate    Case   Contact  Status  Priority  Owner     Task    Who  What  Owner
//	O'Brien  Acme      1990-05-01   One    O'Brien  New     Medium    Ada       Call    Ana  Acme  Ada
//	Zed      beta 50%  2026-11-17   Two    O'Brien  Closed  High      Ada       Mail    -    One   Ada
//	Lone     -         -            Three  -        New     Medium    Support   Wait    -    -     Ana Silva
//
// beta 50% is a child of Acme.
func meaningOrg(t *testing.T) *testOrg {
	t.Helper()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Account", Fields: []CustomField{
		{Name: "Channels__c", Type: "multipicklist", Values: []string{"Phone", "Chat", "Mail"}},
		{Name: "Loc__c", Type: "location"},
	}}}})
	acme := o.create("Account", `{"Name":"Acme","Phone":"(415) 555-0100","Industry":"Energy","Rating":"Hot","AnnualRevenue":1000,"NumberOfEmployees":10,`+
		`"Channels__c":"Phone;Mail","BillingStreet":"1 Main St","BillingCity":"San Francisco","BillingState":"CA","BillingPostalCode":"94105","BillingCountry":"USA",`+
		`"BillingLatitude":37.7749,"BillingLongitude":-122.4194,"BillingGeocodeAccuracy":"Zip","Loc__Latitude__s":37.7749,"Loc__Longitude__s":-122.4194}`)
	beta := o.create("Account", `{"Name":"beta 50%","Industry":"Media","Rating":"Cold","AnnualRevenue":12345678,"ParentId":"`+acme+`","Channels__c":"Chat",`+
		`"BillingCity":"Chicago","BillingLatitude":41.8781,"BillingLongitude":-87.6298,"Loc__Latitude__s":41.8781,"Loc__Longitude__s":-87.6298}`)
	o.create("Account", `{"Name":"Émile_x","NumberOfEmployees":30,"Loc__Latitude__s":48.8566}`)
	o.create("Account", `{"Name":"zeta","Industry":"Energy","Rating":"Warm","AnnualRevenue":0.0005,"BillingCity":"London","BillingLatitude":51.5074,`+
		`"BillingLongitude":-0.1278,"Loc__Latitude__s":51.5074,"Loc__Longitude__s":-0.1278}`)
	ana := o.create("Contact", `{"FirstName":"Ana","LastName":"O'Brien","AccountId":"`+acme+`","Phone":"+1 415-555-0101","Email":"ana@acme.example","Birthdate":"1990-05-01"}`)
	o.create("Contact", `{"LastName":"Zed","AccountId":"`+beta+`","MobilePhone":"415.555.0102","Birthdate":"2026-11-17"}`)
	o.create("Contact", `{"LastName":"Lone"}`)
	one := o.create("Case", `{"Subject":"One","ContactId":"`+ana+`"}`)
	o.create("Case", `{"Subject":"Two","ContactId":"`+ana+`","Status":"Closed","Priority":"High"}`)
	o.create("Case", `{"Subject":"Three","OwnerId":"`+makeID("00G", 1)+`"}`)
	o.create("Task", `{"Subject":"Call","WhoId":"`+ana+`","WhatId":"`+acme+`","CallDurationInSeconds":65}`)
	o.create("Task", `{"Subject":"Mail","WhatId":"`+one+`"}`)
	o.create("Task", `{"Subject":"Wait","OwnerId":"`+makeID("005", 3)+`"}`)
	return o
}

var attributesOf = regexp.MustCompile(`"attributes":\{[^{}]*\},?`)

// means runs a table.
func (o *testOrg) means(t *testing.T, table []meaning) {
	t.Helper()
	for _, c := range table {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			status, body := o.soql(c.q)
			o.judge(t, c, status, body, "records")
		})
	}
}

func (o *testOrg) judge(t *testing.T, c meaning, status int, body, key string) {
	t.Helper()
	if fault, wanted := strings.CutPrefix(c.want, "!"); wanted {
		code, message, _ := strings.Cut(fault, " ")
		var list []apiError
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || status != http.StatusBadRequest {
			t.Fatalf("%s\n got %d %.600s\nwant %s", c.q, status, body, c.want)
		}
		if list[0].Code != code || !strings.Contains(list[0].Message, message) {
			t.Errorf("%s\n got %s %s\nwant %s", c.q, list[0].Code, list[0].Message, c.want)
		}
		return
	}
	var res map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK {
		t.Fatalf("%s\n got %d %.600s\nwant %s", c.q, status, body, c.want)
	}
	if got := attributesOf.ReplaceAllString(string(res[key]), ""); got != c.want {
		t.Errorf("%s\n got %s\nwant %s", c.q, got, c.want)
	}
}

func TestMeaningOfSelect(t *testing.T) {
	t.Parallel()
	meaningOrg(t).means(t, []meaning{
		{"names without case, answers in canonical case and in the order of SELECT", "select NAME, industry, id from aCCount where NAME = 'Acme'", `[{"Name":"Acme","Industry":"Energy","Id":"001000000000001AAA"}]`},
		{"prefix of the entity and alias", "SELECT Account.Name, a.Industry FROM Account a WHERE a.Name = 'zeta'", `[{"Name":"zeta","Industry":"Energy"}]`},
		{"AS before an alias", "SELECT a.Name FROM Account AS a WHERE a.Name = 'zeta'", `[{"Name":"zeta"}]`},
		{"alias of a relationship", "SELECT c.LastName, p.Name FROM Contact c, c.Account.Parent p WHERE p.Name = 'Acme'", `[{"LastName":"Zed","Account":{"Parent":{"Name":"Acme"}}}]`},
		{"parents nest, also those of parents", "SELECT Account.Parent.Name, LastName, Account.Name FROM Contact WHERE LastName = 'Zed'", `[{"Account":{"Parent":{"Name":"Acme"},"Name":"beta 50%"},"LastName":"Zed"}]`},
		{"a null parent is null", "SELECT LastName, Account.Owner.Name FROM Contact WHERE LastName = 'Lone'", `[{"LastName":"Lone","Account":null}]`},
		{"a null parent of a parent is null", "SELECT Account.Parent.Owner.Name FROM Contact WHERE LastName = 'O\\'Brien'", `[{"Account":{"Parent":null}}]`},
		{"five levels up", "SELECT Id FROM Contact WHERE Account.Parent.Parent.Parent.Parent.Name = 'x'", `[]`},
		{"six levels up", "SELECT Id FROM Contact WHERE Account.Parent.Parent.Parent.Parent.Parent.Name = 'x'", "!MALFORMED_QUERY up to 5 levels"},
		{"duplicate field", "SELECT Name, NAME FROM Account", "!INVALID_FIELD duplicate field selected: Name"},
		{"duplicate field of a parent", "SELECT Account.Name, Account.NAME FROM Contact", "!INVALID_FIELD duplicate field selected: Name"},
		{"an alias names functions alone", "SELECT Name n FROM Account", "!MALFORMED_QUERY only aggregate expressions use field aliasing"},
		{"child rows are a result of their own", "SELECT Name, (SELECT LastName, Birthdate FROM Contacts) FROM Account WHERE Name = 'Acme'", `[{"Name":"Acme","Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"O'Brien","Birthdate":"1990-05-01"}]}}]`},
		{"no child rows are null", "SELECT (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'zeta'", `[{"Contacts":null}]`},
		{"children with WHERE, ORDER BY, LIMIT", "SELECT LastName, (SELECT Subject FROM Cases WHERE Subject != 'x' ORDER BY Subject DESC LIMIT 1) FROM Contact WHERE LastName LIKE 'O%'", `[{"LastName":"O'Brien","Cases":{"totalSize":1,"done":true,"records":[{"Subject":"Two"}]}}]`},
		{"a parent's field of children", "SELECT (SELECT Subject, Contact.LastName FROM Cases WHERE IsClosed = true) FROM Contact WHERE LastName LIKE 'O%'", `[{"Cases":{"totalSize":1,"done":true,"records":[{"Subject":"Two","Contact":{"LastName":"O'Brien"}}]}}]`},
		{"the relationship as prefix among children", "SELECT (SELECT Contacts.LastName FROM Contacts WHERE Contacts.Account.Industry = 'Media') FROM Account WHERE Name LIKE 'b%'", `[{"Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"Zed"}]}}]`},
		{"an alias among children", "SELECT (SELECT c.LastName FROM a.Contacts c WHERE c.Birthdate != null) FROM Account a WHERE a.Name LIKE 'b%'", `[{"Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"Zed"}]}}]`},
		{"three levels down", "SELECT (SELECT (SELECT Subject FROM Cases WHERE IsClosed = true) FROM Contacts) FROM Account WHERE Name = 'Acme'", `[{"Contacts":{"totalSize":1,"done":true,"records":[{"Cases":{"totalSize":1,"done":true,"records":[{"Subject":"Two"}]}}]}}]`},
		{"five levels down", "SELECT (SELECT (SELECT (SELECT (SELECT Id FROM CaseComments) FROM Cases) FROM Cases) FROM Contacts) FROM Account WHERE Name = 'zeta'", `[{"Contacts":null}]`},
		{"unknown child relationship", "SELECT (SELECT Id FROM Contact) FROM Account", "!INVALID_TYPE Didn't understand relationship 'Contact' in FROM part of query call."},
		{"COUNT() of children", "SELECT (SELECT COUNT() FROM Contacts) FROM Account", "!MALFORMED_QUERY only root queries support aggregate expressions"},
		{"booleans are true or false", "SELECT IsDeleted FROM Account WHERE Name = 'Acme'", `[{"IsDeleted":false}]`},
		{"datetimes in UTC with milliseconds", "SELECT CreatedDate FROM Account WHERE Name = 'Acme'", `[{"CreatedDate":"2026-11-18T15:30:00.000+0000"}]`},
		{"whole numbers and others", "SELECT NumberOfEmployees, AnnualRevenue FROM Account WHERE Name = 'Acme'", `[{"NumberOfEmployees":10,"AnnualRevenue":1000.0}]`},
		{"numbers of eight digits and more have exponents", "SELECT AnnualRevenue FROM Account WHERE Name = 'beta 50%'", `[{"AnnualRevenue":1.2345678E7}]`},
		{"so have small ones", "SELECT AnnualRevenue FROM Account WHERE Name = 'zeta'", `[{"AnnualRevenue":5.0E-4}]`},
		{"FIELDS(CUSTOM)", "SELECT FIELDS(CUSTOM) FROM Contact WHERE LastName = 'Zed' LIMIT 200", `[{"Phone_E164__c":null,"Ext__c":null}]`},
		{"FIELDS(ALL) without a limit", "SELECT FIELDS(ALL) FROM Account", "!MALFORMED_QUERY The SOQL FIELDS function must have a LIMIT of at most 200"},
		{"FIELDS(CUSTOM) with a limit of 201", "SELECT FIELDS(CUSTOM) FROM Account LIMIT 201", "!MALFORMED_QUERY The SOQL FIELDS function must have a LIMIT of at most 200"},
		{"FIELDS of something else", "SELECT FIELDS(SOME) FROM Account LIMIT 1", "!INVALID_FIELD FIELDS takes ALL, STANDARD or CUSTOM"},
		{"FIELDS and a field of it", "SELECT Id, FIELDS(STANDARD) FROM Account", "!INVALID_FIELD duplicate field selected: Id"},
		{"LIMIT 0", "SELECT Id FROM Account LIMIT 0", `[]`},
		{"a negative limit", "SELECT Id FROM Account LIMIT -10", "!MALFORMED_QUERY"},
		{"OFFSET", "SELECT Name FROM Account ORDER BY Name LIMIT 2 OFFSET 2", `[{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"OFFSET 2000", "SELECT Name FROM Account OFFSET 2000", `[]`},
		{"OFFSET 2001", "SELECT Name FROM Account OFFSET 2001", "!NUMBER_OUTSIDE_VALID_RANGE Maximum SOQL offset allowed is 2000"},
		{"toLabel", "SELECT toLabel(Industry) FROM Account WHERE Name = 'Acme'", `[{"Industry":"Energy"}]`},
		{"toLabel with an alias beside the field", "SELECT Industry, toLabel(Industry) label FROM Account WHERE Name = 'Acme'", `[{"Industry":"Energy","label":"Energy"}]`},
		{"toLabel beside the field needs an alias", "SELECT Industry, toLabel(Industry) FROM Account", "!INVALID_FIELD duplicate field selected: Industry"},
		{"toLabel of a parent's field", "SELECT toLabel(Account.Industry) FROM Contact WHERE LastName = 'Zed'", `[{"Account":{"Industry":"Media"}}]`},
		{"toLabel in WHERE", "SELECT Name FROM Account WHERE toLabel(Industry) = 'media'", `[{"Name":"beta 50%"}]`},
		{"FORMAT of numbers", "SELECT FORMAT(AnnualRevenue), AnnualRevenue raw FROM Account", "!MALFORMED_QUERY only aggregate expressions use field aliasing"},
		{"FORMAT of money", "SELECT AnnualRevenue, FORMAT(AnnualRevenue) text FROM Account WHERE Name = 'beta 50%'", `[{"AnnualRevenue":1.2345678E7,"text":"$12,345,678.00"}]`},
		{"FORMAT of days and moments", "SELECT FORMAT(Birthdate), FORMAT(CreatedDate) FROM Contact WHERE LastName = 'Zed'", `[{"Birthdate":"11/17/2026","CreatedDate":"11/18/2026, 3:30 PM"}]`},
		{"FORMAT of nothing", "SELECT FORMAT(Birthdate) FROM Contact WHERE LastName = 'Lone'", `[{"Birthdate":null}]`},
		{"FORMAT of an aggregate", "SELECT FORMAT(MIN(Birthdate)) d FROM Contact", `[{"d":"5/1/1990"}]`},
		{"convertCurrency with one currency", "SELECT convertCurrency(AnnualRevenue) FROM Account", "!MALFORMED_QUERY convertCurrency"},
		{"duplicate alias", "SELECT FORMAT(Birthdate) d, FORMAT(CreatedDate) D FROM Contact", "!MALFORMED_QUERY duplicate alias: D"},
		{"a date function outside a grouped query", "SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "!MALFORMED_QUERY Grouped query required"},
		{"an unknown function", "SELECT UPPERCASE(Name) FROM Account", "!INVALID_FIELD unknown function 'UPPERCASE'"},
		{"unknown entity", "SELECT Id FROM Nothing", "!INVALID_TYPE \nSELECT Id FROM Nothing\n               ^\nERROR at Row:1:Column:16\nsObject type 'Nothing' is not supported."},
		{"unknown field, in its row", "SELECT Id,\n Foo\nFROM Account", "!INVALID_FIELD \n Foo\n ^\nERROR at Row:2:Column:2\nNo such column 'Foo' on entity 'Account'."},
		{"unknown relationship", "SELECT Foo.Name FROM Account", "!INVALID_FIELD Didn't understand relationship 'Foo' in field path."},
		{"a relationship is no field", "SELECT Owner FROM Account", "!INVALID_FIELD No such column 'Owner' on entity 'Account'."},
		{"names of Apex alone", "SELECT Id FROM Account FOR UPDATE", "!MALFORMED_QUERY"},
		{"ALL ROWS is of Apex alone", "SELECT Id FROM Account ALL ROWS", "!MALFORMED_QUERY unexpected token"},
		{"bind variables are of Apex alone", "SELECT Id FROM Account WHERE Name = :x", "!MALFORMED_QUERY unexpected token: ':'"},
		{"comments of a line are of Apex alone", "SELECT Id FROM Account // all", "!MALFORMED_QUERY unexpected token: '/'"},
		{"comments are of Apex alone", "SELECT Id /* all */ FROM Account", "!MALFORMED_QUERY unexpected token: '/'"},
		{"SELECT *", "SELECT * FROM Account", "!MALFORMED_QUERY unexpected token: '*'"},
		{"a semicolon at the end", "SELECT Name FROM Account WHERE Name = 'zeta';", `[{"Name":"zeta"}]`},
	})
}

func TestMeaningOfWhere(t *testing.T) {
	t.Parallel()
	ids := strings.Repeat("'001000000000001AAA',", 400)
	meaningOrg(t).means(t, []meaning{
		{"texts compare without case", "SELECT Name FROM Account WHERE Name = 'éMILE_X'", `[{"Name":"Émile_x"}]`},
		{"texts are less and greater without case", "SELECT Name FROM Account WHERE Name > 'B' AND Name < 'ZZ' ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"LIKE without case, % is any text", "SELECT Name FROM Account WHERE Name LIKE '%ET%' ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"LIKE _ is one character", "SELECT Name FROM Account WHERE Name LIKE '_cme'", `[{"Name":"Acme"}]`},
		{"LIKE with an escaped %", `SELECT Name FROM Account WHERE Name LIKE '%0\%'`, `[{"Name":"beta 50%"}]`},
		{"LIKE with an escaped _", `SELECT Name FROM Account WHERE Name LIKE '%\_x'`, `[{"Name":"Émile_x"}]`},
		{"LIKE without wildcards is equal", "SELECT Name FROM Account WHERE Name LIKE 'ACME'", `[{"Name":"Acme"}]`},
		{"a number is compared as it is written", "SELECT Name FROM Account WHERE Phone = '+14155550100'", `[]`},
		{"LIKE finds its digits in their order", "SELECT Name FROM Account WHERE Phone LIKE '%415%555%0100'", `[{"Name":"Acme"}]`},
		{"LIKE of a number", "SELECT Name FROM Account WHERE AnnualRevenue LIKE '1%'", "!INVALID_QUERY_FILTER_OPERATOR"},
		{"LIKE of an id", "SELECT Name FROM Account WHERE Id LIKE '001%'", "!INVALID_QUERY_FILTER_OPERATOR invalid operator on id field"},
		{"escapes in texts", `SELECT LastName FROM Contact WHERE LastName = 'O\'BRIEN'`, `[{"LastName":"O'Brien"}]`},
		{"an unknown escape", `SELECT Id FROM Contact WHERE LastName = 'a\q'`, "!MALFORMED_QUERY Invalid string literal"},
		{"= null", "SELECT Name FROM Account WHERE Industry = null", `[{"Name":"Émile_x"}]`},
		{"= '' is = null", "SELECT Name FROM Account WHERE Industry = ''", `[{"Name":"Émile_x"}]`},
		{"!= null", "SELECT Name FROM Account WHERE Rating != null ORDER BY Name", `[{"Name":"Acme"},{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"<> is !=", "SELECT Name FROM Account WHERE Rating <> 'hot' AND Rating <> null ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"!= holds for null", "SELECT Name FROM Account WHERE Industry != 'energy' ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"!= of numbers holds for null", "SELECT Name FROM Account WHERE NumberOfEmployees != 10 ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"nothing is less than null", "SELECT Name FROM Account WHERE NumberOfEmployees < null", `[]`},
		{"null is not less", "SELECT Name FROM Account WHERE NumberOfEmployees < 11", `[{"Name":"Acme"}]`},
		{"NOT of null is true", "SELECT Name FROM Account WHERE NOT (NumberOfEmployees > 11)", `[{"Name":"Acme"},{"Name":"beta 50%"},{"Name":"zeta"}]`},
		{"NOT in parentheses", "SELECT Name FROM Account WHERE (NOT Industry = 'Energy') AND Name != 'x' ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"IN", "SELECT Name FROM Account WHERE Industry IN ('MEDIA', 'none')", `[{"Name":"beta 50%"}]`},
		{"IN with null", "SELECT Name FROM Account WHERE Industry IN ('media', null) ORDER BY Name", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"NOT IN holds for null", "SELECT Name FROM Account WHERE Industry NOT IN ('energy')", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"NOT IN with null", "SELECT Name FROM Account WHERE Industry NOT IN ('energy', null)", `[{"Name":"beta 50%"}]`},
		{"IN of numbers", "SELECT Name FROM Account WHERE NumberOfEmployees IN (10, 30.0) ORDER BY Name", `[{"Name":"Acme"},{"Name":"Émile_x"}]`},
		{"AND and OR need parentheses", "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "!MALFORMED_QUERY unexpected token: 'OR'"},
		{"NOT and AND need parentheses", "SELECT Id FROM Account WHERE NOT Name = 'a' AND Name = 'b'", "!MALFORMED_QUERY unexpected token: 'AND'"},
		{"OR within AND", "SELECT Name FROM Account WHERE Industry = 'Energy' AND (Rating = 'Hot' OR Rating = 'Cold')", `[{"Name":"Acme"}]`},
		{"INCLUDES: all values of one text", "SELECT Name FROM Account WHERE Channels__c INCLUDES ('mail;phone')", `[{"Name":"Acme"}]`},
		{"INCLUDES: one text of several", "SELECT Name FROM Account WHERE Channels__c INCLUDES ('mail;chat', 'Chat', 'Fax')", `[{"Name":"beta 50%"}]`},
		{"EXCLUDES holds for null", "SELECT Name FROM Account WHERE Channels__c EXCLUDES ('chat') ORDER BY Name", `[{"Name":"Acme"},{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"several values are one text", "SELECT Name FROM Account WHERE Channels__c = 'Phone;Mail'", `[{"Name":"Acme"}]`},
		{"INCLUDES of a text", "SELECT Id FROM Account WHERE Name INCLUDES ('x')", "!INVALID_QUERY_FILTER_OPERATOR"},
		{"booleans", "SELECT Subject FROM Case WHERE IsClosed = TRUE", `[{"Subject":"Two"}]`},
		{"= null of a boolean is false", "SELECT Subject FROM Case WHERE IsClosed = null ORDER BY Subject", `[{"Subject":"One"},{"Subject":"Three"}]`},
		{"!= null of a boolean is true", "SELECT Subject FROM Case WHERE IsClosed != null", `[{"Subject":"Two"}]`},
		{"a boolean is not greater", "SELECT Id FROM Case WHERE IsClosed > false", "!INVALID_QUERY_FILTER_OPERATOR"},
		{"a boolean in quotes", "SELECT Id FROM Case WHERE IsClosed = 'true'", "!INVALID_FIELD value of filter criterion for field 'IsClosed' must be of type boolean and should not be enclosed in quotes"},
		{"a text without quotes", "SELECT Id FROM Account WHERE Name = 5", "!INVALID_FIELD value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes"},
		{"a number in quotes", "SELECT Id FROM Account WHERE NumberOfEmployees = '5'", "!INVALID_FIELD value of filter criterion for field 'NumberOfEmployees' must be of type int and should not be enclosed in quotes"},
		{"negative numbers and fractions", "SELECT Name FROM Account WHERE AnnualRevenue > -1.5 AND AnnualRevenue < 0.001", `[{"Name":"zeta"}]`},
		{"exponents", "SELECT Id FROM Account WHERE AnnualRevenue = 1.5e3", "!MALFORMED_QUERY unexpected token: 'e3'"},
		{"double quotes", `SELECT Id FROM Account WHERE Name = "Acme"`, "!MALFORMED_QUERY unexpected token"},
		{"ids of 15 characters", "SELECT Name FROM Account WHERE Id = '001000000000001'", `[{"Name":"Acme"}]`},
		{"ids of 15 characters tell case", "SELECT Name FROM Account WHERE OwnerId = '00g000000000001'", `[]`},
		{"ids of 18 characters do not", "SELECT Name FROM Account WHERE Id = '001000000000001aaa'", `[{"Name":"Acme"}]`},
		{"a text that is no id", "SELECT Id FROM Account WHERE Id = 'Acme'", "!INVALID_QUERY_FILTER_OPERATOR invalid ID field: Acme"},
		{"a text that is no id in a list", "SELECT Id FROM Account WHERE OwnerId IN ('005000000000001', 'x')", "!INVALID_QUERY_FILTER_OPERATOR invalid ID field: x"},
		{"an id with a wrong end", "SELECT Id FROM Account WHERE Id = '001000000000001AAB'", "!INVALID_QUERY_FILTER_OPERATOR invalid ID field"},
		{"an id is not in quotes", "SELECT Id FROM Account WHERE Id = 1", "!INVALID_FIELD must be of type ID and should be enclosed in quotes"},
		{"many ids", "SELECT Name FROM Account WHERE Id IN (" + ids + "'001000000000004AAA')", `[{"Name":"Acme"},{"Name":"zeta"}]`},
		{"a parent's field", "SELECT LastName FROM Contact WHERE Account.Industry = 'Media'", `[{"LastName":"Zed"}]`},
		{"a parent's field is null where there is no parent", "SELECT LastName FROM Contact WHERE Account.Name = null", `[{"LastName":"Lone"}]`},
		{"!= of a parent's field holds where there is no parent", "SELECT LastName FROM Contact WHERE Account.Name != 'acme' ORDER BY LastName", `[{"LastName":"Lone"},{"LastName":"Zed"}]`},
		{"sums and differences", "SELECT Name FROM Account WHERE AnnualRevenue - NumberOfEmployees = 990", `[{"Name":"Acme"}]`},
		{"long text", "SELECT Id FROM Account WHERE Description != null", "!INVALID_FIELD field 'Description' can not be filtered in a query call"},
		{"semi-join", "SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName LIKE 'Z%')", `[{"Name":"beta 50%"}]`},
		{"semi-join over a reference", "SELECT LastName FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Rating = 'Hot')", `[{"LastName":"O'Brien"}]`},
		{"anti-join", "SELECT Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact) ORDER BY Name", `[{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"anti-join of a reference holds for null", "SELECT LastName FROM Contact WHERE AccountId NOT IN (SELECT Id FROM Account WHERE Rating = 'Hot') ORDER BY LastName", `[{"LastName":"Lone"},{"LastName":"Zed"}]`},
		{"two semi-joins", "SELECT LastName FROM Contact WHERE Id IN (SELECT ContactId FROM Case) AND AccountId IN (SELECT Id FROM Account)", `[{"LastName":"O'Brien"}]`},
		{"three semi-joins", "SELECT Id FROM Contact WHERE Id IN (SELECT ContactId FROM Case) AND AccountId IN (SELECT Id FROM Account) AND OwnerId IN (SELECT Id FROM User)", "!MALFORMED_QUERY Maximum 2 semi join sub-selects are allowed"},
		{"semi-join within OR", "SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)", "!MALFORMED_QUERY Semi join sub-selects are only allowed at the top level"},
		{"semi-join within NOT", "SELECT Id FROM Account WHERE NOT Id IN (SELECT AccountId FROM Contact)", "!MALFORMED_QUERY Semi join sub-selects are only allowed at the top level"},
		{"semi-join within a semi-join", "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))", "!MALFORMED_QUERY Nesting of semi join sub-selects is not supported"},
		{"semi-join of the same entity", "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)", "!MALFORMED_QUERY The inner and outer selects should not be on the same object type"},
		{"semi-join of two fields", "SELECT Id FROM Account WHERE Id IN (SELECT AccountId, Id FROM Contact)", "!MALFORMED_QUERY unexpected token: ','"},
		{"semi-join with a limit", "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)", "!MALFORMED_QUERY unexpected token: 'LIMIT'"},
		{"semi-join of a field that is no id", "SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)", "!MALFORMED_QUERY should point to the same object type"},
		{"semi-join of another entity", "SELECT Id FROM Account WHERE Id IN (SELECT ContactId FROM Case)", "!INVALID_FIELD should point to the same object type"},
		{"semi-join of a parent's field", "SELECT Id FROM Account WHERE OwnerId IN (SELECT Account.OwnerId FROM Contact)", "!MALFORMED_QUERY cannot be of a parent"},
		{"semi-join of a text", "SELECT Id FROM Account WHERE Name IN (SELECT Id FROM Contact)", "!INVALID_QUERY_FILTER_OPERATOR"},
		{"semi-join of tasks", "SELECT Id FROM Account WHERE Id IN (SELECT WhatId FROM Task)", "!MALFORMED_QUERY Entity 'Task' is not supported for semi join inner selects"},
		{"an aggregate", "SELECT Id FROM Account WHERE COUNT(Id) > 1", "!MALFORMED_QUERY aggregate function COUNT is not allowed here"},
	})
}

func TestMeaningOfOrder(t *testing.T) {
	t.Parallel()
	meaningOrg(t).means(t, []meaning{
		{"texts without case", "SELECT Name FROM Account ORDER BY Name", `[{"Name":"Acme"},{"Name":"beta 50%"},{"Name":"zeta"},{"Name":"Émile_x"}]`},
		{"nulls are first", "SELECT NumberOfEmployees FROM Account ORDER BY NumberOfEmployees", `[{"NumberOfEmployees":null},{"NumberOfEmployees":null},{"NumberOfEmployees":10},{"NumberOfEmployees":30}]`},
		{"nulls are first in descending order too", "SELECT NumberOfEmployees FROM Account ORDER BY NumberOfEmployees DESC", `[{"NumberOfEmployees":null},{"NumberOfEmployees":null},{"NumberOfEmployees":30},{"NumberOfEmployees":10}]`},
		{"NULLS LAST", "SELECT NumberOfEmployees FROM Account ORDER BY NumberOfEmployees ASC NULLS LAST", `[{"NumberOfEmployees":10},{"NumberOfEmployees":30},{"NumberOfEmployees":null},{"NumberOfEmployees":null}]`},
		{"NULLS FIRST", "SELECT Birthdate FROM Contact ORDER BY Birthdate DESC NULLS FIRST", `[{"Birthdate":null},{"Birthdate":"2026-11-17"},{"Birthdate":"1990-05-01"}]`},
		{"several fields", "SELECT Industry, Name FROM Account ORDER BY Industry DESC NULLS LAST, Name DESC", `[{"Industry":"Media","Name":"beta 50%"},{"Industry":"Energy","Name":"zeta"},{"Industry":"Energy","Name":"Acme"},{"Industry":null,"Name":"Émile_x"}]`},
		{"picklists by their definition", "SELECT Rating FROM Account ORDER BY Rating", `[{"Rating":null},{"Rating":"Hot"},{"Rating":"Warm"},{"Rating":"Cold"}]`},
		{"a parent's field, without parents first", "SELECT LastName FROM Contact ORDER BY Account.Name", `[{"LastName":"Lone"},{"LastName":"O'Brien"},{"LastName":"Zed"}]`},
		{"a field that is not selected", "SELECT Name FROM Account WHERE AnnualRevenue != null ORDER BY AnnualRevenue DESC", `[{"Name":"beta 50%"},{"Name":"Acme"},{"Name":"zeta"}]`},
		{"an alias", "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry ORDER BY n", "!INVALID_FIELD No such column 'n' on entity 'Account'."},
		{"an aggregate", "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry ORDER BY COUNT(Id) DESC, Industry", `[{"Industry":"Energy","n":2},{"Industry":null,"n":1},{"Industry":"Media","n":1}]`},
		{"an aggregate of a query without groups", "SELECT Name FROM Account ORDER BY COUNT(Id)", "!MALFORMED_QUERY"},
		{"long text", "SELECT Id FROM Account ORDER BY Description", "!INVALID_FIELD field 'Description' can not be sorted in a query call"},
		{"multi-select picklists", "SELECT Id FROM Account ORDER BY Channels__c", "!INVALID_FIELD field 'Channels__c' can not be sorted in a query call"},
		{"unknown field", "SELECT Id FROM Account ORDER BY Foo", "!INVALID_FIELD No such column 'Foo' on entity 'Account'."},
	})
}

func TestMeaningOfReferences(t *testing.T) {
	t.Parallel()
	meaningOrg(t).means(t, []meaning{
		{"Type and Name of what is pointed at", "SELECT Subject, Who.Type, Who.Name, What.Type, What.Name FROM Task ORDER BY Subject", `[{"Subject":"Call","Who":{"Type":"Contact","Name":"Ana O'Brien"},"What":{"Type":"Account","Name":"Acme"}},{"Subject":"Mail","Who":null,"What":{"Type":"Case","Name":"00001001"}},{"Subject":"Wait","Who":null,"What":null}]`},
		{"Type in a condition", "SELECT Subject FROM Task WHERE What.Type = 'case'", `[{"Subject":"Mail"}]`},
		{"Type in a list", "SELECT Subject FROM Task WHERE What.Type IN ('Account', 'Case') ORDER BY Subject", `[{"Subject":"Call"},{"Subject":"Mail"}]`},
		{"Type of nothing", "SELECT Subject FROM Task WHERE What.Type = null", `[{"Subject":"Wait"}]`},
		{"a field the entity Name has", "SELECT Subject, Owner.Email FROM Case WHERE Subject = 'Three'", `[{"Subject":"Three","Owner":{"Email":null}}]`},
		{"a field the entity Name has not", "SELECT What.Industry FROM Task", "!INVALID_FIELD No such column 'Industry' on entity 'Name'."},
		{"a relationship the entity Name has not", "SELECT What.Owner.Name FROM Task", "!INVALID_FIELD Didn't understand relationship 'Owner' in field path."},
		{"the profile of an owner", "SELECT Owner.Profile.Name FROM Case WHERE Subject = 'One'", `[{"Owner":{"Profile":{"Name":"System Administrator"}}}]`},
		{"an owner that is a user alone", "SELECT Owner.Name, Owner.Alias FROM Account WHERE Name = 'Acme'", `[{"Owner":{"Name":"Ada Admin","Alias":"aadmin"}}]`},
		{"order by a field of Name", "SELECT Subject FROM Case ORDER BY Owner.Name, Subject", `[{"Subject":"One"},{"Subject":"Two"},{"Subject":"Three"}]`},
		{"group by Type", "SELECT Owner.Type, COUNT(Id) n FROM Case GROUP BY Owner.Type ORDER BY Owner.Type", `[{"Type":"Group","n":1},{"Type":"User","n":2}]`},
		{"TYPEOF, null without ELSE and without anything", "SELECT Subject, TYPEOF What WHEN Account THEN Industry, Phone END FROM Task ORDER BY Subject", `[{"Subject":"Call","What":{"Industry":"Energy","Phone":"(415) 555-0100"}},{"Subject":"Mail","What":null},{"Subject":"Wait","What":null}]`},
		{"TYPEOF with ELSE", "SELECT TYPEOF What WHEN Account THEN Industry ELSE Name, Email END FROM Task ORDER BY Subject", `[{"What":{"Industry":"Energy"}},{"What":{"Name":"00001001","Email":null}},{"What":null}]`},
		{"TYPEOF with two types", "SELECT TYPEOF What WHEN Account THEN Name WHEN Case THEN CaseNumber, Status END FROM Task ORDER BY Subject LIMIT 2", `[{"What":{"Name":"Acme"}},{"What":{"CaseNumber":"00001001","Status":"New"}}]`},
		{"TYPEOF with a parent's field", "SELECT TYPEOF What WHEN Case THEN Subject, Contact.LastName ELSE Name END FROM Task WHERE Subject = 'Mail'", `[{"What":{"Subject":"One","Contact":{"LastName":"O'Brien"}}}]`},
		{"TYPEOF with a compound", "SELECT TYPEOF What WHEN Account THEN Loc__c END FROM Task WHERE Subject = 'Call'", `[{"What":{"Loc__c":{"latitude":37.7749,"longitude":-122.4194}}}]`},
		{"TYPEOF of a parent", "SELECT Subject, TYPEOF Parent.Owner WHEN User THEN Alias END FROM Case WHERE Subject = 'One'", `[{"Subject":"One","Parent":null}]`},
		{"TYPEOF of one of a parent's", "SELECT TYPEOF Contact.Owner WHEN User THEN Alias END FROM Case", "!INVALID_FIELD TYPEOF needs a relationship to several entities"},
		{"TYPEOF of what is selected too", "SELECT Owner.Name, TYPEOF Owner WHEN User THEN Alias END FROM Case", "!INVALID_FIELD cannot be in the SELECT list"},
		{"TYPEOF with an unknown type", "SELECT TYPEOF What WHEN Foo THEN Id END FROM Task", "!INVALID_TYPE sObject type 'Foo' is not supported."},
		{"TYPEOF with an unknown field", "SELECT TYPEOF What WHEN Account THEN Foo END FROM Task", "!INVALID_FIELD No such column 'Foo' on entity 'Account'."},
		{"TYPEOF with an unknown field of Name", "SELECT TYPEOF What WHEN Account THEN Name ELSE Status END FROM Task", "!INVALID_FIELD No such column 'Status' on entity 'Name'."},
		{"TYPEOF with a type twice", "SELECT TYPEOF What WHEN Account THEN Name WHEN account THEN Phone END FROM Task", "!MALFORMED_QUERY twice"},
		{"TYPEOF in a grouped query", "SELECT COUNT(Id), TYPEOF What WHEN Account THEN Name END FROM Task", "!MALFORMED_QUERY TYPEOF is not allowed in an aggregate query"},
		{"scope mine", "SELECT Subject FROM Task USING SCOPE Mine ORDER BY Subject", `[{"Subject":"Call"},{"Subject":"Mail"}]`},
		{"scope everything", "SELECT Subject FROM Task USING SCOPE everything ORDER BY Subject", `[{"Subject":"Call"},{"Subject":"Mail"},{"Subject":"Wait"}]`},
		{"scope delegated", "SELECT Subject FROM Task USING SCOPE delegated", `[{"Subject":"Wait"}]`},
		{"scope delegated of what cannot be", "SELECT Id FROM Account USING SCOPE delegated", "!INVALID_QUERY_SCOPE"},
		{"scope team", "SELECT Id FROM Account USING SCOPE team", "!INVALID_QUERY_SCOPE"},
		{"scope mine of what has no owner", "SELECT Id FROM Profile USING SCOPE mine", "!INVALID_QUERY_SCOPE"},
		{"FOR VIEW changes nothing", "SELECT Name FROM Account WHERE Name = 'Acme' FOR VIEW", `[{"Name":"Acme"}]`},
		{"FOR REFERENCE and UPDATE change nothing", "SELECT Name FROM Account WHERE Name = 'Acme' FOR REFERENCE UPDATE VIEWSTAT", `[{"Name":"Acme"}]`},
		{"WITH SECURITY_ENFORCED", "SELECT Name FROM Account WHERE Name = 'Acme' WITH SECURITY_ENFORCED", `[{"Name":"Acme"}]`},
		{"WITH USER_MODE", "SELECT Name FROM Account WHERE Name = 'Acme' WITH USER_MODE", `[{"Name":"Acme"}]`},
		{"WITH DATA CATEGORY", "SELECT Id FROM Account WITH DATA CATEGORY a__c AT b__c", "!INVALID_FIELD"},
	})
}

// Package soql reads and writes Salesforce's query languages: SOQL and SOSL.
//
// Parse and ParseSearch turn text into a syntax tree, String methods print a tree back, and String, Like and Term quote
// values so that a caller's data can never become part of the query's grammar. The grammar is the one the REST API
// speaks: what only Apex understands (bind variables, comments, FOR UPDATE, ALL ROWS) is refused. Names are not checked
// against a schema here; every name carries its Pos so that whoever does can point at it (see Caret).
//
// All functions are safe for concurrent use. A tree is read-only once parsed.
package soql

// Limits of a query text. The first two are Salesforce's own; the third keeps a parser on the stack safe.
const (
	// MaxLength is the greatest number of characters in a query (SOQL and SOSL limits, "SOQL statements").
	MaxLength = 100_000
	// MaxString is the greatest number of characters between the quotes of one string in a WHERE clause.
	MaxString = 4_000
	// MaxDepth is the greatest nesting of parentheses and sub-queries.
	MaxDepth = 100
)

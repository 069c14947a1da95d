// Package archtest holds the import rules as a test: who may import whom.
package archtest

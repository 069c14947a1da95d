// Package sqlstore keeps the truth in SQL: every domain's Store on SQLite (one writer with group commit, a pool of
// readers) and on PostgreSQL. One Tx implements every domain's transaction; a domain's statements stand in a file of
// its name, in the subset of SQL that both engines share, and each is prepared on both by a test.
package sqlstore

// Package writes shows that what the hub writes to a Salesforce org arrives once and in order, whatever fails on the way.
package writes

// Package durability tests what the store promises whatever happens to the process: what was acknowledged is there after a
// kill, once, whole, readable and audited; what is personal never lies on disk in clear; what is old goes for good.
package durability

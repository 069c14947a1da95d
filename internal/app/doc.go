// Package app puts the hub together: it builds every part, passes each the interfaces it needs, and starts and stops them
// in order. It and its neighbours config and cli are the only packages that know all others.
package app

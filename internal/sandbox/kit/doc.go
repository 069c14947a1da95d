// Package kit is what the stand-ins for foreign platforms share: faults on demand, a bounded request log, limits on what
// a client may send, and the guard that keeps switches and pages to this machine. It knows no platform and no hub.
//
// Everything here is safe for concurrent use.
package kit

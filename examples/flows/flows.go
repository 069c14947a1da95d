// Package flows holds the flows that a new installation starts with, in the format of Webex exports.
package flows

import "embed"

// Files are the example flows.
//
//go:embed *.json
var Files embed.FS

//go:build !race

package writes

// raced says that this program runs with the race detector, which makes a database in Go ten times slower.
const raced = false

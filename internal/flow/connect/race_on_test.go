//go:build race

package connect_test

// importSlack is how much longer an import may take under the race detector.
const importSlack = 20

//go:build !race

package connect_test

const importSlack = 1

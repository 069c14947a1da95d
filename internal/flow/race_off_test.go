//go:build !race

package flow_test

const importSlack = 1

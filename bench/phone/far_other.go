//go:build !linux

package main

import "errors"

func runFar() error {
	return errors.New("prompts and bridges are measured on Linux alone: only there the kernel tells when a packet came")
}

//go:build !linux

package main

import "errors"

var errLinux = errors.New("prompts and bridges are measured on Linux alone: only there the kernel tells when a packet came")

func runFar() error { return errLinux }

func becomeRealtime() error { return errLinux }

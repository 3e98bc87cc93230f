//go:build tools

// Package tools names the programs that are built with this module's versions.
package tools

import (
	_ "github.com/containerd/containerd/cmd/containerd"
)

//go:build tools

// Package tools names the programs that are built with this module's versions.
package tools

import (
	_ "sigs.k8s.io/kueue/cmd/kueue"
)

//go:build tools

// Package tools names the programs that are built with this module's versions.
package tools

import (
	_ "k8s.io/cloud-provider-openstack/cmd/cinder-csi-plugin"
)

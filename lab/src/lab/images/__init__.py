"""The container images that are built on this machine: base, guest, analysis and hub."""

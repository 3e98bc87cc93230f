"""The embedded OpenStack: six services, three of them with drivers that work on this machine only."""

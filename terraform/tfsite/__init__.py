"""Terraform for one site: its state, key, credentials and checks, around whichever Terraform this machine has."""

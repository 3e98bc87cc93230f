"""Inputs: where they come from, what is in them, and how they can be cut."""

"""The facility: what was declared, what was built, what has joined, what it delivers."""

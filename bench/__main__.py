"""`python -m bench` is the command `bench`."""

from .cli import main

main()

"""`python -m bench` is the command `bench`."""

import sys

# `uv run bench` in a checkout in which nothing is installed takes the folder for a program.
if not __package__:
    sys.exit("bench: not installed in this checkout\n  next: make env, then .venv/bin/bench or uv run bench")

from .cli import main

main()

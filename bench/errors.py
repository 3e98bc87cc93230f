"""What goes wrong, said in a way that can be acted on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of the command `bench`."""

    OK = 0
    FAILED = 1  # the run could not be done, or `validate` found something that is not as ordered
    CANNOT_TELL = 2  # wrong usage, or `validate` could not look
    INVALID = 3  # the run was done, and its result must not be used


class BenchError(Exception):
    """A failure with its place, its cause and the next step.

    Parameters
    ----------
    what : str
        What failed, and where.
    why : str
        The cause as far as it is known.
    next_step : str
        What the reader can do about it.
    status : Exit
        Exit status of the command.
    """

    def __init__(self, what: str, why: str, next_step: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(f"{what}: {why}. {next_step}")
        self.what = what
        self.why = why
        self.next_step = next_step
        self.status = status

    def __reduce__(self) -> tuple[type[BenchError], tuple[str, str, str, Exit]]:
        # An exception is pickled by its `args`, which here are the sentence; workers send errors to the client.
        return type(self), (self.what, self.why, self.next_step, self.status)


class Unreadable(BenchError):
    """An input broke while C++ code was reading it.

    The process can say so and no more: what was broken off may hold locks or half-open files, on which the orderly end
    of a process waits for ever or crashes.
    """

"""The errors that hpcprov shows to people: one base class with a hint and an exit code.

An error's text names the value that was refused and why; its hint says the way out. Only `cli.py` exits for one.

    raise NoSuchRun("no run starts with 'abc'", hint="hpcprov runs lists them")
"""

from __future__ import annotations


class HpcprovError(Exception):
    """Anything that went wrong and that a person can do something about. `exit_code` is the command's exit status."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnreadableData(HpcprovError):
    """A data file that is truncated, foreign or malicious; the message names the file and the reason."""


class ShortWrite(HpcprovError, OSError):
    """A frame that was not stored whole, and so was not acknowledged. Also an OSError: the disk is full, as a rule."""


class NoStore(HpcprovError):
    """There is no `.hpcprov` here, or it cannot be used."""


class NoSuchRun(HpcprovError):
    """No run answers to what was asked for."""


class AmbiguousRun(HpcprovError):
    """Several runs answer to what was asked for; the hint lists them."""


class BadRunId(HpcprovError):
    """A run id that cannot be the name of a directory."""


class StillRunning(HpcprovError):
    """A run that must not be settled yet."""


class BadRecord(HpcprovError):
    """A record.json that is not a record, or whose seal does not fit."""

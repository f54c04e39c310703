"""Real things a test needs (git, modules, Slurm, ...): skip without them, but fail where they were promised.

`HPCPROV_REQUIRE` is a comma list of names that this machine must have. Example:

    HPCPROV_REQUIRE=git,modules python -m pytest tests/capture

A continuous integration that sets it can not turn green by quietly skipping.
"""

from __future__ import annotations

import os

import pytest


def required() -> set[str]:
    """The names that `HPCPROV_REQUIRE` promises."""
    return {name.strip() for name in os.environ.get("HPCPROV_REQUIRE", "").split(",")} - {""}


def require(name: str, available: object) -> None:
    """Go on when `available` is true; else fail when `name` was promised, and skip when it was not."""
    if available:
        return
    if name in required():
        pytest.fail(f"{name} is not available, but HPCPROV_REQUIRE={os.environ['HPCPROV_REQUIRE']} names it")
    pytest.skip(f"{name} is not available (HPCPROV_REQUIRE={name} makes this a failure)")

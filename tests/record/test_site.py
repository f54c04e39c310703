"""What a site sets: words of its file, and what the environment says in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcprov.record import site


@pytest.mark.parametrize(
    ("variable", "file", "on"),
    [
        (None, "", False),
        ("1", "", True),
        ("yes", "stats = off", True),
        ("off", "stats = on", False),
        ("", "stats = on", True),
        (None, "stats = on", True),
        (None, "stats = No", False),
        (None, "stats =", False),
        ("FALSE", "", False),
    ],
)
def test_what_is_switched_on(tmp_path: Path, variable: str | None, file: str, on: bool) -> None:
    (tmp_path / "site.conf").write_text(f"{file}\n")
    environ = {"HPCPROV_CONFIG": str(tmp_path / "site.conf")} | (
        {} if variable is None else {"HPCPROV_STATS": variable}
    )
    assert site.is_on("HPCPROV_STATS", "stats", environ) is on

"""Drafts: what they replace, what they do not, and what a killed process leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcprov.record.drafts import drafted, drafts_of
from hpcprov.record.errors import HpcprovError


@pytest.mark.parametrize("directory", [False, True])
def test_a_name_that_was_taken_meanwhile_stays(tmp_path: Path, *, directory: bool) -> None:
    place = tmp_path / "out"
    with pytest.raises(HpcprovError, match="there already"), drafted(str(place), replace=False) as draft:
        Path(draft).mkdir() if directory else Path(draft).write_text("new")
        place.write_text("old")
    assert place.read_text() == "old" and os.listdir(tmp_path) == ["out"]


def test_a_file_never_takes_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/kept").touch()
    with pytest.raises(HpcprovError, match="cannot be written"), drafted(str(tmp_path / "out"), replace=True) as draft:
        Path(draft).write_text("new")
    assert os.listdir(tmp_path) == ["out"] and os.listdir(tmp_path / "out") == ["kept"]


def test_only_the_drafts_of_one_process_and_place_are_found(tmp_path: Path) -> None:
    place = str(tmp_path / "out")
    (tmp_path / f".out.draft-{os.getpid()}1-aa").touch()
    (tmp_path / f".other.draft-{os.getpid()}-aa").touch()
    with drafted(place, replace=False) as draft:
        Path(draft).write_text("new")
        assert drafts_of(place, os.getpid()) == [draft]
    assert drafts_of(place, os.getpid()) == []

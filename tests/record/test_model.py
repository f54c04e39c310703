"""What lies where a record should: of what can be none nothing is read, whoever asks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcprov.attest import intact
from hpcprov.catalog.before import Before
from hpcprov.catalog.reading import read_place
from hpcprov.record import model
from hpcprov.record.errors import BadRecord
from hpcprov.record.layout import Store


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, model.SIZE_LIMIT + 1)


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(("made", "text"), [(huge, "it has 1.07 GB"), (pipe, "is no regular file")])
def test_what_can_be_no_record_is_not_read(tmp_path: Path, made: Callable[[Path], None], text: str) -> None:
    made(tmp_path / "record.json")
    with pytest.raises(BadRecord, match=text):
        model.load(str(tmp_path / "record.json"))
    with pytest.raises(BadRecord, match=text):
        intact.read(str(tmp_path))
    assert text in str(read_place(Store(str(tmp_path)), ".", Before()).problem)

"""Labels in definition files, as Apptainer reads them. By the real one: tests/cluster/test_image.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.image.definition import header, labelled
from hpcprov.record.errors import HpcprovError

HEAD = "Bootstrap: docker\nFrom: debian:12\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, HEAD + "\n%labels\n    a 1\n"),
        (HEAD + "\n\n", HEAD + "\n%labels\n    a 1\n"),
        (HEAD + "%labels\n", HEAD + "%labels\n    a 1\n"),
        (HEAD + "%labels\n\tb 2\n\n%post\n true\n", HEAD + "%labels\n\tb 2\n    a 1\n\n%post\n true\n"),
        (HEAD + "%labels\n  # why\n  a  old value\n", HEAD + "%labels\n  # why\n  a 1\n"),
        (HEAD + "%labels\n  a 0\n  a 2\n", HEAD + "%labels\n  a 0\n  a 1\n"),
        (HEAD + "%LABELS\n  a 0\n", HEAD + "%LABELS\n  a 1\n"),
        (HEAD + "%post\n  a 0\n%labels\n\n%test\n", HEAD + "%post\n  a 0\n%labels\n    a 1\n\n%test\n"),
        (HEAD + "%applabels foo\n  a 0\n", HEAD + "%applabels foo\n  a 0\n\n%labels\n    a 1\n"),
        (f"{HEAD}%labels\n a 0\n{HEAD}%labels\n b 2", f"{HEAD}%labels\n a 0\n{HEAD}%labels\n b 2\n    a 1"),
        (HEAD.replace("\n", "\r\n") + "%labels\r\n  a 0\r\n", HEAD.replace("\n", "\r\n") + "%labels\r\n  a 1\r\n"),
        ("", "\n%labels\n    a 1\n"),
    ],
)
def test_only_the_label_changes(before: str, after: str) -> None:
    assert labelled(before, {"a": "1"}) == after
    assert labelled(after, {"a": "1"}) == after


def test_values_that_definition_files_replace_are_refused() -> None:
    with pytest.raises(HpcprovError, match="'a' holds"):
        labelled(HEAD, {"a": "{{ secret }}"})


def test_header() -> None:
    text = "Bootstrap: docker\nFrom: one # first\n%post\n From: no\nbootstrap: localimage\nFrom: two.sif\n%help\n"
    assert header(text) == {"bootstrap": "localimage", "from": "two.sif"}


@given(
    text=st.text(), key=st.from_regex(r"[a-z]{1,5}", fullmatch=True), value=st.from_regex(r"\w{0,5}", fullmatch=True)
)
def test_labelling_twice_is_labelling_once(text: str, key: str, value: str) -> None:
    once = labelled(text, {key: value})
    assert labelled(once, {key: value}) == once
    assert f"{key} {value}".rstrip() in [line.strip() for line in once.split("\n")]

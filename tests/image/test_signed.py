"""Signatures of images: what they cover, whether that changed, and where labels may go. By real keys: tests/cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcprov.capture.container import sif
from hpcprov.image.signed import check, place
from hpcprov.record.errors import HpcprovError

from . import build

FINGERPRINT = bytes(range(20, 40)).hex().upper()


def signed(*, dsse: bool = False, group: int = 1) -> list[Any]:
    things = build.plain()
    return [*things, build.signature(things, group, dsse=dsse)]


def checked(path: str) -> dict[str, Any]:
    with sif.opened(path) as image:
        return check(image, image.sif.signatures[0])


@pytest.mark.parametrize("dsse", [False, True])
def test_what_is_as_it_was_signed(tmp_path: Path, dsse: bool) -> None:
    path = build.written(tmp_path, build.image(signed(dsse=dsse)))
    assert checked(path) == {"objects": [1, 2, 3], "changed": [], "reason": None}
    with sif.opened(path) as image:
        assert image.sif.signatures[0].about["fingerprint"] == (None if dsse else FINGERPRINT)


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        (49, [0]),  # uuid
        (build.TABLE_AT + 57 + 16, [1]),  # a name
        (build.TABLE_AT + 2 * build.DESCRIPTOR + 41, [3]),  # when the partition was made
        (32768 + 100, [3]),  # the partition
        (32180, [1]),  # the definition file
    ],
)
def test_what_was_changed_after_signing(tmp_path: Path, place: int, changed: list[int]) -> None:
    data = bytearray(build.image(signed()))
    data[place] ^= 1
    assert checked(build.written(tmp_path, bytes(data)))["changed"] == changed


def test_an_object_that_joined_a_signed_group(tmp_path: Path) -> None:
    things = [*signed(), build.thing(build.GENERIC, b"new")]
    assert checked(build.written(tmp_path, build.image(things)))["changed"] == [5]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (build.clear("SIFHASH:\nabcdef"), "old kind"),
        (build.clear("[1]"), "not a JSON object"),
        (build.clear("{}"), "not understood"),
        (build.clear('{"header": {"digest": "sha256:00"}, "objects": [1]}'), "not understood"),
        (build.clear('{"header": {"digest": "md5:00"}, "objects": []}'), "'md5'"),
        (build.clear("[" * 100_000), "not JSON"),
        (b'{"payload": "%%%"}', "not JSON"),
        (b"\xff" * 2_000_000, "more than"),
    ],
    ids=range(9),
)
def test_signatures_that_cannot_be_compared_say_why(tmp_path: Path, text: bytes, reason: str) -> None:
    things = [*build.plain(), build.thing(build.SIGNATURE, text, group=0, link=build.GROUP | 1)]
    found = checked(build.written(tmp_path, build.image(things)))
    assert found["objects"] == [] and reason in found["reason"]


def group_of_labels(things: list[Any], *, group: int | None = None, resign: bool = False) -> Any:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, sif.opened(build.written(Path(folder), build.image(things))) as image:
        return vars(place(image.sif, group=group, resign=resign))


def labels_apart(*, signed_too: bool) -> list[Any]:
    """Signed, with labels in group 2, before the metadata of group 1."""
    base = [*build.plain()]
    things = [build.metadata({"a": "2"}, group=2), *base]
    return [*things, build.signature(things, 1), *([build.signature(things, 2)] if signed_too else [])]


@pytest.mark.parametrize(
    ("things", "arguments", "expected"),
    [
        (build.plain(), {}, {"group": 1, "dropped": [2], "sign": False}),
        (build.plain(), {"resign": True}, {"group": 1, "dropped": [2], "sign": False}),
        (build.plain(), {"group": 5}, {"group": 5, "dropped": [], "sign": False}),
        ([build.partition(b"x")], {}, {"group": 1, "dropped": [], "sign": False}),
        (signed(), {"resign": True}, {"group": 2, "dropped": [], "sign": True}),
        (signed(), {"group": 2}, {"group": 2, "dropped": [], "sign": False}),
        (signed(), {"group": 1, "resign": True}, {"group": 1, "dropped": [2, 4], "sign": True}),
        (labels_apart(signed_too=True), {"resign": True}, {"group": 2, "dropped": [1, 6], "sign": True}),
        (labels_apart(signed_too=False), {"resign": True}, {"group": 2, "dropped": [1], "sign": True}),
        (labels_apart(signed_too=False), {}, {"group": 2, "dropped": [1], "sign": False}),
    ],
    ids=range(10),
)
def test_where_labels_go(things: list[Any], arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert group_of_labels(things, **arguments) == expected


@pytest.mark.parametrize(
    ("things", "arguments", "message"),
    [
        (signed(), {}, f"signature of group 1 by {FINGERPRINT}"),
        (signed(dsse=True), {}, "a key without a fingerprint"),
        (signed(), {"group": 1}, "would break"),
        (labels_apart(signed_too=True), {}, "would break"),
        ([*signed(), build.signature(build.plain())], {}, "signatures of group 1 by .*, of group 1 by"),
        # A signature of one object is one of its group.
        ([*build.plain(), build.thing(build.SIGNATURE, b"", group=0, link=3)], {"group": 1}, "would break"),
    ],
    ids=range(6),
)
def test_no_signature_is_broken_unasked(things: list[Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(HpcprovError, match=message) as caught:
        group_of_labels(things, **arguments)
    assert "--resign" in str(caught.value.hint)

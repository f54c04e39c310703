"""Changes to an image's table: what stays, stays; numbers are given once; the new labels are those that are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.capture.container import sif, sif_content
from hpcprov.image.edit import with_metadata
from hpcprov.record.errors import HpcprovError, UnreadableData

from . import build

NEW = json.dumps({"data": {"attributes": {"labels": {"new": "label"}}}}).encode()
KINDS = (build.DEFINITION, build.JSON, build.GENERIC, build.SIGNATURE)


def things() -> st.SearchStrategy[list[dict[str, Any] | None]]:
    """Tables with gaps, several metadata objects, objects without bytes, groups and links of all sorts."""
    one = st.builds(
        build.thing,
        st.sampled_from(KINDS),
        st.binary(max_size=40),
        group=st.integers(0, 3),
        link=st.sampled_from([0, 1, 2, build.GROUP | 1]),
        name=st.sampled_from(["", "other", build.METADATA]),
    )
    parts = st.builds(build.partition, st.binary(max_size=40), st.sampled_from([2, 3, 4]), group=st.just(1))
    return st.lists(st.one_of(st.none(), one, parts), max_size=7)


def applied(path: Path, group: int, dropped: set[int]) -> sif.Sif:
    """The image after the change."""
    data = bytearray(path.read_bytes())
    with sif.opened(str(path)) as image:
        change = with_metadata(image, NEW, group=group, dropped=dropped, now=1_800_000_000)
    data = data[: change.size].ljust(change.size, b"\0")
    for offset, text in change.writes:
        data[offset : offset + len(text)] = text
    assert len(data) == change.size
    path.write_bytes(data)
    with sif.opened(str(path)) as image:
        assert sif_content.labels(image) == {"labels": {"new": "label"}, "object": change.number}
        return image.sif


def bytes_of(path: Path) -> dict[int, tuple[bytes, bytes]]:
    with sif.opened(str(path)) as image:
        return {item.id: (item.raw, sif.data(image, item, 1 << 20)) for item in image.sif.objects}


@settings(max_examples=300, deadline=None)
@given(things=things(), group=st.integers(1, 4), drops=st.lists(st.sets(st.integers(1, 8), max_size=4), max_size=3))
def test_any_number_of_changes(
    tmp_path_factory: pytest.TempPathFactory, things: list[dict[str, Any] | None], group: int, drops: list[set[int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "edit.sif"
    path.write_bytes(build.image(things, total=12))
    for dropped in drops:
        before, order = bytes_of(path), list(bytes_of(path))
        after = applied(path, group, dropped)
        kept = [number for number in order if number not in dropped]
        new = after.metadata
        assert new is not None and new.group == group
        assert [item.id for item in after.objects if item is not new] == kept
        now = bytes_of(path)
        assert {number: now[number] for number in kept} == {number: before[number] for number in kept}
        # Apptainer's next object gets the number of the first free slot plus one.
        slots = {item.slot for item in after.objects}
        assert len(now) == len(slots) and after.free == after.total - len(slots)
        free = next(slot for slot in range(after.total) if slot not in slots)
        assert free + 1 not in now


def test_what_was_dropped_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(build.image(build.plain({"token": "s3cr3t-label"})))
    applied(path, 1, {2})
    assert b"s3cr3t-label" not in path.read_bytes()


def test_labelling_again_needs_no_more_room(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(build.image(build.plain()))
    applied(path, 1, {2})
    size = path.stat().st_size
    for _ in range(5):
        applied(path, 1, {2})
    assert path.stat().st_size == size


def test_what_lies_behind_the_last_object_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(build.image(build.plain()) + b"appended by somebody")
    applied(path, 1, {2})
    assert b"appended by somebody" in path.read_bytes()


def test_a_full_table(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(build.image(build.plain(), total=3))
    with pytest.raises(HpcprovError, match="table of 3 objects is full"):
        applied(path, 2, set())
    applied(path, 1, {2})


def test_images_without_times_stay_without(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(build.image(build.plain(), created=-62135596800))
    after = applied(path, 1, {2})
    assert {item.created for item in after.objects} | {after.modified} == {-62135596800}


def test_overlapping_objects_are_refused(tmp_path: Path) -> None:
    data = bytearray(build.image(build.plain()))
    first, third = build.TABLE_AT + 17, build.TABLE_AT + 2 * build.DESCRIPTOR + 17
    data[first : first + 8] = data[third : third + 8]
    path = tmp_path / "x.sif"
    path.write_bytes(data)
    with pytest.raises(UnreadableData, match="overlap"):
        applied(path, 1, {2})


def test_two_objects_of_one_number_are_refused(tmp_path: Path) -> None:
    data = bytearray(build.image(build.plain()))
    data[build.TABLE_AT + 5] = 2
    path = tmp_path / "x.sif"
    path.write_bytes(data)
    with pytest.raises(UnreadableData, match="one number"):
        applied(path, 1, {2})


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, -1])
def test_a_header_with_nonsense_for_the_place_of_data(tmp_path: Path, value: int) -> None:
    path = tmp_path / "x.sif"
    data = bytearray(build.image(build.plain()))
    data[112:120] = value.to_bytes(8, "little", signed=True)
    path.write_bytes(data)
    assert len(applied(path, 1, set()).objects) == 4

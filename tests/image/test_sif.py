"""SIF images read: sound ones, rare ones, damaged and malicious ones. Real ones: tests/cluster/test_image.py."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.capture.container import sif, sif_content
from hpcprov.image.relabel import Options, relabel
from hpcprov.record.errors import HpcprovError, UnreadableData

from . import build


def looked_at(path: str) -> Any:
    """Everything that can be asked of an image."""
    with sif.opened(path) as image:
        facts = image.sif.facts()
        json.dumps(facts)
        return facts, sif_content.labels(image), sif_content.definition(image), sif_content.identity(image)


def test_a_plain_image(tmp_path: Path) -> None:
    path = build.written(tmp_path, build.image(build.plain({"b": "ü", "a": ""})))
    facts, labels, definition, identity = looked_at(path)
    assert labels == {"labels": {"b": "ü", "a": ""}, "object": 2}
    assert definition == build.DEFINITION_TEXT.decode()
    assert identity == {"digest": build.sha(b"squash" * 1000), "of": "primary partition", "others": []}
    assert facts["uuid"] == "00010203-0405-0607-0809-0a0b0c0d0e0f" and facts["arch"] == "amd64"
    assert [one["type"] for one in facts["objects"]] == ["Def.FILE", "JSON.Generic", "FS"]
    assert facts["objects"][2]["file_system"] == "Squashfs" and facts["objects"][2]["role"] == "primary"


def test_overlay_and_data_partitions_have_digests_of_their_own(tmp_path: Path) -> None:
    things = [build.partition(b"d", build.DATA), *build.plain(), build.partition(b"o", build.OVERLAY)]
    identity = looked_at(build.written(tmp_path, build.image(things)))[3]
    assert identity["digest"] == build.sha(b"squash" * 1000)
    assert identity["others"] == [
        {"digest": build.sha(b"d"), "of": "data partition", "id": 1},
        {"digest": build.sha(b"o"), "of": "overlay partition", "id": 5},
    ]


def test_neither_labels_nor_signatures_move_the_identity(tmp_path: Path) -> None:
    things = build.plain({"z": "other"})
    things.append(build.signature(things))
    signed = build.written(tmp_path, build.image(things), "signed.sif")
    assert looked_at(signed)[3] == looked_at(build.written(tmp_path, build.image(build.plain())))[3]


def test_the_first_metadata_in_table_order_counts(tmp_path: Path) -> None:
    things = [build.metadata({"first": "1"}, group=2), *build.plain()]
    assert looked_at(build.written(tmp_path, build.image(things)))[1] == {"labels": {"first": "1"}, "object": 1}


def test_older_images_have_a_labels_object(tmp_path: Path) -> None:
    things = [build.thing(build.LABELS, b'{"old": "1"}'), build.partition(b"x")]
    assert looked_at(build.written(tmp_path, build.image(things)))[1] == {"labels": {"old": "1"}, "object": 1}


def test_images_without_labels_say_so(tmp_path: Path) -> None:
    told = looked_at(build.written(tmp_path, build.image([build.partition(b"x")])))[1]
    assert told["labels"] is None and "inside its file system" in told["reason"]


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"[]", b"3", b'{"data": 1}', b'{"data": {"attributes": []}}', b"[" * 100_000, b"\xff\xfe",
        b'{"data": {"attributes": {"labels": {"a": 1}}}}', b'{"data": NaN}', b"9" * 5000, b" " * (1 << 22) + b"{}",
    ],
    ids=range(12),
)  # fmt: skip
def test_damaged_metadata_gives_a_reason(tmp_path: Path, document: bytes) -> None:
    things = [build.thing(build.JSON, document, name=build.METADATA), build.partition(b"x")]
    told = looked_at(build.written(tmp_path, build.image(things)))[1]
    assert told["labels"] is None and told["reason"]


def test_an_oci_sif_is_known_by_its_manifest(tmp_path: Path) -> None:
    layer, manifest = build.blob(b"layer"), build.blob(b'{"layers": []}')
    index = json.dumps({"manifests": [{"digest": build.sha(manifest["data"])}]}).encode()
    things = [layer, manifest, build.blob(index, build.ROOT_INDEX)]
    path = build.written(tmp_path, build.image(things))
    with sif.opened(path) as image:
        assert sif_content.identity(image)["digest"] == build.sha(manifest["data"])
        assert sif_content.identity(image)["of"] == "OCI manifest"


@pytest.mark.parametrize(
    "index", [b"{}", b'{"manifests": []}', b'{"manifests": [1]}', b'{"manifests": [{"digest": "x"}]}']
)
def test_an_oci_sif_without_its_manifest_has_no_identity(tmp_path: Path, index: bytes) -> None:
    path = build.written(tmp_path, build.image([build.blob(b"layer"), build.blob(index, build.ROOT_INDEX)]))
    with sif.opened(path) as image, pytest.raises(UnreadableData, match="manifest"):
        sif_content.identity(image)


def test_an_oci_sif_whose_blob_was_changed_has_no_identity(tmp_path: Path) -> None:
    manifest = build.blob(b'{"layers": []}')
    index = json.dumps({"manifests": [{"digest": build.sha(manifest["data"])}]}).encode()
    data = build.image([build.blob(b"layer"), manifest, build.blob(index, build.ROOT_INDEX)])
    path = build.written(tmp_path, data.replace(b"layer", b"LAYER"))
    with sif.opened(path) as image, pytest.raises(UnreadableData, match="blob 1 is not what"):
        sif_content.identity(image)


def test_reading_can_be_ended(tmp_path: Path) -> None:
    class Ended(Exception):
        pass

    def pulse(number: int) -> None:
        raise Ended

    with sif.opened(build.written(tmp_path, build.image(build.plain()))) as image, pytest.raises(Ended):
        sif_content.identity(image, pulse=pulse)


@pytest.mark.parametrize("length", [0, 31, 42, 127, 128, 4095, 4096, 5000, 32175, 32176, 32300, 36864, 38767])
def test_a_cut_off_image_is_refused(tmp_path: Path, length: int) -> None:
    path = build.written(tmp_path, build.image(build.plain())[:length])
    with pytest.raises(HpcprovError) as caught:
        looked_at(path)
    assert path in caught.value.message


@pytest.mark.parametrize("value", [-1, -(1 << 63), (1 << 63) - 1, 1 << 40, 0, 127])
@pytest.mark.parametrize("place", [80, 88, 96, 104, 112, 120])
def test_numbers_of_the_header_are_not_believed(tmp_path: Path, place: int, value: int) -> None:
    data = bytearray(build.image(build.plain()))
    struct.pack_into("<q", data, place, value)
    tried(build.written(tmp_path, bytes(data)))


@pytest.mark.parametrize("value", [-1, -(1 << 63), (1 << 63) - 1, 1 << 40, 0])
@pytest.mark.parametrize("place", [17, 25, 33, 41, 49])
@pytest.mark.parametrize("slot", range(3))
def test_numbers_of_descriptors_are_not_believed(tmp_path: Path, slot: int, place: int, value: int) -> None:
    data = bytearray(build.image(build.plain()))
    struct.pack_into("<q", data, build.TABLE_AT + slot * build.DESCRIPTOR + place, value)
    tried(build.written(tmp_path, bytes(data)))


def test_every_byte_of_header_and_table_flipped(tmp_path: Path) -> None:
    things = build.plain()
    things.append(build.signature(things))
    good = build.image(things)
    path = build.written(tmp_path, good)
    with open(path, "r+b", buffering=0) as file:  # in place: writing the whole file 7,000 times takes most of the time
        for place in [*range(128), *range(build.TABLE_AT, build.TABLE_AT + 4 * build.DESCRIPTOR)]:
            for byte in (good[place] ^ flip for flip in (0xFF, 0x01, 0x80)):
                os.pwrite(file.fileno(), bytes([byte]), place)
                tried(path)
            os.pwrite(file.fileno(), good[place : place + 1], place)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=600), place=st.integers(0, 5000))
def test_noise_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: bytes, place: int) -> None:
    good = build.image(build.plain())
    path = tmp_path_factory.getbasetemp() / "noise.sif"
    path.write_bytes(good[:place] + data + good[place + len(data) :])
    tried(str(path))


def tried(path: str) -> None:
    """Reading ends with facts or with an error for people, whatever the file is."""
    try:
        looked_at(path)
    except HpcprovError as error:
        assert error.message.isprintable() and len(error.message) < 1000


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path), str(tmp_path / "fifo"), "/dev/zero"):
        with pytest.raises(HpcprovError, match="not a regular file"):
            looked_at(path)
    with pytest.raises(FileNotFoundError):
        looked_at(str(tmp_path / "none"))


def oci(config: bytes) -> list[dict[str, Any] | None]:
    """An OCI-SIF with this configuration."""
    manifest = build.blob(json.dumps({"config": {"digest": build.sha(config)}}).encode())
    index = json.dumps({"manifests": [{"digest": build.sha(manifest["data"])}]}).encode()
    return [build.blob(config), manifest, build.blob(index, build.ROOT_INDEX)]


def test_an_oci_sif_has_its_labels_in_its_configuration(tmp_path: Path) -> None:
    path = build.written(tmp_path, build.image(oci(b'{"config": {"Labels": {"a": "1"}}}')))
    with sif.opened(path) as image:
        assert sif_content.labels(image) == {"labels": {"a": "1"}, "object": None}
    with pytest.raises(HpcprovError, match="part of what identifies it"):
        relabel(path, {"a": "2"}, Options())


@pytest.mark.parametrize("config", [b"", b"[]", b'{"config": 3}', b'{"config": {"Labels": [1]}}'])
def test_an_oci_sif_with_a_damaged_configuration(tmp_path: Path, config: bytes) -> None:
    with sif.opened(build.written(tmp_path, build.image(oci(config)))) as image:
        assert sif_content.labels(image)["labels"] is None and sif_content.labels(image)["reason"]


def test_an_image_that_holds_itself_many_times_is_not_read_many_times(tmp_path: Path) -> None:
    """4096 partitions that are all of the file would be 40 GB of a file of 10 MB."""
    data = bytearray(build.image([*build.plain(), *[build.partition(b"x", build.DATA)] * 9]))
    for slot in range(3, 12):
        struct.pack_into("<qq", data, build.TABLE_AT + slot * build.DESCRIPTOR + 17, 128, len(data) - 128)
    read: list[int] = []
    with sif.opened(build.written(tmp_path, bytes(data))) as image, pytest.raises(UnreadableData, match="overlap"):
        sif_content.identity(image, pulse=read.append)
    assert not read

"""docs/signature.md is true: every table and example in it is computed again, by the reference and by the signer."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.types import Text, array, datetime, list_of, plain, struct
from hpcprov.data.values import encode
from hpcprov.signature import reference, tiles, tree
from hpcprov.signature.artifact import describe

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "signature.md").read_text()
BLOCKS = [
    [line.split(None, 1) for line in block.splitlines()]
    for block in re.findall(r"^```\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
]


def of_kind(key: str) -> list[list[list[str]]]:
    return [block for block in BLOCKS if block[0][0] == key]


def all_of(block: list[list[str]], key: str) -> list[str]:
    return [value for name, value in block if name == key]


def one_of(block: list[list[str]], key: str) -> str | None:
    return next(iter(all_of(block, key)), None)


def shape_of(text: str) -> tuple[int, ...]:
    return () if text == "scalar" else tuple(map(int, text.split(" x ")))


def table(header: str) -> list[list[str]]:
    """The cells of the table whose header line begins so."""
    lines = DOCUMENT[DOCUMENT.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_all_examples_were_found() -> None:
    assert [len(of_kind(key)) for key in ("type", "dataset", "listing")] == [7, 3, 1]
    assert sum(map(len, map(of_kind, ("type", "dataset", "listing")))) == len(BLOCKS)


@pytest.mark.parametrize(("shape", "w", "tile", "count"), table("| shape | w | tile"))
def test_tiles(shape: str, w: str, tile: str, count: str) -> None:
    extents = tiles.tile_extents(shape_of(shape), int(w))
    assert extents == shape_of(tile)
    assert reference.tile_extents(shape_of(shape), int(w)) == list(extents)
    assert prod(tiles.grid_of(shape_of(shape), extents)) == int(count)


TYPES = {
    "f4": plain("f4"),
    "f8": plain("f8"),
    "c8": plain("c8"),
    "str": Text(),
    "M8[25ns]": datetime("M8[25ns]"),
    "array[2,3](f8)": array((2, 3), plain("f8")),
    "list(u1)": list_of(plain("u1")),
    "list(u2)": list_of(plain("u2")),
    "struct(x f4, n str)": struct([(b"x", plain("f4")), (b"n", Text())]),
}


@pytest.mark.parametrize(("kind", "token"), table("| type | token |\n|---|---|\n| `f4` | `6634`"))
def test_tokens(kind: str, token: str) -> None:
    assert TYPES[kind].text == kind
    assert TYPES[kind].token.hex() == token


VALUES: dict[str, Any] = {
    "1.0": np.array([1.0], ">f4"),
    "-0.0": np.array([-0.0], ">f8"),
    "1+2i": np.array([1 + 2j], ">c8"),
    "hé": np.array(["hé"], "U9"),
    "1, 2": np.array([np.array([1, 2], ">u2"), None], object)[:1],
}


@pytest.mark.parametrize(("kind", "value", "octets"), table("| type | value | element bytes"))
def test_element_bytes(kind: str, value: str, octets: str) -> None:
    assert bytes(encode(VALUES[value], TYPES[kind], 1)).hex() == octets


def items_of(block: list[list[str]]) -> list[bytes]:
    """The elements of an example."""
    kind, octets = one_of(block, "type"), bytes.fromhex(one_of(block, "values") or "")
    if kind == "str":
        items, at = [], 0
        while at < len(octets):
            length = int.from_bytes(octets[at : at + 8], "little")
            items.append(octets[at + 8 : at + 8 + length])
            at += 8 + length
        return items
    if kind == "V1048576":
        return [bytes(2**20), b"\1" * 2**20]
    return reference.elements(octets, reference.packed_size(str(kind)))


@pytest.mark.parametrize("block", of_kind("type"), ids=lambda block: " ".join(block[0] + block[1]))
def test_fields(block: list[list[str]]) -> None:
    kind, shape = str(one_of(block, "type")), str(one_of(block, "shape"))
    extents = None if shape == "null" else shape_of(shape)
    items, missing = items_of(block), frozenset(map(int, all_of(block, "missing")))
    leaves = b"".join(map(bytes.fromhex, all_of(block, "leaf")))
    assert reference.field_root(kind, extents, items, missing).hex() == one_of(block, "root")
    tile = shape_of(one_of(block, "tile") or "scalar")
    assert tree.field_root(kind.encode(), extents, tile, leaves).hex() == one_of(block, "root")
    message = one_of(block, "message")
    if message is not None:
        assert reference.h("field", bytes.fromhex(message) + leaves).hex() == one_of(block, "root")
    if extents is not None:
        assert [leaf.hex() for leaf in reference.leaves(kind, extents, items, missing)] == all_of(block, "leaf")


@pytest.mark.parametrize("block", of_kind("dataset"), ids=lambda block: " ".join(block[0]))
def test_datasets(block: list[list[str]]) -> None:
    pairs = [line.split() for line in all_of(block, "field")]
    fields = [(bytes.fromhex(path), bytes.fromhex(root)) for path, root in pairs]
    kind: Any = one_of(block, "dataset")
    assert tree.dataset_root(kind, fields).hex() == one_of(block, "root")
    assert reference.dataset_root(kind, fields).hex() == one_of(block, "root")


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").mkdir()
    block = of_kind("listing")[0]
    assert describe(str(tmp_path))["storage"]["digest"] == f"blake3:{one_of(block, 'digest')}"
    listing = b"".join(line.encode() + b"\0" for line in all_of(block, "listing"))
    assert reference.blake3(listing).hexdigest() == one_of(block, "digest")

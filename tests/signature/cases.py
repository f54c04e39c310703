"""The cases of the test vectors: what is signed, without the answers. `make_vectors.py` adds those.

A type is as in `hpcprov.signature.reference`, with names as hexadecimal so that it fits JSON. Values are one of
`{"repeat": n}`: n packed bytes 00 01 .. fa 00 01 ..; `{"hex": "..."}`: packed bytes; `{"items": [...]}`: nested lists
of hexadecimal; `{"numbers": n}`: the texts "0", "1", ... in decimal.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any

PLAIN = {
    "bool": 1, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8,
    "f2": 2, "bf16": 2, "f4": 4, "f8": 8, "c8": 8, "c16": 16,
    "V1": 1, "V3": 3, "V16": 16, "M8[1D]": 8, "M8[25ns]": 8, "M8[1us,UTC]": 8, "m8[1s]": 8,
}  # fmt: skip


def name(text: str) -> str:
    return text.encode().hex()


def struct_of(**members: Any) -> list[Any]:
    return ["struct", [[name(key), kind] for key, kind in members.items()]]


def text(*items: str) -> dict[str, Any]:
    return {"items": [item.encode().hex() for item in items]}


def packed(form: str, *values: Any) -> dict[str, str]:
    return {"hex": struct.pack("<" + form, *values).hex()}


def case(
    title: str, kind: Any, shape: list[int] | None, values: dict[str, Any], missing: list[int] | None = None
) -> dict[str, Any]:
    return {"name": title, "type": kind, "shape": shape, "values": values, "missing": missing or []}


def tokens() -> list[dict[str, Any]]:
    return [
        case(f"token {kind}", kind, [3], {"hex": "000101"} if kind == "bool" else {"repeat": 3 * size})
        for kind, size in PLAIN.items()
    ]


def boundaries() -> list[dict[str, Any]]:
    """Tile and run boundaries, one less and one more."""
    found = []
    for n in (1, 2, 1023, 1024, 1025, 2**20 - 1, 2**20, 2**20 + 1):
        found.append(case(f"u1, {n} long", "u1", [n], {"repeat": n}))
    for rows in (1023, 1024, 1025, 2049):
        found.append(case(f"V64, {rows} x 16", "V64", [rows, 16], {"repeat": rows * 1024}))
    for shape in ([31, 33, 63], [32, 32, 64], [33, 33, 65], [3, 100, 300], [2, 3, 5, 7, 11, 13]):
        found.append(case(f"c16, {' x '.join(map(str, shape))}", "c16", shape, {"repeat": 16 * prod(shape)}))
    for w in (2**20 - 1, 2**20, 2**20 + 1, 2**19, 2**19 + 1):
        found.append(case(f"V{w}, 3 long", f"V{w}", [3], {"repeat": 3 * w}))
    return found


def growth() -> list[dict[str, Any]]:
    """The same rows and more of them: once axis 0 is past its tile, earlier leaves stay."""
    return [
        case(f"grows along axis 0: {n} rows", "V65536", [n, 2], {"repeat": n * 2 * 65536})
        for n in (1, 2, 7, 8, 9, 16, 17)
    ]


def shapes() -> list[dict[str, Any]]:
    return [
        case("scalar f8", "f8", [], packed("d", 1.5)),
        case("scalar str", "str", [], text("one")),
        case("null dataspace", "f4", None, {"hex": ""}),
        case("zero extent", "f4", [0], {"hex": ""}),
        case("zero extent in the middle", "i2", [3, 0, 5], {"hex": ""}),
        case("zero extent, long last axis", "i2", [0, 5000], {"hex": ""}),
        case("zero extent of text", "str", [0, 4], {"items": []}),
        case("ones", "u2", [1, 1, 1], {"hex": "3412"}),
        case("rank 8", "u1", [2] * 8, {"repeat": 256}),
        case("elements of no bytes", "V0", [4], {"hex": ""}),
    ]


def bits() -> list[dict[str, Any]]:
    return [
        case("NaN payloads f4", "f4", [4], packed("4I", 0x7FC00000, 0x7FA00001, 0xFFC12345, 0x7F800001)),
        case("NaN payloads f8", "f8", [3], packed("3Q", 0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8DEADBEEF0001)),
        case("signed zeros", "f8", [2], packed("2d", 0.0, -0.0)),
        case("NaT", "M8[1ns]", [2], packed("2q", -(2**63), 0)),
        case("complex with NaN", "c8", [2], packed("4I", 0x7FA00001, 0x80000000, 0, 0x3F800000)),
        case("infinities and subnormals f2", "f2", [4], packed("4H", 0x7C00, 0xFC00, 0x0001, 0x8000)),
    ]


def texts() -> list[dict[str, Any]]:
    return [
        case("text", "str", [4], text("", "a", "hé", "日本語 \U0001f30d")),
        case("text that is no UTF-8", "str", [2], {"items": ["ff00fe", "eda080"]}),
        case("byte strings", "bytes", [3], {"items": ["", "00", "000000"]}),
        case("text, two tiles", "str", [65537], {"numbers": 65537}),
    ]


def nested() -> list[dict[str, Any]]:
    pair = struct_of(x="f4", y="i2")
    return [
        case("struct", pair, [2], packed("fhfh", 1.0, -1, 2.0, 3)),
        case("struct of one", struct_of(x="u1"), [3], {"hex": "010203"}),
        case("struct without members", struct_of(), [2], {"hex": ""}),
        case("struct in a struct", struct_of(a=pair, b="u1"), [1], packed("fhB", 1.0, 2, 3)),
        case("struct with text", struct_of(n="str", v="f8"), [2], {"items": [["61", "00" * 8], ["", "11" * 8]]}),
        case("struct (r, i) of f2", struct_of(r="f2", i="f2"), [1], {"hex": "003c0040"}),
        case("struct with a name that is not ASCII", ["struct", [[name("é"), "u1"], ["", "u1"]]], [1], {"hex": "0102"}),
        case("array", ["array", [2, 3], "i2"], [2], {"repeat": 24}),
        case("array of text", ["array", [2], "str"], [1], {"items": [["61", ""]]}),
        case("list", ["list", "u2"], [3], {"items": [[], ["0100"], ["0100", "0200", "0300"]]}),
        case("list of text", ["list", "str"], [2], {"items": [["61", "6262"], []]}),
        case("list of lists", ["list", ["list", "u1"]], [1], {"items": [[["01"], [], ["02", "03"]]]}),
        case("list of structs", ["list", pair], [1], {"items": [[["0000803f", "ffff"]]]}),
    ]


def nullable() -> list[dict[str, Any]]:
    return [
        case("nullable, none missing", "i4", [3], packed("3i", 1, 2, 3)),
        case("nullable, the middle one missing", "i4", [3], packed("3i", 1, 0, 3), [1]),
        case("nullable, nine and all missing", "i4", [9], packed("9i", *[0] * 9), list(range(9))),
        case("nullable text", "str", [2], text("", "x"), [0]),
        case("nullable, only the second tile", "V524288", [4], {"repeat": 4 * 524288}, [2]),
    ]


def all_cases() -> list[dict[str, Any]]:
    return [*tokens(), *boundaries(), *growth(), *shapes(), *bits(), *texts(), *nested(), *nullable()]


#: name, kind, [(path as hexadecimal, root as hexadecimal)]
DATASETS: list[dict[str, Any]] = [
    {"name": "no fields", "kind": "tree", "fields": []},
    {"name": "one field without a path", "kind": "tree", "fields": [["", "11" * 32]]},
    {
        "name": "sorted by bytes",
        "kind": "tree",
        "fields": [["612f78", "01" * 32], ["612d62", "02" * 32], ["41", "03" * 32], ["c3a9", "04" * 32]],
    },
    {"name": "not normalised", "kind": "tree", "fields": [["c3a9", "01" * 32], ["65cc81", "02" * 32]]},
    {"name": "a table keeps its order", "kind": "table", "fields": [["62", "01" * 32], ["61", "02" * 32]]},
    {"name": "a tree does not", "kind": "tree", "fields": [["62", "01" * 32], ["61", "02" * 32]]},
]  # fmt: skip

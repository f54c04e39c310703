"""The committed vectors: the reference and the signer must both give them. A vector that is missing is a failure."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hpcprov.signature import reference, tree
from hpcprov.signature.field import grid_of
from hpcprov.signature.threads import sign_field

from .build import field_over, numpy_values, reference_type, reference_values, signer_type
from .cases import DATASETS, all_cases
from .make_vectors import PLACE, answered, dataset

VECTORS = json.loads(PLACE.read_text())
FIELDS = {vector["name"]: vector for vector in VECTORS["fields"]}
NAMES = [case["name"] for case in all_cases()]
#: A nullable column comes with tables, which this version does not read: those vectors are for the reference.
SIGNED = [case["name"] for case in all_cases() if not case["missing"]]


def test_every_case_has_its_vector_and_only_those() -> None:
    assert list(FIELDS) == NAMES
    assert [vector["name"] for vector in VECTORS["datasets"]] == [case["name"] for case in DATASETS]
    assert len(set(NAMES)) == len(NAMES) > 80


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case["name"])
def test_reference_gives_the_vector(case: dict[str, Any]) -> None:
    assert answered(case) == FIELDS[case["name"]]


@pytest.mark.parametrize("case", DATASETS, ids=lambda case: case["name"])
def test_dataset_roots(case: dict[str, Any]) -> None:
    known = next(vector for vector in VECTORS["datasets"] if vector["name"] == case["name"])
    fields = [(bytes.fromhex(path), bytes.fromhex(root)) for path, root in case["fields"]]
    assert dataset(case) == known
    assert tree.dataset_root(case["kind"], fields).hex() == known["root"]


def test_order_matters_in_tables_only() -> None:
    roots = {vector["name"]: vector["root"] for vector in VECTORS["datasets"]}
    assert roots["a table keeps its order"] != roots["a tree does not"]
    assert len(set(roots.values())) == len(roots)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("threads", [1, 3])
def test_signer_gives_the_vector(name: str, threads: int) -> None:
    vector = FIELDS[name]
    shape = None if vector["shape"] is None else tuple(vector["shape"])
    kind = signer_type(vector["type"])
    values = np.zeros(0) if shape is None else numpy_values(vector["type"], vector["shape"], vector["values"])
    signed = sign_field(field_over(kind, values, shape), threads=threads)
    assert kind.token.hex() == vector["token"]
    assert max(1, kind.nominal) == vector["w"]
    assert signed.root.hex() == vector["root"]
    if shape is not None:
        assert list(signed.tile) == vector["tile"]
        assert grid_of(shape, kind).count == vector["leaf_count"]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("nullable")])
def test_leaf_null(name: str) -> None:
    vector = FIELDS[name]
    kind, missing = reference_type(vector["type"]), frozenset(vector["missing"])
    values = reference_values(vector["type"], vector["shape"], vector["values"])
    for flat, known in zip(reference.tile_indices(vector["shape"], vector["tile"]), vector["leaves"], strict=True):
        valid = [at not in missing for at in flat]
        body = b"".join(
            reference.encode(kind, values[at] if at not in missing else reference.blank(kind)) for at in flat
        )
        assert (tree.leaf(body) if all(valid) else tree.leaf_null(valid, body)).hex() == known


def test_growth_along_axis_0_keeps_leaves() -> None:
    short, long = FIELDS["grows along axis 0: 16 rows"], FIELDS["grows along axis 0: 17 rows"]
    assert short["tile"] == long["tile"]
    assert long["leaves"][: short["leaf_count"]] == short["leaves"]

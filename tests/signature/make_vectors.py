"""Writes the test vectors anew: `python -m tests.signature.make_vectors --write`. Do so only when a case is added.

The digests come from the reference. Vectors that are there already must not change: the command refuses to change one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hpcprov.signature import reference

from .build import reference_type, reference_values
from .cases import DATASETS, all_cases

PLACE = Path(__file__).parent.parent / "vectors" / "signature" / "v1.json"
#: More leaves than that are left out of the file; the root covers them.
LISTED = 8


def answered(case: dict[str, Any]) -> dict[str, Any]:
    """A case with the reference's answers."""
    kind, shape = reference_type(case["type"]), case["shape"]
    values, missing = reference_values(case["type"], shape, case["values"]), frozenset(case["missing"])
    found = {**case, "token": reference.token(kind).hex(), "w": max(1, reference.nominal(kind))}
    if shape is not None:
        leaves = reference.leaves(kind, shape, values, missing)
        found["tile"] = reference.tile_extents(shape, found["w"])
        found["leaf_count"] = len(leaves)
        found["leaves"] = [leaf.hex() for leaf in leaves[:LISTED]]
    found["root"] = reference.field_root(kind, shape, values, missing).hex()
    return found


def dataset(case: dict[str, Any]) -> dict[str, Any]:
    fields = [(bytes.fromhex(path), bytes.fromhex(root)) for path, root in case["fields"]]
    return {**case, "root": reference.dataset_root(case["kind"], fields).hex()}


def vectors() -> dict[str, Any]:
    return {
        "version": 1,
        "fields": [answered(case) for case in all_cases()],
        "datasets": [dataset(case) for case in DATASETS],
    }


def write() -> None:
    new = vectors()
    if PLACE.exists():
        old = json.loads(PLACE.read_text())
        for part in ("fields", "datasets"):
            known = {vector["name"]: vector for vector in new[part]}
            for vector in old[part]:
                if known.get(vector["name"]) != vector:
                    raise SystemExit(f"{vector['name']}: this vector exists and would change")
    PLACE.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(__doc__)
    write()

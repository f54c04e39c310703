"""The context of a definition as people write it: what an expression is evaluated over.

rendered("count", "by id", [{"path": "/data/trans.zarr", "dataset": "hpcprov1:ab12..."}])
->  "count by id [in trans.zarr @ hpcprov1:ab12cd34…]"
rendered("h * 2", None, [{"path": "/data/flood.h5", ...}])   ->  "[in flood.h5 @ hpcprov1:5c0e61aa…]"
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

DIGITS = 8  # hexadecimal digits of a signature that are shown; `hpcprov find` takes 6 or more
MOST = 4  # datasets that are named


def rendered(
    expression: str, context: str | None, inputs: Sequence[dict[str, Any]], own: Collection[str] = ()
) -> str | None:
    """None where the expression is over the dataset itself (its paths: `own`), row by row."""
    signatures: dict[str, str | None] = {}
    for one in inputs:
        if one["path"] and one["path"] not in own:
            signatures.setdefault(one["path"], one.get("dataset") or one.get("signature"))
    datasets = [f"{base_name(path)}{short(signature)}" for path, signature in signatures.items()]
    more = f" and {len(datasets) - MOST} more" if len(datasets) > MOST else ""
    where = f"[in {', '.join(datasets[:MOST])}{more}]" if datasets else ""
    return " ".join(word for word in (f"{expression} {context}" if context else "", where) if word) or None


def base_name(path: str) -> str:
    return os.path.basename(path.rstrip("/")) or path


def short(signature: str | None) -> str:
    """` @ hpcprov1:ab12cd34…`; nothing for a signature that is not known."""
    if not signature:
        return ""
    algorithm, _, digits = signature.partition(":")
    return f" @ {algorithm}:{digits[:DIGITS]}…"

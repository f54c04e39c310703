"""`hpcprov verify PATH --against DIGEST`: data compared with a digest that somebody has, of the whole or of a field.

against(args, read)  ->  {"path": "/scratch/ada/out.h5", "status": "OK", "reason": None, ...}
"""

from __future__ import annotations

import os
import shlex

from hpcprov.commands.choose import listed
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

SIGNATURE, STORAGE = "hpcprov1:", "blake3:"


def against(args: argparse.Namespace, read: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """The artifact compared with a digest that was given."""
    from hpcprov.signature.verify import CHANGED, compare

    facts, path = _given(args.against), os.path.abspath(args.target)
    found = read(path, values=facts["signature"] is not None)
    about = {"path": path, "recorded_path": path, "run": None, "role": None}
    if args.field is not None and found["signature"] is not None:
        return about | _field_against(args.field, args.against, found["signature"]) | digests(facts, found)
    verdict = compare(facts, found, lambda one, other: {}) | {"fields": []}
    if verdict["status"] == CHANGED and (known := found["signature"] if facts["signature"] else found["storage"]):
        verdict["reason"] = _instead(args.against, known)
    return about | verdict | digests(facts, found)


def _given(text: str) -> dict[str, Any]:
    """Facts of an artifact of which only this digest is known. Raises HpcprovError."""
    head, _, digits = text.partition(":")
    if head + ":" not in (SIGNATURE, STORAGE) or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise HpcprovError(f"{text!a} is not a digest", hint="blake3: or hpcprov1: and 64 hexadecimal digits")
    known = {"digest": text, "fields": []}
    return {"storage": None, "signature": None} | {"storage" if head + ":" == STORAGE else "signature": known}


def _instead(digest: str, found: dict[str, Any]) -> str:
    """What was found instead of a digest; it may be that of a field, and nobody said so."""
    is_signature = digest.startswith(SIGNATURE)
    alike = [one["path"] for one in found["fields"] if one["signature"] == digest] if is_signature else []
    if alike:
        return f"that is the signature of {_called(alike[0])} alone: add --field {shlex.quote(alike[0])}"
    return f"its {'signature' if is_signature else 'storage digest'} is {found['digest']}"


def _called(name: str) -> str:
    return f"the field {name!r}" if name else "the array"


def _field_against(name: str, digest: str, signature: dict[str, Any]) -> dict[str, Any]:
    from hpcprov.signature.verify import CHANGED, MISSING, OK

    field = next((one for one in signature["fields"] if one["path"] == name), None)
    if field is None:
        there = listed([repr(one["path"]) for one in signature["fields"]]) or "none"
        return {"status": MISSING, "reason": f"there is no field {name!r}; the fields are {there}", "fields": []}
    status = OK if field["signature"] == digest else CHANGED
    return {"status": status, "reason": f"the signature of {_called(name)} is {field['signature']}", "fields": []}


def digests(recorded: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Both digests, as recorded and as found, and how the latter were obtained."""
    return {name: {"recorded": digest_of(recorded.get(name)), "found": found[name] and {
        key: value for key, value in found[name].items() if key in ("digest", "how", "parts")
    }} for name in ("storage", "signature")}  # fmt: skip


def digest_of(facts: dict[str, Any] | None) -> str | None:
    return facts["digest"] if facts is not None else None

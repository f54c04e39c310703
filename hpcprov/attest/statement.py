"""What is attested of a run: an in-toto Statement (v1) with the provenance of SLSA (v1), made of its record alone.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md        https://slsa.dev/spec/v1.0/provenance

    statement(record, data)  ->  {"_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "20261121T093000Z-1f2e3d4c/record.json", "digest": {"sha256": "…"}},
                    {"name": "/scratch/ada/out.h5", "digest": {"blake3": "…", "hpcprov1": "…"}}],
        "predicateType": "https://slsa.dev/provenance/v1", "predicate": {"buildDefinition": …, "runDetails": …}}

The first subject is record.json itself, so a statement vouches for every word of the record; the others are what the
run generated, as far as it has digests. The same record gives the same bytes, so that several people can sign them.

Names of digests: `sha256` and `gitCommit` as in-toto defines them; `blake3`, of a file's bytes; `hpcprovListing`, of a
directory's listing; `hpcprov1`, of the values of a dataset (docs/signature.md). All are lower-case hexadecimal.
"""

from __future__ import annotations

from hashlib import sha256

from hpcprov.record import layout, model
from hpcprov.record.canonical import canonical
from hpcprov.record.inside import objects, part, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:hpcprov:run:v1"
BUILDER = "urn:hpcprov:exec"


def encoded(record: Record, data: bytes) -> bytes:
    """The statement's bytes: what is signed."""
    return canonical(statement(record, data))


def statement(record: Record, data: bytes) -> dict[str, Any]:
    """The statement on a sealed `record` whose file holds `data`."""
    made = [described(one) for one in record["artifacts"]["generated"]]
    return {
        "_type": TYPE,
        "subject": [itself(record, data), *(one for one in made if one["digest"])],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": _definition(record), "runDetails": _details(record)},
    }


def itself(record: Record, data: bytes) -> dict[str, Any]:
    """The record as a subject."""
    name = f"{readable(record['run']['id'])}/{layout.RECORD}"
    return {"name": name, "digest": {"sha256": sha256(data).hexdigest()}}


def described(artifact: dict[str, Any]) -> dict[str, Any]:
    """An artifact of a record with its digests; there may be none."""
    return {"name": readable(artifact["path"]), "digest": digests(artifact)}


def digests(artifact: dict[str, Any]) -> dict[str, str]:
    """An in-toto DigestSet of an artifact."""
    found: dict[str, str] = {}
    storage, signature = artifact["storage"], artifact["signature"]
    if storage is not None:
        algorithm, _, digits = storage["digest"].partition(":")
        is_directory = artifact["files"] is not None
        found["hpcprovListing" if is_directory and algorithm == "blake3" else algorithm] = digits
        others = storage.get("also")
        if type(others) is dict and not is_directory:
            found |= {name: digits for name, digits in others.items() if type(digits) is str}
    if signature is not None:
        algorithm, _, digits = signature["digest"].partition(":")
        found[algorithm] = digits
    return {readable(name): readable(digits) for name, digits in found.items() if name and digits}


def readable(text: str) -> str:
    """Text that every reader of JSON takes: a lone surrogate (of what is not UTF-8) as six characters, `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _definition(record: Record) -> dict[str, Any]:
    run = record["run"]
    asked = {"argv": run["argv"], "cwd": run["cwd"], "name": run["name"], "tags": run["tags"]}
    facts = {"kind": run["kind"], "ranks": record["ranks"]["count"], "nodes": len(record["nodes"])}
    return {
        "buildType": BUILD,
        "externalParameters": _readable(asked),
        "internalParameters": _readable(facts | {"status": run["status"], "revision": record["revision"]}),
        "resolvedDependencies": _dependencies(record),
    }


def _dependencies(record: Record) -> list[dict[str, Any]]:
    used = [described(one) for one in record["artifacts"]["used"]]
    return [*(one for one in used if one["digest"]), *_code(record), *_images(record)]


def _code(record: Record) -> list[dict[str, Any]]:
    """Commits of the code that ran."""
    found: dict[str, dict[str, Any]] = {}
    for place in model.fact(record, "code").values():
        git = part(place, "git")
        if _is_text(git.get("commit")):
            dirty = {"annotations": {"dirty": True}} if git.get("dirty") is True else {}
            found[git["commit"]] = _located(git) | {"digest": {"gitCommit": readable(git["commit"])}} | dirty
    return list(found.values())


def _located(git: dict[str, Any]) -> dict[str, str]:
    if url := text(git, "remote", "url"):
        return {"uri": readable(f"git+{url}@{git['commit']}")}
    return {"name": readable(git["root"])} if _is_text(git.get("root")) else {}


def _images(record: Record) -> list[dict[str, Any]]:
    """Container images, by the digest that says what they are."""
    found = []
    for image in objects(model.fact(record, "image"), "images"):
        known = text(image, "identity", "digest")
        if known is not None and ":" in known:
            algorithm, _, digits = readable(known).partition(":")
            name = image["image"] if _is_text(image.get("image")) else "image"
            found.append({"name": readable(name), "digest": {algorithm: digits}})
    return found


def _details(record: Record) -> dict[str, Any]:
    run = record["run"]
    times = {"startedOn": run["start"], "finishedOn": run["end"]}
    version = run.get("hpcprov")
    return {
        "builder": {"id": BUILDER} | ({"version": {"hpcprov": readable(version)}} if _is_text(version) else {}),
        "metadata": {"invocationId": readable(run["id"])} | {key: value for key, value in times.items() if value},
        "byproducts": [
            {"name": readable(log["name"]), "digest": {"sha256": readable(log["sha256"])}}
            for log in record["seal"]["logs"]
        ],
    }


def _readable(value: Any) -> Any:
    if type(value) is str:
        return readable(value)
    if type(value) is list:
        return [_readable(item) for item in value]
    if type(value) is dict:
        return {readable(key): _readable(item) for key, item in value.items()}
    return value


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""

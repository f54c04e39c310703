"""In what surroundings two runs ran: environment, modules, images, nodes, ranks.

    modules(one, other)  ->  [{"kind": "module", "text": "module gcc 12.2 -> 13.1", ...}]

Variables that tell a process its place in a launch, and those that modules set, are no causes of their own.
"""

from __future__ import annotations

import os
import re
from collections import Counter

from hpcprov.catalog.causes.told import cause, cut, from_here, short, values
from hpcprov.record import model
from hpcprov.record.inside import objects, part, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

# A process's place in its launch, job, terminal or session: another one each time.
PLACES = re.compile(
    r"((PMI|PMIX|PRTE|ORTE|MPI_LOCAL|HYDI|MV2_COMM|SLURM|SLURMD|PBS|LSB|LSF|FLUX|PALS|SGE|HPCPROV|OMPI_COMM)_|PMI_|"
    r"MPI_LOCAL|HYDI|OMPI_UNIVERSE_SIZE|HPCPROV).*|(PWD|OLDPWD|SHLVL|_|HOSTNAME|TMPDIR|TMP|USER|LOGNAME|HOME|SHELL)"
)
# What the module systems keep for themselves: `modules` tells it.
OF_MODULES = re.compile(
    r"LOADEDMODULES|_LMFILES_|__MODULES_.*|MODULES_LM.*|_ModuleTable.*|LMOD_.*|MODULE(PATH|SHOME|S_CMD)"
)
LIST = re.compile(r".*(PATH|_LMFILES_|LOADEDMODULES|LD_PRELOAD)")
MOST_LINES = 20


def environment(one: Record, other: Record) -> Iterator[Cause]:
    """Recorded variables with other values. Lists of directories are told by what came and went."""
    loaded = [module_names(record) for record in (one, other)]
    left, right = one["environment"]["common"], other["environment"]["common"]
    found = []
    for name in sorted(left.keys() | right.keys()):
        before, after = left.get(name), right.get(name)
        if PLACES.fullmatch(name) or OF_MODULES.fullmatch(name) or _here(before, one) == _here(after, other):
            continue
        if loaded[0] != loaded[1] and LIST.fullmatch(name):
            continue  # modules set it
        if varies(name, one) or varies(name, other):
            continue
        found.append(
            cause("environment", f"environment {cut(name)}{_change(name, before, after)}", before, after, name=name)
        )
    yield from found[:MOST_LINES]
    if len(found) > MOST_LINES:
        yield cause("environment", f"and {len(found) - MOST_LINES} more variables", more=found[MOST_LINES:])


def varies(name: str, record: Record) -> bool:
    return name in record["environment"]["varying"]


def _here(value: str | None, record: Record) -> str | None:
    return None if value is None else from_here(value, record)


def _change(name: str, before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return f" set to {cut(after)}" if before is None else f" not set any more, was {cut(before)}"
    if not LIST.fullmatch(name):
        return f": {cut(before)} -> {cut(after)}"
    old, new = before.split(":"), after.split(":")
    came, went = [one for one in new if one not in old], [one for one in old if one not in new]
    told = [f"{cut(':'.join(came))} added"] * bool(came) + [f"{cut(':'.join(went))} left out"] * bool(went)
    return f": {', '.join(told) or 'another order'}"


def module_names(record: Record) -> list[str]:
    return [name for fact in list(values(record, "modules"))[:1] for one in objects(fact, "loaded")
            if (name := text(one, "name"))]  # fmt: skip


def modules(one: Record, other: Record) -> Iterator[Cause]:
    """Modules by name: another version, loaded in one only, another file of the same name, another order."""
    left, right = _loaded(one), _loaded(other)
    if left is None or right is None:
        return
    for name in dict.fromkeys([*left, *right]):
        before, after = left.get(name), right.get(name)
        if before is None or after is None:
            which, in_which = ("second", after) if before is None else ("first", before)
            assert in_which is not None
            said = f"module {cut(in_which[0])} is loaded in the {which} only"
        elif before[0] != after[0]:
            said = f"module {cut(name)} {_version(before[0])} -> {_version(after[0])}"
        elif before[1] != after[1] and None not in (before[1], after[1]):
            said = f"module {cut(before[0])}: its file changed, sha256:{short(before[1])} -> {short(after[1])}"
        else:
            continue
        yield cause("module", said, before and before[0], after and after[0], name=name)
    if list(left) != list(right) and sorted(left) == sorted(right):
        yield cause("module", "modules are loaded in another order", list(left), list(right))


def _version(name: str) -> str:
    return cut(name.partition("/")[2] or "without version")


def _loaded(record: Record) -> dict[str, tuple[str, str | None]] | None:
    """Full name and digest of the file of each module, by its name without version; of two versions of one, both."""
    facts = list(values(record, "modules"))
    if not facts:
        return None
    found: dict[str, tuple[str, str | None]] = {}
    for module in objects(facts[0], "loaded"):
        full = text(module, "name") or ""
        name = full.partition("/")[0]
        found[name if name not in found else full] = full, text(module, "sha256")
    return found


def images(one: Record, other: Record) -> Iterator[Cause]:
    """Container images by name: another digest, another state of the file, another image, none at all."""
    left, right = _images(one), _images(other)
    if len(left) == len(right) == 1 and left.keys() != right.keys():
        ((name, before),), ((elsewhere, after),) = left.items(), right.items()
        if before != after or None in (before, after):
            said = f"image {cut(name)} {short(before)} -> {cut(elsewhere)} {short(after)}"
            yield cause("image", said, before or name, after or elsewhere)
        return
    for name in dict.fromkeys([*left, *right]):
        if name not in left or name not in right:
            yield cause("image", f"image {cut(name)} is in the {'first' if name in left else 'second'} only",
                        left.get(name), right.get(name))  # fmt: skip
        elif left[name] != right[name]:
            said = f"image {cut(name)} {short(left[name])} -> {short(right[name])}"
            yield cause("image", said, left[name], right[name])


def _images(record: Record) -> dict[str, str | None]:
    """What tells an image from others, by its name: its identity, the digest of its file, or size and time."""
    found: dict[str, str | None] = {}
    known = {text(one, "image"): one for fact in values(record, "image") for one in objects(fact, "images")}
    for fact in values(record, "container"):
        for container in objects(fact, "containers"):
            name = text(container, "image")
            if name in (None, "unknown"):
                continue
            told = known.get(name, {})
            state = (
                f"{container['size']} bytes of {container['mtime']}"
                if "mtime" in container and "size" in container
                else None
            )
            digest = text(part(told, "identity"), "digest") or text(part(told, "storage"), "digest")
            label = os.path.basename(str(name)) if str(name).startswith("/") else str(name)
            found[label] = digest or state
    return found


def nodes(one: Record, other: Record) -> Iterator[Cause]:
    """Processors, kernels, systems and graphics processors of the nodes, by kind: names of nodes do not count."""
    for what, key in (("processor", _cpu), ("kernel", _kernel), ("system", _system), ("graphics processor", _gpu)):
        left, right = kinds(one, key), kinds(other, key)
        if left and right and left.keys() != right.keys():
            yield cause("node", f"{what} {_listed(left)} -> {_listed(right)}", sorted(left), sorted(right))


def kinds(record: Record, key: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for kind in ("host", "gpu"):
        for names, fact in model.facts(record, kind):
            if type(fact.get("value")) is dict and (told := key(kind, fact["value"])):
                found[told] += len(names)
    return found


def _cpu(kind: str, value: dict[str, Any]) -> str | None:
    return text(part(value, "cpu"), "model") if kind == "host" else None


def _kernel(kind: str, value: dict[str, Any]) -> str | None:
    return text(part(value, "kernel"), "release") if kind == "host" else None


def _system(kind: str, value: dict[str, Any]) -> str | None:
    return text(part(value, "os"), "pretty_name") if kind == "host" else None


def _gpu(kind: str, value: dict[str, Any]) -> str | None:
    if kind != "gpu":
        return None
    names = ", ".join(sorted({str(device.get("name")) for device in objects(value, "devices")}))
    driver = text(value, "driver")
    return (f"{names} (driver {driver})" if driver else names) or "none"


def _listed(kinds: Counter[str]) -> str:
    return cut(" and ".join(sorted(kinds)))


def ranks(one: Record, other: Record) -> Iterator[Cause]:
    """How many ranks on how many nodes, started by which launcher."""
    left, right = ({"ranks": r["launcher"]["size"] or r["ranks"]["count"], "nodes": len(r["nodes"]),
                    "launcher": r["launcher"]["kind"]} for r in (one, other))  # fmt: skip
    for what in ("ranks", "nodes", "launcher"):
        if left[what] != right[what] and None not in (left[what], right[what]):
            yield cause("ranks", f"{what} {left[what]} -> {right[what]}", left[what], right[what])

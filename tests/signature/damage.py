"""Describes damaged copies of files and stores, one line of JSON for each: run in a process of its own, since a library
may crash.

python -m signature.damage FOLDER FIRST COUNT SECONDS

Every entry of FOLDER is a sound file or store; copy number n is one of them, damaged by chance seeded with n. A number
and a name are printed before a copy is read and the outcome after it; whoever takes too long is ended by SIGALRM.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from signal import alarm
from typing import Any

#: No copy may take longer, in seconds.
PATIENCE = 10
NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
EXTREMES: tuple[Any, ...] = (*NUMBERS, -(2**63), 10**30, 1e308, 0.5, "", "x" * 1000, "..", "../../etc", "/", "\0", None,
                             True, [], {}, [0], [-1, -1], {"name": "nothing"})  # fmt: skip
NAMES = ("../x", "/etc/passwd", "a/../../x", "", ".", "..", "x\0y", "c/99999999999999999999", "\ud800")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A copy cut short, with some bytes changed, or with ranges of zeros, of itself, or of extreme numbers."""
    if not content:
        return chance.randbytes(9)
    ways = (_cut, _flipped, _flipped, _flipped, _zeroed, _repeated, _numbered, _numbered)
    return chance.choice(ways)(content, chance)


def _place(content: bytes, chance: random.Random) -> int:
    """Anywhere, but more often where formats keep what they say of themselves: the beginning and the end."""
    near = min(len(content), 400)
    return chance.choice(
        (chance.randrange(len(content)), chance.randrange(near), len(content) - 1 - chance.randrange(near))
    )


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    copy = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 30))):
        copy[_place(content, chance)] ^= 1 << chance.randrange(8)
    return bytes(copy)


def _zeroed(content: bytes, chance: random.Random) -> bytes:
    at, length = _place(content, chance), chance.choice((4, 16, 200))
    return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]


def _repeated(content: bytes, chance: random.Random) -> bytes:
    at, length = _place(content, chance), chance.choice((8, 64, 1000))
    return content[:at] + content[at : at + length] * chance.choice((2, 3)) + content[at + length :]


def _numbered(content: bytes, chance: random.Random) -> bytes:
    width, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
    number = (chance.choice(NUMBERS) + chance.choice((-1, 0, 1))) % (1 << 8 * width)
    at = _place(content, chance) // width * width
    return content[:at] + number.to_bytes(width, order) + content[at + width :]  # type: ignore[arg-type]


def damaged_json(content: bytes, chance: random.Random) -> bytes:
    """A JSON document with a value replaced by an extreme one, left out, nested, or under another key."""
    try:
        value = json.loads(content)
    except ValueError:
        return damaged(content, chance)
    for _ in range(chance.choice((1, 1, 2))):
        spots = list(_spots(value))
        if spots:
            chance.choice((_replace, _replace, _replace, _remove, _nest, _rename))(*chance.choice(spots), chance)
    return json.dumps(value).encode()


def _spots(value: Any) -> Any:
    """Every (container, key) of a document."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _spots(value[key])


def _replace(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = chance.choice(EXTREMES)


def _remove(holder: Any, key: Any, chance: random.Random) -> None:
    del holder[key]


def _nest(holder: Any, key: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 50, 900))):
        holder[key] = [holder[key]] if chance.random() < 0.5 else {"name": holder[key]}


def _rename(holder: Any, key: Any, chance: random.Random) -> None:
    if isinstance(holder, dict):
        holder[chance.choice(NAMES[:6])] = holder.pop(key)


def damage(place: Path, chance: random.Random) -> None:
    """Damage a file, a ZIP file or a store where it lies."""
    if place.is_dir():
        _damage_store(place, chance)
    elif zipfile.is_zipfile(place) and chance.random() < 0.5:
        _damage_archive(place, chance)
    else:
        place.write_bytes(damaged(place.read_bytes(), chance))


def _is_json(name: str) -> bool:
    return name.endswith((".json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"))


def _damage_store(store: Path, chance: random.Random) -> None:
    files = sorted(one for one in store.rglob("*") if one.is_file())
    metadata = [one for one in files if _is_json(one.name)]
    one = chance.choice(metadata if chance.random() < 0.6 else files)
    kind = chance.random()
    if kind < 0.7:
        one.write_bytes((damaged_json if _is_json(one.name) and kind < 0.6 else damaged)(one.read_bytes(), chance))
        return
    one.unlink()
    ways: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: one.symlink_to(chance.choice(("/etc/passwd", "..", one.name, "nowhere", "/dev/zero"))),
        one.mkdir,
        lambda: os.mkfifo(one),
    )
    chance.choice(ways)()


def _damage_archive(place: Path, chance: random.Random) -> None:
    """Sound as an archive, damaged inside: a member's content or name."""
    with zipfile.ZipFile(place) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = chance.randrange(len(members))
    name, content = members[at]
    if chance.random() < 0.7:
        content = (damaged_json if _is_json(name) else damaged)(content, chance)
    else:
        name = chance.choice((*NAMES[:6], members[0][0]))
    members[at] = name, content
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(place, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)


def copy(folder: Path, number: int, place: Path) -> str:
    """Make copy `number` at `place`, and say what it is a copy of."""
    chance = random.Random(number)
    sound = sorted(folder.iterdir())
    one = sound[number % len(sound)]
    if place.is_dir():
        shutil.rmtree(place)
    shutil.copytree(one, place) if one.is_dir() else shutil.copyfile(one, place)
    damage(place, chance)
    return one.name


def main(folder: str, first: str, count: str, seconds: str) -> None:
    import warnings

    from hpcprov.signature.artifact import describe

    warnings.simplefilter("ignore")  # zipfile's, about the names that are given twice here
    ends = time.monotonic() + float(seconds)
    for number in range(int(first), int(first) + int(count)):
        if time.monotonic() > ends:
            return
        with tempfile.TemporaryDirectory() as top:
            place = Path(top) / "x"
            name = copy(Path(folder), number, place)
            print(json.dumps([number, name]), flush=True)
            alarm(PATIENCE)
            found = describe(str(place), threads=2)
            alarm(0)
        said = [found["state"], found["reason"], found["unsigned"], found["storage"] is not None]
        print(json.dumps([number, name, *said]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

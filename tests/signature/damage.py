"""Describes damaged copies of a file, one line of JSON for each: run in a process of its own, since a library may
crash.

python -m signature.damage FILE SEED COUNT
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

from hpcprov.signature.artifact import describe


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A copy cut short, or with some bytes changed."""
    if chance.random() < 0.3:
        return content[: chance.randrange(len(content))]
    copy = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 30))):
        copy[chance.randrange(len(copy))] ^= 1 << chance.randrange(8)
    return bytes(copy)


def main(path: str, seed: str, count: str) -> None:
    content = Path(path).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(seed), int(seed) + int(count)):
            place = Path(folder) / "x"
            place.write_bytes(damaged(content, random.Random(number)))
            found = describe(str(place), threads=2)
            print(json.dumps([number, found["state"], found["reason"], found["storage"] is not None]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Signs damaged copies of an HDF5 file, one line for each: run in a process of its own, since the library may crash.

python -m data.hdf5_damage FILE FIRST COUNT
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from signature.damage import damaged

from hpcprov.data.open import open_data, readable
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature.threads import sign_field

#: Damage can declare an array of any size; whoever signs an artifact bounds that (docs/signature.md, section 9).
MOST = 1 << 24


def outcome(path: str) -> str:
    """`signed`, or what was said of the file."""
    try:
        with readable(path), open_data(path) as data:
            for field in data.fields:
                elements = 1
                for extent in field.shape or ():
                    elements *= extent
                if elements * field.width <= MOST:
                    sign_field(field, threads=2)
        return "signed"
    except (UnreadableData, Unsigned) as error:
        return f"{type(error).__name__}: {error}".replace("\n", " ")


def main(path: str, first: str, count: str) -> None:
    content = Path(path).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(first), int(first) + int(count)):
            place = Path(folder) / "x"
            place.write_bytes(damaged(content, random.Random(number)))
            print(number, outcome(str(place)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

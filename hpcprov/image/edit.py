"""What to write where, so that an image has other metadata (labels): bytes for the header, the table and one object.

    change = with_metadata(image, document, group=1, dropped={2}, now=1795247502)
    change.size, [(offset, len(data)) for offset, data in change.writes]
    ->  376594, [(32209, 2183), (374401, 2193), (4096, 28080), (0, 128)]

No other object is moved, so partitions and what is signed stay as they are. Written here rather than by `apptainer sif
del` and `add`, because these can neither put a descriptor before another one (`apptainer inspect` believes the first of
that name) nor work where Apptainer is not installed.

Apptainer gives a new object the number of the first free slot of the table plus one. So that it never gives one twice,
the slots in use are always those of the numbers in use; the objects lie in them in the order that they had.
"""

from __future__ import annotations

import os
from itertools import pairwise

from hpcprov.capture.container.sif import DESCRIPTOR, GROUP, HEADER, METADATA_NAME, Object
from hpcprov.capture.container.sif_types import JSON
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hpcprov.capture.container.sif import Image, Sif

MODIFIED, FREE, DATA_SIZE = 6, 7, 12  # places among the header's values
FREED_AT_ONCE = 1 << 20


class Change:
    """The file's new `size`, the `writes` (offset, bytes) to make, the id of the new object and the ids `kept`."""

    def __init__(self, size: int, writes: list[tuple[int, bytes]], number: int, kept: list[int]) -> None:
        self.size, self.writes, self.number, self.kept = size, writes, number, kept


def with_metadata(image: Image, document: bytes, *, group: int, dropped: Collection[int], now: int) -> Change:
    """The change that makes `document` the metadata that `apptainer inspect` reads, in this group, without the objects
    whose ids are `dropped`. `now`: s since the epoch. Raises UnreadableData, HpcprovError for a table that is full.
    """
    sif = image.sif
    check_order(sif, image.path)
    kept = [item for item in sif.objects if item.id not in dropped]
    if len(kept) >= sif.total:
        raise HpcprovError(f"{image.path}: its table of {sif.total} objects is full")
    number = free_number(kept)
    offset = end_of(sif, kept)
    # An image that was built to be reproducible has no times.
    stamp = now if sif.created > 0 else sif.created
    rows = in_order(kept, descriptor(number, group, offset, len(document), stamp), sif)
    head = header(image, offset + len(document), len(rows), stamp)
    writes = [(offset, document), (sif.table_offset, table(rows, sif)), (0, head)]
    return Change(offset + len(document), erased(sif, kept, offset) + writes, number, [item.id for item in kept])


def check_order(sif: Sif, path: str) -> None:
    """Refuse an image in which one write could change two things. Raises UnreadableData."""
    ids = [item.id for item in sif.objects]
    if len(set(ids)) < len(ids):
        raise UnreadableData(f"{path}: two of its objects have one number: {sorted(ids)}")
    areas = [(0, HEADER.size), (sif.table_offset, sif.table_offset + sif.total * DESCRIPTOR.size)]
    areas += [(item.offset, item.offset + item.size) for item in sif.objects if item.size]
    areas.sort()
    for (_, end), (start, _) in pairwise(areas):
        if start < end:
            raise UnreadableData(f"{path}: two of its objects overlap at byte {start}")


def free_number(kept: Sequence[Object]) -> int:
    """The lowest number that no object has."""
    used = {item.id for item in kept}
    return next(number for number in range(1, len(used) + 2) if number not in used)


def end_of(sif: Sif, kept: Sequence[Object]) -> int:
    """Where a new object goes: after all that stays, and after what lies behind the last object, whatever that is."""
    behind = [sif.size] if sif.size > end(sif.objects, sif) else []
    return max([end(kept, sif), *behind])


def end(objects: Sequence[Object], sif: Sif) -> int:
    """The end of the last object."""
    table_end = sif.table_offset + sif.total * DESCRIPTOR.size
    beginning = sif.data_offset if table_end <= sif.data_offset <= sif.size else table_end
    return max([beginning, *(item.offset + item.size for item in objects)])


def descriptor(number: int, group: int, offset: int, size: int, now: int) -> bytes:
    """A descriptor of metadata."""
    name = METADATA_NAME.encode()
    return DESCRIPTOR.pack(JSON, 1, number, GROUP | group, 0, offset, size, size, now, now, 0, 0, name, b"")


def in_order(kept: Sequence[Object], raw: bytes, sif: Sif) -> list[tuple[int, bytes]]:
    """(number, descriptor) of all objects in table order: the new one before the first other one of its name."""
    new = Object(raw, 0)
    metadata = sif.metadata
    before = [item for item in kept if metadata is None or item.slot < metadata.slot]
    after = [item for item in kept if metadata is not None and item.slot >= metadata.slot]
    return [(item.id, item.raw) for item in (*before, new, *after)]


def table(rows: Sequence[tuple[int, bytes]], sif: Sif) -> bytes:
    """The whole table. Slots are those of the numbers in use, else (in a table with other numbers) the first ones."""
    slots = sorted(number - 1 for number, _ in rows)
    if not 0 <= slots[0] <= slots[-1] < sif.total:
        slots = list(range(len(rows)))
    data = bytearray(sif.total * DESCRIPTOR.size)
    for slot, (_, raw) in zip(slots, rows, strict=True):
        data[slot * DESCRIPTOR.size : (slot + 1) * DESCRIPTOR.size] = raw
    return bytes(data)


def header(image: Image, end: int, used: int, stamp: int) -> bytes:
    """The header with what has changed; not what signatures cover (launch script, magic, version, uuid)."""
    values = list(HEADER.unpack(os.pread(image.descriptor, HEADER.size, 0)))
    values[MODIFIED], values[FREE] = stamp, image.sif.total - used
    values[DATA_SIZE] = end - min(max(image.sif.data_offset, 0), end)
    return HEADER.pack(*values)


def erased(sif: Sif, kept: Sequence[Object], offset: int) -> list[tuple[int, bytes]]:
    """Zeros over the dropped objects that lie before the new one: who takes a label away wants it gone."""
    ids = {item.id for item in kept}
    return [
        (item.offset, bytes(item.size))
        for item in sif.objects
        if item.id not in ids and item.size <= FREED_AT_ONCE and item.offset + item.size <= offset
    ]

"""A store for zarr-python that reads through a Place: what we refuse (pipes, links out of the store, bombs in archives)
it never gets to see. Read only.

    zarr.open_array(store=PlaceStore(Folder("out.zarr")), path="x", mode="r")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from hpcprov.data.interface import MAX_CHUNK
from hpcprov.data.zarr_place import Place


class PlaceStore(Store):
    """`place` as zarr-python takes it; closing it leaves the place open."""

    supports_writes = False
    supports_deletes = False
    supports_partial_writes = False
    supports_listing = True

    def __init__(self, place: Place) -> None:
        super().__init__(read_only=True)
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlaceStore) and other.place is self.place

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        if not self._has(key):
            return None
        if byte_range is None:
            return prototype.buffer.from_bytes(self.place.load(key, MAX_CHUNK))
        blob = self.place.open(key, MAX_CHUNK)
        start, stop = _span(byte_range, blob.size)
        return prototype.buffer.from_bytes(blob.read(start, min(max(0, stop - start), MAX_CHUNK)))

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        return [await self.get(key, prototype, span) for key, span in key_ranges]

    async def exists(self, key: str) -> bool:
        return self._has(key)

    async def list(self) -> AsyncIterator[str]:
        for key in self.place.below(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in self.place.below(""):
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        found = self.place.listings.get(prefix.rstrip("/"))
        for name in sorted(found.files | found.folders) if found is not None else ():
            yield name

    async def set(self, key: str, value: Any) -> None:
        raise PermissionError("a store that is read is never written")

    async def delete(self, key: str) -> None:
        raise PermissionError("a store that is read is never written")

    def _has(self, key: str) -> bool:
        folder, _, name = key.rpartition("/")
        return self.place.has(folder, name)


def _span(wanted: Any, size: int) -> tuple[int, int]:
    """First and last byte of what zarr asks for."""
    if isinstance(wanted, RangeByteRequest):
        return wanted.start, min(wanted.end, size)
    if isinstance(wanted, OffsetByteRequest):
        return wanted.offset, size
    assert isinstance(wanted, SuffixByteRequest)
    return max(0, size - wanted.suffix), size

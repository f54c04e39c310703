"""Which files are parts of a store, a directory of thousands of files that is one artifact: from their names alone.

    named_form(b"u.zarr")            ->  "zarr"
    form_by_file(b".zarray")         ->  "zarr": the directory that the file lies in
    is_partition(b"month=3")         ->  True: what is above all partitions is the dataset

A name is enough, so that the first part of a store that is seen makes it one.
"""

from __future__ import annotations

ZARR, PARQUET = "zarr", "parquet"
ZARR_NAMES = frozenset((b"zarr.json", b".zgroup", b".zarray", b".zattrs", b".zmetadata"))
PARQUET_NAMES = frozenset((b"_metadata", b"_common_metadata"))
PART_STARTS = (b"part-", b"part.")
PARQUET_ENDINGS = (b".parquet", b".parq", b".pq")


def named_form(folder: bytes) -> str:
    """What a directory is by its own name."""
    return ZARR if folder.endswith(b".zarr") else PARQUET if folder.endswith(PARQUET_ENDINGS) else ""


def form_by_file(name: bytes) -> str:
    """What a directory is because of a file in it."""
    if name in ZARR_NAMES:
        return ZARR
    if name in PARQUET_NAMES or (name.startswith(PART_STARTS) and name.endswith(PARQUET_ENDINGS)):
        return PARQUET
    return ""


def is_partition(folder: bytes) -> bool:
    """`year=2020`: a directory of a Hive-partitioned dataset."""
    key, mark, value = folder.partition(b"=")
    return bool(mark and key and value) and key.replace(b"_", b"a").isalnum()


def is_part(name: bytes) -> bool:
    """Whether a file can be one of a partitioned dataset."""
    return name.endswith(PARQUET_ENDINGS)

"""Every format under the one conformance suite."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from require import require

from hpcprov.data.interface import Box, slices

from .conformance import FILL, Arrays, Conformance, Format, gaps_of, values_of

INTEGERS = ("|i1", "|u1", "<i2", ">u4", "<i8")
FLOATS = ("<f4", ">f8")
NUMBERS = INTEGERS + FLOATS


def is_text(values: Any) -> bool:
    return bool(values.dtype.kind == "O")


def hdf5(layout: str = "chunked", libver: str | tuple[str, str] | None = None, **options: Any) -> Any:
    """Writes with h5py in one of HDF5's layouts."""

    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        with h5py.File(path, "w", libver=libver) as file:
            for name, values in arrays.items():
                kind = h5py.string_dtype() if is_text(values) else values.dtype
                chunked = layout == "chunked" and values.size and chunks is not None
                # Checksums of text of any length do not go: the chunks hold addresses.
                how = {"chunks": chunks, **({} if is_text(values) else options)} if chunked else {}
                if layout == "compact":
                    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                    creation.set_layout(h5py.h5d.COMPACT)
                    how = {"dcpl": creation}
                made = file.create_dataset(name, values.shape, kind, **how)
                if values.size:
                    made[...] = values

    return write


def hdf5_sparse(
    path: Path, shape: tuple[int, ...], dtype: str, chunks: tuple[int, ...], written: list[Box], **options: Any
) -> None:
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", shape, dtype, chunks=chunks, fillvalue=FILL, **options)
        for box in written:
            made[slices(box)] = 3


def gzip_sparse(path: Path, *how: Any) -> None:
    hdf5_sparse(path, *how, compression="gzip", shuffle=True)


def netcdf4(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
    """Written by the netCDF library itself."""
    require("netCDF4", find_spec("netCDF4"))
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        for name, values in arrays.items():
            axes = [f"{name}_axis{at}" for at in range(values.ndim)]
            for axis, extent in zip(axes, values.shape, strict=True):
                file.createDimension(axis, extent)
            how = {"chunksizes": chunks, "zlib": True} if chunks is not None else {}
            kind = str if is_text(values) else values.dtype
            # Else the library converts to the machine's byte order and back.
            endian = {">": "big", "<": "little"}.get(values.dtype.str[0], "native")
            how = {} if is_text(values) else {**how, "endian": endian}
            made = file.createVariable(name, kind, axes, fill_value=False if not is_text(values) else None, **how)
            made.set_auto_maskandscale(False)
            made[...] = values


def netcdf3(version: int) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        require("scipy", find_spec("scipy"))
        from scipy.io import netcdf_file

        with netcdf_file(path, "w", version=version) as file:
            for name, values in arrays.items():
                axes = [f"{name}_axis{at}" for at in range(values.ndim)]
                for axis, extent in zip(axes, values.shape, strict=True):
                    file.createDimension(axis, extent)
                file.createVariable(name, values.dtype, axes).data[...] = values

    return write


def netcdf3_records(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
    """The first axis grows: the rows of all variables lie interleaved, each padded to four bytes."""
    require("scipy", find_spec("scipy"))
    from scipy.io import netcdf_file

    with netcdf_file(path, "w") as file:
        file.createDimension("time", None)
        for name, values in arrays.items():
            axes = [f"{name}_axis{at}" for at in range(1, values.ndim)]
            for axis, extent in zip(axes, values.shape[1:], strict=True):
                file.createDimension(axis, extent)
            file.createVariable(name, values.dtype, ["time", *axes])[:] = values


def zarr_store(version: int, *, place: Callable[[Path], Any] = str, **options: Any) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        with quiet():
            store = place(path)
            group = zarr.open_group(store, mode="w", zarr_format=version)
            for name, values in arrays.items():
                kind = "string" if is_text(values) else values.dtype
                how = {"chunks": chunks, **options} if chunks is not None and values.size else {}
                if "shards" in options and "chunks" in how:
                    how["shards"] = tuple(2 * extent for extent in chunks or ())
                made = group.create_array(name, shape=values.shape, dtype=kind, **how)
                if values.size:
                    made[...] = values
            if hasattr(store, "close"):
                store.close()

    return write


def zarr_sparse(version: int, *, place: Callable[[Path], Any] = str, sharded: bool = False) -> Any:
    def write(path: Path, shape: tuple[int, ...], dtype: str, chunks: tuple[int, ...], written: list[Box]) -> None:
        with quiet():
            store = place(path)
            group = zarr.open_group(store, mode="w", zarr_format=version)
            how: Any = {"shards": tuple(2 * extent for extent in chunks)} if sharded else {}
            made = group.create_array("x", shape=shape, dtype=dtype, chunks=chunks, fill_value=FILL, **how)
            for box in written:
                made[slices(box)] = 3
            if hasattr(store, "close"):
                store.close()

    return write


def zipped(path: Path) -> Any:
    return zarr.storage.ZipStore(path, mode="w")


class quiet(warnings.catch_warnings):  # type: ignore[type-arg]
    """zarr warns of types that have no specification yet."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def npy(order: Any) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        (values,) = arrays.values()
        with open(path, "wb") as file:
            np.save(file, np.array(values, order=order))

    return write


def npz(save: Any) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        with open(path, "wb") as file:
            save(file, **arrays)

    return write


def table_of(arrays: Arrays) -> Any:
    """The columns as an Arrow table; masked cells are null."""
    require("pyarrow", find_spec("pyarrow"))
    import pyarrow

    columns = {}
    for name, values in arrays.items():
        plain = np.ma.getdata(values)
        gaps = gaps_of(values)
        if plain.dtype.kind not in "O":
            plain = plain.astype(plain.dtype.newbyteorder("="))
        columns[name] = pyarrow.array(plain, mask=gaps if gaps.any() else None)
    return pyarrow.table(columns)


def parquet(**options: Any) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        table = table_of(arrays)
        from pyarrow import parquet as form

        form.write_table(table, path, **({"row_group_size": chunks[0]} if chunks else {}), **options)

    return write


def feather(compression: str) -> Any:
    def write(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
        table = table_of(arrays)
        from pyarrow import feather as form

        form.write_feather(table, str(path), compression=compression, chunksize=chunks[0] if chunks else None)

    return write


def csv(path: Path, arrays: Arrays, chunks: tuple[int, ...] | None) -> None:
    """A second column keeps it a table: one column of text is no table to anyone who does not know its name."""
    count = len(next(iter(arrays.values())))
    columns = [[cell(value, gone) for value, gone in zip(np.ma.getdata(one), gaps_of(one), strict=True)]
               for one in arrays.values()]  # fmt: skip
    lines = [",".join([*arrays, "extra row"])]
    lines += [",".join(row) for row in zip(*columns, map(str, range(count)), strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")


def printed(dtype: str, shape: tuple[int, ...]) -> Any:
    """Numbers that the rule for text takes: no NaN payloads, and integers of at most 18 digits."""
    values = values_of(dtype, shape)
    if values.dtype.kind == "i":
        return values // 100
    return np.nan_to_num(values, nan=-0.0, posinf=1.5, neginf=5e-324) if values.dtype.kind == "f" else values


def cell(value: Any, gone: Any) -> str:
    if gone:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return str(value).lower() if isinstance(value, bool | np.bool_) else repr(value.item())


class TestHdf5Chunked(Conformance):
    format = Format(hdf5(compression="gzip", shuffle=True, fletcher32=True),
                    (*NUMBERS, "|b1", ">f2", "<c8", ">c16", "|S5", "|V3", "text"),
                    sparse=gzip_sparse, chunked=True)  # fmt: skip


class TestHdf5ChunkedPlain(Conformance):
    format = Format(hdf5(), (*NUMBERS, "text"), sparse=hdf5_sparse, chunked=True)


class TestHdf5LatestFormat(Conformance):
    format = Format(hdf5(libver="latest", compression="lzf"), NUMBERS, sparse=gzip_sparse, chunked=True)


class TestHdf5Contiguous(Conformance):
    format = Format(hdf5("contiguous"), (*NUMBERS, "|b1", ">f2", "<c8", "|S5", "|V3", "text"))


class TestHdf5Compact(Conformance):
    format = Format(hdf5("compact"), (*NUMBERS, "|S5"))


class TestNetcdf4(Conformance):
    format = Format(netcdf4, (*NUMBERS, "text"))


class TestNetcdf3(Conformance):
    # A dimension of no extent is the one that grows.
    format = Format(netcdf3(1), ("|i1", ">i2", ">i4", ">f4", ">f8"), empty=False)


class TestNetcdf3LargeOffsets(Conformance):
    format = Format(netcdf3(2), ("|i1", ">i2", ">i4", ">f4", ">f8"), empty=False)


class TestNetcdf3Records(Conformance):
    format = Format(netcdf3_records, (">f4", "|i1", ">i2", ">f8"), scalar=False, empty=False)


class TestZarr2(Conformance):
    format = Format(zarr_store(2), (*NUMBERS, "|b1", "<f2", "<c8", ">c16", "|S5", "<U4", "|V3", "text"),
                    sparse=zarr_sparse(2), chunked=True)  # fmt: skip


class TestZarr2Plain(Conformance):
    format = Format(zarr_store(2, compressors=None), NUMBERS, sparse=zarr_sparse(2), chunked=True)


class TestZarr3(Conformance):
    format = Format(zarr_store(3), (*NUMBERS, "|b1", "<f2", "<c8", "text"), sparse=zarr_sparse(3), chunked=True)


class TestZarrSharded(Conformance):
    format = Format(zarr_store(3, shards=True), (*NUMBERS, "|b1"), sparse=zarr_sparse(3, sharded=True), chunked=True)


class TestZarr2Zip(Conformance):
    format = Format(zarr_store(2, place=zipped), (*NUMBERS, "text"), sparse=zarr_sparse(2, place=zipped), chunked=True)


class TestZarr3Zip(Conformance):
    format = Format(zarr_store(3, place=zipped), (*NUMBERS, "text"), sparse=zarr_sparse(3, place=zipped), chunked=True)


class TestNpy(Conformance):
    format = Format(npy("C"), (*NUMBERS, "|b1", ">f2", "<c8", "|S5", ">U4", "|V3", ">M8[25us]", "<m8[s]"), named=False)


class TestNpyFortran(Conformance):
    format = Format(npy("F"), (*NUMBERS, "|S5"), named=False)


class TestNpz(Conformance):
    format = Format(npz(np.savez), (*NUMBERS, "|b1", "|S5", ">M8[ns]"))


class TestNpzDeflated(Conformance):
    format = Format(npz(np.savez_compressed), (*NUMBERS, "|b1", "|S5"))


COLUMNS = (*NUMBERS, "|b1", "<f2", "<M8[ns]", "<m8[s]", "text")


class TestParquet(Conformance):
    format = Format(parquet(), COLUMNS, (1,), scalar=False, missing=COLUMNS, kind="table")


class TestParquetPlain(Conformance):
    format = Format(parquet(use_dictionary=False, compression="NONE", data_page_version="2.0"), COLUMNS, (1,),
                    scalar=False, missing=COLUMNS, kind="table")  # fmt: skip


class TestArrow(Conformance):
    format = Format(feather("uncompressed"), COLUMNS, (1,), scalar=False, missing=COLUMNS, kind="table")


class TestFeatherZstd(Conformance):
    format = Format(feather("zstd"), COLUMNS, (1,), scalar=False, missing=COLUMNS, kind="table")


class TestCsv(Conformance):
    format = Format(csv, ("<i8", "<f8", "|b1", "text"), (1,), scalar=False, missing=("<i8", "<f8", "|b1"),
                    empty=False, kind="table", values=printed)  # fmt: skip

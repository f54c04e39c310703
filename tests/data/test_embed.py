"""Attributes are written into data of every format: no value changes, every other reader reads them, what would do harm
is refused, and a kill at any step leaves the data whole."""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.data import embed_copy, embed_draft, embed_zarr
from hpcprov.data.attributes import read_attributes
from hpcprov.data.embed import EDITORS, ZARR, Changes, embed, is_supported
from hpcprov.data.embed_draft import Draft, draft_of, remove_left
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.quality.trail.entries import FORMATS
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.artifact import describe
from tests.require import require

netCDF4 = pytest.importorskip("netCDF4")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
xr = pytest.importorskip("xarray")
pd = pytest.importorskip("pandas")

OLD = "2020-01-01T00:00:00Z born"
NEW = f"2026-11-21T10:00:00Z ./model 'ü'\n{OLD}"
CHANGES = Changes({"history": NEW, "audit": json.dumps([{"run": "x"}] * 40), "gone": None}, {"depth": {"units": "cm"}})
VALUES = np.arange(12, dtype="f4").reshape(3, 4)


def write(path: Path) -> str:
    """A dataset with one field `depth`, in the format that the name says."""
    attributes = {"history": OLD, "gone": "soon"}
    if path.suffix == ".parquet":
        field = pa.field("depth", pa.float32(), metadata={"units": "m"})
        schema = pa.schema([field], attributes)
        pq.write_table(pa.table([VALUES.reshape(-1)], schema=schema), path)
        return str(path)
    dataset = xr.Dataset({"depth": (("t", "x"), VALUES, {"units": "m"})}, attrs=attributes)
    if path.suffix == ".zarr":
        dataset.to_zarr(path, zarr_format=int(path.stem[-1]), consolidated="plain" not in path.stem)
    else:
        dataset.to_netcdf(path, format={".nc": "NETCDF4", ".nc3": "NETCDF3_64BIT"}[path.suffix], engine="netcdf4")
    return str(path)


NAMES = ("a.nc", "a.nc3", "a.parquet", "a2.zarr", "a3.zarr", "plain2.zarr", "plain3.zarr")
FILES = ("a.nc", "a.nc3", "a.parquet")
pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")


def signature(path: str) -> str:
    found = describe(path, threads=1)
    assert found["state"] == "ok", found
    return str(found["signature"]["digest"])


def is_new(path: str) -> bool:
    """Whether the data has the new attributes, all of them; else it has the old ones, all of them."""
    found = read_attributes(path)
    history, units = found.dataset["history"], found.fields["depth"]["units"]
    if history == OLD:
        return False
    assert (history, found.dataset["audit"], "gone" in found.dataset) == (NEW, CHANGES.dataset["audit"], False)
    assert units == "cm"
    return True


@pytest.mark.parametrize("name", NAMES)
def test_attributes_change_and_values_do_not(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    before = signature(path)
    embed(path, CHANGES)
    assert is_new(path)
    assert signature(path) == before
    embed(path, CHANGES)
    assert is_new(path)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_every_reader_reads_them(tmp_path: Path) -> None:
    for name in NAMES:
        embed(write(tmp_path / name), CHANGES)
    for name, engine in (("a.nc", "netcdf4"), ("a.nc3", "netcdf4"), ("a.nc3", "scipy")):
        with xr.open_dataset(tmp_path / name, engine=engine) as opened:
            history = opened.attrs["history"]
            assert (history if isinstance(history, str) else history.decode()) == NEW
            assert opened["depth"].attrs["units"] in ("cm", b"cm")
            assert np.array_equal(opened["depth"].values, VALUES)
    for name in ("a2.zarr", "a3.zarr", "plain2.zarr", "plain3.zarr"):
        for consolidated in (False,) if "plain" in name else (True, False):
            with xr.open_zarr(tmp_path / name, consolidated=consolidated) as opened:
                assert (opened.attrs["history"], opened["depth"].attrs["units"]) == (NEW, "cm")
                assert np.array_equal(opened["depth"].values, VALUES)
        assert zarr.open_group(str(tmp_path / name), mode="r")["depth"].attrs["units"] == "cm"
    table = tmp_path / "a.parquet"
    assert pq.read_schema(table).metadata[b"history"].decode() == NEW
    assert pq.ParquetFile(table).metadata.metadata[b"history"].decode() == NEW
    assert pq.read_schema(table).field("depth").metadata == {b"units": b"cm"}
    assert np.array_equal(pd.read_parquet(table)["depth"], VALUES.reshape(-1))


def test_text_stays_of_the_length_that_it_was(tmp_path: Path) -> None:
    """netCDF's Fortran programs read text of a fixed length only; others had their reasons."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["depth"] = VALUES
        file.attrs["variable"] = "text"
        file.attrs["fixed"] = np.bytes_("text")
    embed(str(tmp_path / "a.h5"), Changes({"variable": "other ü", "fixed": "other ü", "new": "x", "list": ["a", "ü"]}))
    with h5py.File(tmp_path / "a.h5") as file:
        kinds = {name: file.attrs.get_id(name).get_type().is_variable_str() for name in file.attrs}
        assert kinds == {"variable": True, "fixed": False, "new": False, "list": True}
        assert file.attrs["variable"] == "other ü"
        assert bytes(file.attrs["fixed"]).decode() == "other ü"
        assert list(file.attrs["list"]) == ["a", "ü"]


@pytest.mark.parametrize("form", [2, 3])
def test_zarr_stores_of_one_array_and_of_nested_groups(tmp_path: Path, form: int) -> None:
    array, group = str(tmp_path / "array.zarr"), str(tmp_path / "group.zarr")
    zarr.create_array(array, shape=(4,), dtype="f4", zarr_format=form)
    embed(array, Changes({"title": "t"}, {"": {"units": "m"}}))
    assert read_attributes(array).dataset == {"title": "t", "units": "m"}
    root = zarr.open_group(group, mode="w", zarr_format=form)
    root.create_group("a/b").create_array("x", shape=(4,), dtype="i4")
    zarr.consolidate_metadata(group, path="a" if form == 3 else None)
    zarr.consolidate_metadata(group)
    embed(group, Changes({"title": "t"}, {"a/b/x": {"units": "m"}}))
    for consolidated in (True, False):
        opened = zarr.open_group(group, mode="r", use_consolidated=consolidated)
        assert (opened.attrs["title"], opened["a/b/x"].attrs["units"]) == ("t", "m")
    assert zarr.open_group(f"{group}/a", mode="r")["b/x"].attrs["units"] == "m"


@pytest.mark.parametrize(
    "options",
    [
        {"libver": "latest"},
        {"track_order": True},
        {"userblock_size": 512},
        {"fs_strategy": "page", "fs_page_size": 4096},
    ],
)
def test_hdf5_files_of_all_kinds(tmp_path: Path, options: dict[str, Any]) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", **options) as file:
        file["g/x"] = np.arange(100.0)
        file.attrs.update({f"a{number}": "v" * 1000 for number in range(40)})
    before = signature(path)
    for number in range(3):
        embed(path, Changes({"a3": "new", "large": "y" * (60_000 + number)}, {"g/x": {"units": "m"}}))
    found = read_attributes(path)
    assert (len(found.dataset), found.dataset["a3"], len(str(found.dataset["large"]))) == (41, "new", 60_002)
    assert (found.fields, signature(path)) == ({"g/x": {"units": "m"}}, before)


@pytest.mark.parametrize("name", FILES)
def test_mode_times_and_extended_attributes_stay(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    os.chmod(path, 0o640)
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pass  # a file system without them
    before, extended = os.stat(path), os.listxattr(path)
    embed(path, CHANGES)
    after = os.stat(path)
    assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (before.st_mode, before.st_mtime_ns, before.st_uid)
    assert (os.listxattr(path), after.st_ino != before.st_ino) == (extended, True)


def access(*entries: tuple[int, int, int]) -> bytes:
    """An access control list as the kernel takes it: tag, permissions, id (acl(5))."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, mode, who % 2**32) for tag, mode, who in entries)


def lists(path: str) -> list[str]:
    return [name for name in os.listxattr(path) if "acl" in name]


def test_a_directory_opens_the_file_to_nobody(tmp_path: Path) -> None:
    """What is made in this directory, user 65534 may read; this file he may not, before and after."""
    path = write(tmp_path / "a.nc")
    os.chmod(path, 0o640)
    owner, user, group, mask, other = 1, 2, 4, 16, 32
    everyone = [(owner, 7, -1), (user, 7, 65534), (group, 5, -1), (mask, 7, -1), (other, 0, -1)]
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", access(*everyone))
    except OSError:
        pytest.skip("a file system without access control lists")
    embed(path, CHANGES)
    assert (lists(path), stat.S_IMODE(os.stat(path).st_mode)) == ([], 0o640)
    own = access((owner, 6, -1), (user, 4, 4711), (group, 0, -1), (mask, 4, -1), (other, 0, -1))
    os.setxattr(path, "system.posix_acl_access", own)
    embed(path, Changes({"history": "again"}))
    assert (os.getxattr(path, "system.posix_acl_access"), os.stat(path).st_mode & 0o777) == (own, 0o640)


def refused(path: str, **options: Any) -> str:
    """Why nothing was written; nothing was."""
    with pytest.raises(HpcprovError) as error:
        embed(path, CHANGES, **options)
    assert not [name for name in os.listdir(os.path.dirname(path)) if name.endswith(embed_draft.SUFFIX)]
    return str(error.value)


def test_what_would_do_harm_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc")
    os.link(path, tmp_path / "b.nc")
    assert "hard links" in refused(path)
    embed(path, CHANGES, break_links=True)
    assert (is_new(path), is_new(str(tmp_path / "b.nc"))) == (True, False)
    os.chmod(path, 0o444)
    assert "read-only" in refused(path)
    os.chmod(path, 0o644)
    with open(path, "r+b"):
        assert "open for writing" in refused(path)
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "open for writing" in refused(path)
    with Draft(path), pytest.raises(NotEmbedded, match="another process"):
        embed(path, CHANGES)


def test_a_writer_with_hdf5s_own_lock_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc")
    code = f"import h5py, sys; f = h5py.File({path!r}, 'r+'); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert "open for writing" in refused(path)
        writer.communicate()
    embed(path, CHANGES)
    assert is_new(path)


def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lustre is mounted without flock: nobody can be kept out, so nobody is waited for."""

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    for name in ("a.nc", "a3.zarr"):
        path = write(tmp_path / name)
        embed(path, CHANGES)
        assert is_new(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to groups that he is not in")
def test_a_group_of_others_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nc")
    os.chown(path, -1, 4711)

    def fchown(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", fchown)
    assert "its group is one that you are not in" in refused(path)


def test_a_full_disk_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nc")
    real = os.fstatvfs

    def full(fd: int) -> Any:
        found = list(real(fd))
        found[4] = 0  # blocks that are free
        return os.statvfs_result(found)

    monkeypatch.setattr(embed_copy, "FICLONE", 0)
    monkeypatch.setattr(os, "fstatvfs", full)
    assert "0 are free" in refused(path)


def test_a_disk_that_gets_full_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nc")

    def fails(*_: Any) -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(embed_copy, "FICLONE", 0)
    monkeypatch.setattr(os, "copy_file_range", fails)
    with pytest.raises(OSError, match="quota"):
        embed(path, CHANGES)
    assert (os.listdir(tmp_path), is_new(path)) == (["a.nc"], False)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_changes_meanwhile_stays(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)

    def meanwhile(_: str) -> None:
        os.utime(path)

    assert "changed meanwhile" in refused(path, check=meanwhile)
    assert not is_new(path)


def test_an_encrypted_table_keeps_the_signature_of_its_footer(tmp_path: Path) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

    path, table = tmp_path / "a.parquet", pa.table({"a": [1, 2, 3], "b": [1.5, 2.5, 3.5]})
    wanted = encryption.EncryptionConfiguration("foot", column_keys={"key": ["b"]}, plaintext_footer=True)
    factory = encryption.CryptoFactory(lambda config: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), wanted)
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as file:
        file.write_table(table)
    before = path.read_bytes()
    with pytest.raises(NotEmbedded, match="signed with a key"):
        embed(str(path), Changes(dataset={"history": "x"}))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.parquet"]


def test_a_check_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")

    def check(copy: str) -> None:
        assert is_new(copy)
        raise NotEmbedded("no")

    assert refused(path, check=check) == "no"
    assert not is_new(path)


def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    for name in ("a.nc", "a3.zarr"):
        (tmp_path / "real").mkdir(exist_ok=True)
        real = write(tmp_path / "real" / name)
        os.symlink(real, tmp_path / name)
        embed(str(tmp_path / name), CHANGES)
        assert (tmp_path / name).is_symlink()
        assert is_new(real)


def test_formats_without_a_place_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "a.txt").write_bytes(b"\0")
    for name in ("a.npy", "a.csv", "a.txt"):
        assert "no place" in refused(str(tmp_path / name))


def test_the_formats_are_named_once_for_those_who_import_no_library() -> None:
    assert set(FORMATS) == {*EDITORS, *ZARR}
    assert all(map(is_supported, FORMATS))


@pytest.mark.parametrize("name", NAMES)
def test_fields_that_are_not_there(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    for field in ("other", "../depth", "depth/../../x", ""):
        if field or name.endswith(".parquet"):
            with pytest.raises(HpcprovError, match="no field"):
                embed(path, Changes(fields={field: {"units": "m"}}))
    assert not is_new(path)


def test_attributes_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc")
    with pytest.raises(NotEmbedded, match="takes 64000"):
        embed(path, Changes({"large": "x" * 70_000}))
    with pytest.raises(NotEmbedded, match="neither text nor numbers"):
        embed(path, Changes({"huge": 1 << 70}))
    assert not is_new(path)


def test_a_damaged_footer(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    whole = Path(path).read_bytes()
    for at in range(len(whole) - 200, len(whole) - 8, 3):
        Path(path).write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            embed(path, Changes({"a": "b"}))
        except HpcprovError:
            assert Path(path).read_bytes()[at] == whole[at] ^ 0xFF
    assert os.listdir(tmp_path) == ["a.parquet"]


def test_a_zarr_store_that_another_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "plain3.zarr")
    real, left = embed_zarr._edited, [3]

    def meanwhile(before: bytes | None, edit_one: Any, document: str) -> bytes | None:
        if left[0]:
            left[0] -= 1
            node = json.loads(Path(document).read_text())
            node["attributes"][f"theirs{left[0]}"] = 1
            Path(document).write_text(json.dumps(node))
        return real(before, edit_one, document)

    monkeypatch.setattr(embed_zarr, "_edited", meanwhile)
    embed(path, Changes({"ours": "x"}))
    found = read_attributes(path).dataset
    assert {name for name in found if "s" in name} >= {"ours", "theirs0", "theirs1", "theirs2"}
    left[0] = 1 << 30
    with pytest.raises(NotEmbedded, match="all the time"):
        embed(path, Changes({"ours": "y"}))


def test_a_zarr_store_that_leads_out_of_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "plain3.zarr")
    shutil.move(f"{path}/depth", tmp_path / "outside")
    os.symlink(tmp_path / "outside", f"{path}/depth")
    with pytest.raises(HpcprovError, match="no field"):
        embed(path, CHANGES)
    os.unlink(f"{path}/depth")
    shutil.move(tmp_path / "outside", f"{path}/depth")
    shutil.move(f"{path}/zarr.json", tmp_path / "outside.json")
    os.symlink(tmp_path / "outside.json", f"{path}/zarr.json")
    with pytest.raises(HpcprovError, match="symbolic links"):
        embed(path, Changes({"a": "b"}))


def test_drafts_that_were_left_behind_go(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc")
    Path(draft_of(path)).write_bytes(b"half")
    embed(path, CHANGES)
    assert (os.listdir(tmp_path), is_new(path)) == (["a.nc"], True)
    Path(draft_of(path)).write_bytes(b"half")
    remove_left(path)
    assert os.listdir(tmp_path) == ["a.nc"]
    with Draft(path) as draft:
        remove_left(path)
        assert os.path.exists(draft.path)


#: Embeds in copies of the data, each time killed at a later one of Python's audit events, until one is not.
KILLED = """
import json, os, shutil, signal, sys
from hpcprov.data import embed_hdf5, embed_netcdf3, embed_parquet, embed_zarr
from hpcprov.data.embed import Changes, embed

folder, dataset, fields, *names = sys.argv[1:]
WORDS = ("open", "os.rename", "os.remove", "os.chmod", "os.utime", "os.listxattr", "os.truncate", "fcntl.flock")

def killed_at(step, path):
    left = [step]
    def hook(name, args):
        if name in WORDS:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    embed(path, Changes(json.loads(dataset), json.loads(fields)))
    os._exit(0)

def steps(name):
    copy = shutil.copytree if name.endswith(".zarr") else shutil.copy2
    for step in range(1, 200):
        path = f"{folder}/{name}.steps/{step}/{name}"
        os.makedirs(os.path.dirname(path))
        copy(f"{folder}/{name}", path)
        pid = os.fork()
        if not pid:
            killed_at(step, path)
        status = os.waitpid(pid, 0)[1]
        if status != signal.SIGKILL:
            return status

sys.exit(any(steps(name) != 0 for name in names))
"""


@pytest.mark.slow
def test_a_kill_at_any_step(tmp_path: Path) -> None:
    names = ("a.nc", "a.nc3", "a.parquet", "a2.zarr", "a3.zarr")
    before = {name: signature(write(tmp_path / name)) for name in names}
    words = [str(tmp_path), json.dumps(CHANGES.dataset), json.dumps(CHANGES.fields), *names]
    subprocess.run([sys.executable, "-c", KILLED, *words], check=True)
    for name in names:
        found = [step / name for step in (tmp_path / f"{name}.steps").iterdir()]
        states = [
            state_after_kill(str(path), before[name]) for path in sorted(found, key=lambda one: int(one.parts[-2]))
        ]
        assert len(states) > 8
        assert (states[0], states[-1]) == ((False, False), (True, True))
        assert states == sorted(states)  # for a Zarr store: first the field's, then the whole's
        assert name.endswith(".zarr") or len(set(states)) == 2


def state_after_kill(path: str, expected: str) -> tuple[bool, bool]:
    """Whether the field and the dataset have the new attributes; both are readable, and what was left behind goes."""
    assert signature(path) == expected
    found = read_attributes(path)
    if path.endswith(".zarr"):
        assert zarr.open_group(path, mode="r").attrs["history"] in (OLD, NEW)
    embed(path, CHANGES)
    assert is_new(path)
    assert not list(Path(path).parent.rglob(f"*{embed_draft.SUFFIX}"))
    return found.fields["depth"]["units"] == "cm", found.dataset["history"] == NEW


def test_ncdump_reads_them(tmp_path: Path) -> None:
    require("ncdump", shutil.which("ncdump"))
    for name in ("a.nc", "a.nc3"):
        path = write(tmp_path / name)
        embed(path, CHANGES)
        found = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True, check=True).stdout
        assert 'history = "2026-11-21T10:00:00Z ./model' in found
        assert 'depth:units = "cm"' in found


def test_another_users_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nc")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "another user" in refused(path)
    assert stat.S_ISREG(os.stat(path).st_mode)

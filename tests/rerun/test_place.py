"""What lies in the directory of a rerun: links to what is only read, and nothing that leads to writing the original."""

from __future__ import annotations

import os
from pathlib import Path

from hpcprov.rerun.place import prepare, provide
from hpcprov.rerun.plan import make
from tests.rerun.test_plan import artifact, record


def test_a_directory_that_is_read_and_written_in_is_no_link(tmp_path: Path) -> None:
    old, new = tmp_path / "one", tmp_path / "one.rerun-1"
    for name in ("data/in.txt", "data/deep/in.txt", "data/deep/state.bin", "data/deep/extra.txt", "grid/a"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text("original")
    told = record(cwd=str(old))
    told["artifacts"]["used"] = [artifact(f"{old}/{name}") for name in ("data", "data/deep/state.bin", "grid")]
    told["artifacts"]["generated"] = [artifact(f"{old}/data/deep/{name}") for name in ("extra.txt", "state.bin")]
    new.mkdir()
    prepare(make(told, str(new)))
    assert (
        (new / "grid").is_symlink() and (new / "data/in.txt").is_symlink() and (new / "data/deep/in.txt").is_symlink()
    )
    assert not (new / "data").is_symlink() and not (new / "data/deep").is_symlink()
    assert not os.path.lexists(new / "data/deep/extra.txt")
    (new / "data/deep/extra.txt").write_text("again")
    (new / "data/deep/state.bin").write_text("again")
    assert {(old / f"data/deep/{name}").read_text() for name in ("extra.txt", "state.bin")} == {"original"}


def test_what_is_no_directory_any_more_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file now")
    provide(str(tmp_path / "data"), str(tmp_path / "place"), {str(tmp_path / "data/out")}, set())
    assert (tmp_path / "place").is_symlink()


def test_an_image_in_the_directory_is_there_again(tmp_path: Path) -> None:
    """`apptainer exec model.sif`: it is no input, and the command names it as seen from the directory."""
    old, new = tmp_path / "one", tmp_path / "one.rerun-1"
    for place in (old, new):
        place.mkdir()
    (old / "model.sif").write_text("an image")
    told = record(cwd=str(old), argv=["apptainer", "exec", "model.sif", "true"])
    value = {"containers": [{"image": "m", "path": f"{old}/model.sif"}, {"image": "n", "path": None}, {"image": "o"}]}
    told["facts"]["c"] = {"kind": "container", "value": value}
    told["nodes"][0]["facts"]["container"] = "c"
    prepare(make(told, str(new)))
    assert os.path.realpath(new / "model.sif") == str(old / "model.sif")

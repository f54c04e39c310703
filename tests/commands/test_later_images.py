"""Settling reads the images that a run left unread, also where no agent looked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from merge.build import BEGAN, SECOND, Launch

from commands.conftest import Call, publish
from hpcprov.agent import image_child
from hpcprov.capture.container.image import describe
from hpcprov.record.layout import Store
from tests.record_check import check_record


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A squashfs image, as far as anybody looks at one, from before the run."""
    path = tmp_path / "x.sqfs"
    path.write_bytes(b"hsqs" + bytes(1000))
    os.utime(path, ns=(BEGAN, BEGAN))
    return path


def images(call: Call) -> list[dict[str, Any]]:
    record = check_record(json.loads(call("show", "r1", "--json")[1]))
    found: list[list[dict[str, Any]]] = [f["value"]["images"] for f in record["facts"].values() if f["kind"] == "image"]
    return found[0] if found else []


def told(image: Path) -> dict[str, Any]:
    return {"containers": [{"runtime": "ch-run", "how": "argv", "image": image.name} | describe(str(image))]}


def no_agent(store: Store, image: Path, **keys: Any) -> None:
    argv = ["apptainer", "exec", image.name, "ls"]
    launch = Launch(inputs=[], outputs=[], argv=argv, cwd=str(image.parent), **keys)
    publish(store, "r1", launch.start().env().exit())


@pytest.mark.parametrize("reason", ["later: run `hpcprov settle` with this run's id", "time"])
def test_what_was_left_is_read(call: Call, store: Store, image: Path, reason: str) -> None:
    launch = Launch(hash="later", inputs=[], outputs=[]).start().agent().fact("container", told(image)).exit()
    unread = {"image": image.name, "path": str(image), "identity": None, "reason": reason}
    other = {"image": "y.sif", "identity": None, "reason": "not SIF"}
    publish(store, "r1", launch.fact("image", {"images": [unread, other]}, 11))
    assert "sign what was left" in call("show", "r1")[1]
    assert call("settle", "r1") == (0, "y.sif: not known: not SIF\nx.sqfs: ok\n", "")
    kept, read = images(call)
    assert kept == other and read["identity"]["digest"].startswith("blake3:") and read["how"] == "full"
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_nothing_is_read_where_that_was_not_wanted(call: Call, store: Store, image: Path) -> None:
    no_agent(store, image, hash="off")
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_a_run_that_no_agent_looked_at(call: Call, store: Store, image: Path) -> None:
    no_agent(store, image)
    assert call("settle", "r1") == (0, "x.sqfs: ok\n", "")
    assert images(call)[0]["path"] == str(image)


def test_an_image_that_is_newer_than_its_run(call: Call, store: Store, image: Path) -> None:
    no_agent(store, image)
    os.utime(image, ns=(BEGAN, BEGAN + 60 * SECOND))
    assert call("settle", "r1") == (0, f"x.sqfs: not known: {image_child.CHANGED_SINCE}\n", "")
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_an_image_that_is_gone(call: Call, store: Store, image: Path) -> None:
    no_agent(store, image)
    image.unlink()
    assert "No such file" in call("settle", "r1")[1]
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_a_claim_of_the_environment(call: Call, store: Store, image: Path) -> None:
    """Without an agent nobody saw /.singularity.d: the record says that only a variable tells."""
    launch = Launch(inputs=[], outputs=[], argv=["./model"]).start().env(APPTAINER_CONTAINER=str(image)).exit()
    publish(store, "r1", launch)
    assert call("settle", "r1")[1] == f"{image}: ok\n"
    (fact,) = [f for f in json.loads(call("show", "r1", "--json")[1])["facts"].values() if f["kind"] == "container"]
    assert fact["value"]["containers"][0]["sign"] == "environment" and "no agent" in fact["value"]["reason"]


@pytest.mark.parametrize("value", [None, 3, {"images": 3}, {"images": [3, {"image": []}]}])
def test_facts_of_any_shape(call: Call, store: Store, value: Any) -> None:
    publish(store, "r1", Launch(inputs=[], outputs=[]).start().agent().fact("image", value).exit())
    assert call("settle", "r1")[0] == 0 and call("show", "r1")[0] == 0


@pytest.mark.parametrize("words", [["run", "debian:12"], ["--root", "/other", "run", "debian:12"]])
def test_no_program_and_no_option_of_a_record_is_run(
    call: Call, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Records may be another user's: who settles them asks the engine that is on the own PATH."""
    for name in ("theirs", "own"):
        (tmp_path / name).mkdir()
        script = f'#!/bin/sh\necho "$@" >>{tmp_path}/{name}.called\necho \'[{{"Digest": "sha256:{"a" * 64}"}}]\'\n'
        (tmp_path / name / "podman").write_text(script)
        (tmp_path / name / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/own:{os.environ['PATH']}")
    launch = Launch(inputs=[], outputs=[], argv=[f"{tmp_path}/theirs/podman", *words])
    publish(store, "r1", launch.start().env().exit())
    assert call("settle", "r1")[1] == "debian:12: ok\n"
    assert not (tmp_path / "theirs.called").exists()
    assert (tmp_path / "own.called").read_text() == "image inspect -- debian:12\n"

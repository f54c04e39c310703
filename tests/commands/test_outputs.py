"""What commands write: never over what they read, for the same readers, and no draft is left when one is ended."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpcprov.cli import main
from hpcprov.export import place

LIMITS = '{"fields": {"x": {"max": 0.5}}}'


@pytest.mark.parametrize(
    "words",
    [
        ("dictionary", "data.csv", "--format", "md", "-o", "data.csv"),
        ("dictionary", "data.csv", "--format", "md", "-o", "link"),
        ("constraints", "discover", "data.csv", "-o", "data.csv"),
        ("constraints", "verify", "data.csv", "c.json", "--detect", "-o", "data.csv"),
        ("constraints", "export", "c.json", "--to", "pandera", "-o", "c.json"),
        ("diff", "c.json", "data.csv", "-o", "data.csv"),
    ],
)
def test_what_is_read_is_never_written_over(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    (tmp_path / "c.json").write_text(LIMITS)
    os.link("data.csv", "link")
    assert main([*words, "--force"]) == 2
    assert "write to another place" in capsys.readouterr().err
    assert ((tmp_path / "data.csv").read_text(), (tmp_path / "c.json").read_text()) == ("x,y\n1,2\n", LIMITS)


def test_a_page_of_mine_alone_stays_that(tmp_path: Path) -> None:
    (tmp_path / "x.md").touch(mode=0o600)
    place.write("new", str(tmp_path / "x.md"), force=True)
    assert (stat.S_IMODE((tmp_path / "x.md").stat().st_mode), (tmp_path / "x.md").read_text()) == (0o600, "new")


def test_detecting_leaves_no_draft_when_it_is_ended(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.random.default_rng(1).random(4 << 20)
    (tmp_path / "c.json").write_text(LIMITS)
    words = ["constraints", "verify", "a.h5", "c.json", "--detect", "-o", "bad.csv"]
    with subprocess.Popen([sys.executable, "-m", "hpcprov", *words], cwd=tmp_path) as child:
        while len(os.listdir(tmp_path)) == 2 and child.poll() is None:
            time.sleep(0.001)
        child.send_signal(signal.SIGTERM)
    assert child.returncode == 128 + signal.SIGTERM
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "c.json"]

"""docs/observing.md: its commands run and give what it says; what it names is there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from hpcprov.capture.observed.classes import CLASSES
from hpcprov.record import observed
from hpcprov.record import site as configuration
from tests.agent.conftest import Site

from .whole import below, ran

TEXT = (Path(__file__).parents[2] / "docs" / "observing.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level."""
    level = title.partition(" ")[0]
    return re.split(rf"^{level} ", TEXT.partition(f"\n{title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def block(title: str) -> str:
    """The first indented lines below a heading."""
    lines = section(title).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    "))
    end = next(number for number, line in enumerate(lines[start:], start) if not line.startswith("    "))
    return "\n".join(line[4:] for line in lines[start:end]) + "\n"


def test_the_commands_of_the_first_page_give_what_it_says(site: Site) -> None:
    path = f"{Path(site.launcher).parent}:{os.environ['PATH']}"
    shell = ["sh", "-e", "-c", block("## For users")]
    done = subprocess.run(
        shell, cwd=site.cwd, env=site.env | {"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "inputs     in.csv  observed" in done.stdout and "outputs    out.csv  observed" in done.stdout
    record = site.record()
    assert (below(site, record, "used"), below(site, record, "generated")) == ({"in.csv"}, {"out.csv"})
    names = ran(record)
    assert {name: names.get(name) for name in ("sort", "mv", "wc")} == {"sort": 1, "mv": 1, "wc": 1}


def test_every_class_and_reason_has_its_row() -> None:
    rows = [line.split("|")[1].strip() for line in section("## For users").splitlines() if line.startswith("| ")]
    assert set(CLASSES) <= {row.split(" ")[0] for row in rows}
    told = set(re.findall(r'`(?:"blind": )?"([a-z0-9 -]+)"`', section("## What is seen, and what is not")))
    assert told == set(observed.BLIND)


def test_the_configuration_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "hpcprov.conf").write_text(block("## For administrators"))
    environ = {"HPCPROV_CONFIG": str(tmp_path / "hpcprov.conf")}
    assert configuration.value("observe", environ) == "preload" and configuration.value("audit", environ) == "python"
    assert configuration.number("observe_files", environ, otherwise=7) == 1000


@pytest.mark.parametrize("option", ["--observe preload|notify|off", "--audit python|off", "--no-agent"])
def test_the_options_are_those_of_the_launcher(site: Site, option: str) -> None:
    done = subprocess.run([site.launcher, "exec", "--help"], capture_output=True, text=True, timeout=60)
    assert option in done.stdout and option.split("|")[0].split(" ")[0] in TEXT

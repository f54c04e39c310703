"""Event areas in whole runs: ranks share one, several are kept apart, and whatever happens to them the run goes on."""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

import pytest

from tests.require import require

from .conftest import Site


def nodes(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What each node's agent says of what it saw."""
    found: list[dict[str, Any]] = record["observation"]["nodes"]
    return found


def written(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The artifacts that were observed to be written, by the name of the file."""
    found = (one for one in record["artifacts"]["generated"] if one["observed"])
    return {os.path.basename(one["path"]): one["observed"] for one in found}


@pytest.mark.mpi
def test_all_ranks_of_a_node_share_one_area(site: Site) -> None:
    require("mpi", os.access(site.mpiexec, os.X_OK))
    script = "ls /dev/shm >names.$PMI_RANK; : >out.$PMI_RANK; sleep 1"
    site.call(site.mpiexec, "-n", "4", site.launcher, "exec", "--hash", "off", "--", "sh", "-c", script)
    record = site.record()
    assert len(nodes(record)) == 1 and nodes(record)[0]["complete"]
    assert {name: one["ranks"] for name, one in written(record).items() if name.startswith("out.")} == {
        f"out.{rank}": [[rank, rank]] for rank in range(4)
    }
    shells = [row for row in record["observation"]["programs"] if row["argv"][:1] == ["sh"]]
    assert [(row["count"], row["ranks"]) for row in shells] == [(4, [[0, 3]])]


@pytest.mark.mpi
def test_ranks_that_do_not_see_one_place_have_areas_of_their_own(site: Site) -> None:
    """As in containers of their own: each rank has another /dev/shm; the agent gets all areas by their descriptors."""
    require("mpi", os.access(site.mpiexec, os.X_OK))
    if os.geteuid() != 0:
        pytest.skip("needs root")
    apart = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    prefix = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", apart, "sh"]
    work = "sleep 0.5; : >out.$PMI_RANK; cp out.$PMI_RANK copy.$PMI_RANK"
    site.call(site.mpiexec, "-n", "3", *prefix, site.launcher, "exec", "--hash", "off", "--", "sh", "-c", work)
    record = site.record()
    assert nodes(record)[0]["complete"]
    names = {f"{name}.{rank}" for rank in range(3) for name in ("out", "copy")}
    assert names <= written(record).keys()
    assert all(written(record)[name]["ranks"] == [[int(name[-1])] * 2] for name in names)
    ids = [row["id"] for row in record["observation"]["programs"]]
    assert len(set(ids)) == len(ids)


AREA = """import os
words = open("/proc/self/environ", "rb").read().split(b"\\0")
value = next(word for word in words if word.startswith(b"HPCPROV_IO="))  # the library hides it, but not from the kernel
area = os.open(value.split(b":", 4)[4], os.O_RDWR)
"""
AFTER = "open('out', 'w').write('x')\nprint('over')\n"


def test_an_area_that_the_application_overwrites(site: Site) -> None:
    """Nobody believes what is in it, and the run is recorded all the same."""
    (site.cwd / "scribble.py").write_text(f"{AREA}os.pwrite(area, os.urandom(1 << 20), 64)\n{AFTER}")
    done = site.call(site.launcher, "exec", "--", sys.executable, "scribble.py")
    assert (done.stdout, done.stderr) == ("over\n", "")
    record = site.record()
    assert record["run"]["status"] == "completed"
    assert record["observation"] is None or not record["observation"]["complete"]


@pytest.mark.parametrize("offset", [0, 16, 64, 128, 192, 4096])
def test_every_word_of_the_header_may_be_nonsense(site: Site, offset: int) -> None:
    nonsense = struct.pack("=Q", 0xDEADBEEFDEADBEEF)
    (site.cwd / "area.py").write_text(f"{AREA}os.pwrite(area, {nonsense!r}, {offset})\n{AFTER}")
    done = site.call(site.launcher, "exec", "--", sys.executable, "area.py")
    assert (done.stdout, done.stderr) == ("over\n", "")
    assert site.record()["run"]["status"] == "completed"


def test_a_storm_of_processes(site: Site) -> None:
    """Children that execute nothing are no programs."""
    (site.cwd / "storm.py").write_text(
        "import os\nfor i in range(2_000):\n    pid = os.fork()\n    if not pid: os._exit(0)\n    os.waitpid(pid, 0)\n"
        "open('out', 'w').write('x')\n"
    )
    site.call(site.launcher, "exec", "--hash", "off", "--", sys.executable, "storm.py")
    record = site.record()
    assert "out" in written(record) and nodes(record)[0]["lost"] == 0
    assert sum(row["count"] for row in record["observation"]["programs"]) == 1


def test_more_events_than_are_read_at_one_time(site: Site) -> None:
    (site.cwd / "many.py").write_text(
        "import os\nos.mkdir('d')\n"
        "for i in range(20_000): os.close(os.open(f'd/a-file-with-some-name-{i}', os.O_CREAT))\n"
        "for i in range(20_000): os.unlink(f'd/a-file-with-some-name-{i}')\nopen('out', 'w').write('x')\n"
    )
    record = site.run("--hash", "off", "--", sys.executable, "many.py")
    assert list(written(record)) == ["out"]
    assert (nodes(record)[0]["lost"], nodes(record)[0]["complete"]) == (0, True)


def test_what_was_seen_is_told_while_the_run_goes_on(site: Site) -> None:
    """A run whose agent and launcher are killed has what was told until then."""
    from .conftest import until

    process = site.start("--hash", "off", "--", "sh", "-c", ": >early; exec sleep 60")
    log = lambda: b"".join(path.read_bytes() for path in site.cwd.glob(".hpcprov/runs/*/*.log"))  # noqa: E731
    until(lambda: b'"access"' in log() and b"early" in log(), "nothing was told")
    for pid in site.agents():
        os.kill(pid, 9)
    process.kill()
    process.communicate()
    site.call(site.launcher, "settle", "--all")
    record = site.record()
    assert "early" in written(record)


def test_the_user_s_own_modules_are_named(site: Site) -> None:
    (site.cwd / "mine.py").write_text("value = 1\n")
    (site.cwd / "main.py").write_text("import mine\n")
    record = site.run("--audit", "python", "--", sys.executable, "main.py")
    code = {os.path.basename(one["path"]): one["sha256"] for one in record["observation"]["code"]}
    assert {"main.py", "mine.py"} <= code.keys() and all(code.values())

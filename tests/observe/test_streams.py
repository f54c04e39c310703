"""Files that a run has as its standard streams from the start, as a shell's `<` and `>` give them: nobody opens them
while it runs, and yet it reads and writes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Site

from .pattern import prepare
from .watching import static_programs
from .whole import below, run

__all__ = ["static_programs"]


def bash(site: Site, line: str) -> dict[str, Any]:
    """The record of a shell's line, `$hpcprov` in it, in the site's directory with the files of the patterns."""
    prepare(site.cwd)
    done = run(site, ["bash", "-c", line], {"hpcprov": f"{site.launcher} exec"})
    assert (done.status, done.err) == (0, b"")
    return site.record()


@pytest.mark.parametrize(
    ("line", "used", "generated"),
    [
        ("-- cat < in > out", "in", "out"),
        ("--observe notify -- cat < in > out", "in", "out"),
        ("--capture-output -- cat in2 < in > out 2> errors", "in in2", "out errors"),
        ("-- sh -c 'echo more' >> old", "old", "old"),
        ("-- true >> old", "", ""),
        ("-- cat < in > /dev/null", "in", ""),
        ("-- cat <<-END\n\tin\nEND", "", ""),
    ],
    ids=["both", "notify", "errors", "appended", "untouched", "device", "here document"],
)
def test_what_the_shell_opened_is_seen(site: Site, line: str, used: str, generated: str) -> None:
    record = bash(site, f"$hpcprov {line}\ntrue")
    assert below(site, record, "used") == set(used.split())
    assert below(site, record, "generated") == set(generated.split())
    assert record["observation"]["complete"]
    for artifact in [*record["artifacts"]["used"], *record["artifacts"]["generated"]]:
        assert artifact["observed"]["ranks"] == [[0, 0]]


def test_a_program_that_cannot_be_looked_into_has_streams_too(site: Site, static_programs: Path) -> None:
    record = bash(site, f"$hpcprov -- '{static_programs / 'plain'}' < in2 > printed; true")
    assert below(site, record, "used") == {"in2"} and below(site, record, "generated") == {"printed"}


@pytest.mark.parametrize(
    ("line", "used"),
    [
        ("exec > log.txt 2>&1 < in; $hpcprov -- cat in2; echo the script goes on", {"in", "in2"}),
        ("while read word; do $hpcprov -- cat in2; break; done < in", {"in", "in2"}),
        ("{ $hpcprov -- cat in2; } > log.txt", {"in2"}),
    ],
)
def test_the_output_of_whoever_started_the_run_is_not_its_own(site: Site, line: str, used: set[str]) -> None:
    """A batch job's log grows on when the run has ended."""
    record = bash(site, line)
    assert below(site, record, "used") == used and not below(site, record, "generated")


def test_every_rank_tells_of_its_own(site: Site) -> None:
    line = """exec "$mpiexec" -n 3 sh -c 'exec $hpcprov -- cat in > out.$PMI_RANK'"""
    prepare(site.cwd)
    done = run(site, ["bash", "-c", line], {"hpcprov": f"{site.launcher} exec", "mpiexec": site.mpiexec})
    assert done.status == 0
    ranks = {Path(one["path"]).name: one["observed"]["ranks"] for one in site.record()["artifacts"]["generated"]}
    assert ranks == {f"out.{rank}": [[rank, rank]] for rank in range(3)}

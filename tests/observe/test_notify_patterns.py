"""The access patterns of the tables in static programs, watched by the kernel: it must tell what strace saw. Results of
calls are never told, so what fails is to be known beforehand.

Each command runs twice, bare and watched; strace runs below the filter, so that both see the same calls.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .area_tool import UNCONFIRMED, Area
from .oracle import read_trace
from .pattern import Pattern, names, pairs
from .patterns_c import NAMES, OPENS, PROCESSES
from .strace import OPTIONS
from .test_patterns import ENVIRONMENT, lay_out, only_files, programs, run
from .told import tell
from .watching import static_programs, watch

__all__ = ["programs", "static_programs", "watch"]
PATTERNS = (*OPENS, *NAMES, *PROCESSES)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_kernel_tells_what_strace_sees(
    pattern: Pattern, programs: Path, static_programs: Path, watch: str, tmp_path: Path, strace: str
) -> None:
    found = static_programs / pattern.command[0]
    argv = [str(found) if found.exists() else pattern.command[0], *pattern.command[1:]]
    bare = run(argv, lay_out(tmp_path / "bare", programs), ENVIRONMENT)

    watched, trace = lay_out(tmp_path / "watched", programs), tmp_path / "trace"
    with Area.make(tmp_path / "area") as area:
        # A seccomp filter of strace's own would yield to ours.
        options = [word for word in OPTIONS if word != "--seccomp-bpf"]
        seen = run([watch, str(area.path), strace, *options, "-o", str(trace), *argv], watched, ENVIRONMENT)
        records = area.records()
    assert seen == bare
    expected = only_files(read_trace(trace.read_text("latin-1"), watched), watched)
    told = only_files(tell(records, watched), watched)
    assert names(pattern.read) <= expected.read | expected.written
    assert pairs(pattern.renamed) <= expected.renamed
    assert all(record.flags & UNCONFIRMED for record in records if record.kind == "access")
    assert told.read == expected.read
    assert told.written == expected.written
    assert told.renamed == expected.renamed
    assert told.linked == expected.linked
    assert told.removed == expected.removed
    assert sorted(told.programs) == sorted([*expected.programs, os.fsencode(os.path.realpath(strace))])

"""What the ranks printed: in order, bounded, and true about what is left out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch, sealed

from hpcprov.report import output
from report.rich import rich


def printed(directory: Path, *texts: tuple[int, float, str]) -> dict[str, Any]:
    """A run whose ranks printed (rank, at, text)."""
    ranks = sorted({rank for rank, _, _ in texts})
    log = Launch(size=len(ranks), capture_output=True)
    for rank in ranks:
        log.start(rank).exit(rank)
    for rank, at, text in texts:
        log.print(rank, at, text)
    log.write(directory)
    found = output.output(sealed(str(directory)), str(directory))
    assert found is not None
    return found


def test_lines_of_all_ranks_in_order_of_time(tmp_path: Path) -> None:
    found = output.output(rich(tmp_path), str(tmp_path))
    assert found is not None
    assert [(one["rank"], one["stream"], one["text"]) for one in found["lines"]] == [
        (0, "out", "step 1 of rank 0"),
        (1, "out", "step 1 of rank 1"),
        (2, "out", "step 1 of rank 2"),
        (2, "err", "no convergence"),
    ]
    assert found["ranks"] == [0, 1, 2] and found["notes"] == []
    assert found["lines"][0]["time"] == "11:06:41.000"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10 %\r90 %\r", "90 %"),
        ("a\tb", "a       b"),
        ("x" * 3000, "x" * 2000 + "… (1,000 more characters)"),
        ("\x1b", "\x1b"),
    ],
)
def test_a_line_is_cleaned(text: str, shown: str) -> None:
    assert output.line((0, 1), 0, text)["text"] == shown


def test_pieces_of_a_line_are_joined(tmp_path: Path) -> None:
    found = printed(tmp_path, (0, 1, "half "), (1, 2, "other\n"), (0, 3, "whole\nlast"))
    assert [(one["rank"], one["text"]) for one in found["lines"]] == [(0, "half whole"), (1, "other"), (0, "last")]


def test_the_middle_of_much_output_is_left_out_and_said(tmp_path: Path) -> None:
    found = printed(tmp_path, *((0, k / 100, f"line {k:05d} {'x' * 100}\n") for k in range(5000)), (1, 1, "little\n"))
    texts = [one["text"] for one in found["lines"] if one["rank"] == 0]
    assert texts[0].startswith("line 00000") and texts[-1].startswith("line 04999")
    (gap,) = [one["text"] for one in found["lines"] if one["gap"]]
    left = int(gap.split()[1].replace(",", ""))
    assert left == 5000 - (len(texts) - 1) and gap == f"… {left:,} lines of rank 0 are left out here …"
    assert [one["text"] for one in found["lines"] if one["rank"] == 1] == ["little"]
    assert sum(len(one["text"]) for one in found["lines"]) < output.MOST_SHOWN


def test_ranks_that_ended_badly_are_shown_first() -> None:
    lines = [output.line((rank, 1), rank, "x" * 1900) for rank in range(10_000) for _ in range(2)]
    shown, left = output.bounded(lines, {9_999})
    ranks = {one["rank"] for one in shown}
    assert 9_999 in ranks and 0 in ranks and 9_998 not in ranks
    assert len(left) + len(ranks) == 10_000


def test_a_large_file_is_read_at_its_beginning_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_READ", 20_000)
    found = printed(tmp_path, *((0, k / 100, f"line {k:05d}\n") for k in range(2000)), (0, 21, "the last one\n"))
    size = os.path.getsize(next(tmp_path.glob("*.out")))
    assert found["lines"][0]["text"] == "line 00000" and found["lines"][-1]["text"] == "the last one"
    assert found["notes"] == [f"{(size - 20_000) / 1000:.3g} kB in the middle of 1 file are not shown."]


def test_two_ends_of_a_gap_are_not_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_READ", 2_000)
    texts = [(0, k / 10, f"word{k} ") for k in range(100)]
    found = printed(tmp_path, *texts)
    assert len(found["lines"]) == 2
    assert found["lines"][0]["text"].startswith("word0 ") and found["lines"][1]["text"].endswith("word99 ")


def test_nothing_was_captured_or_it_is_gone(tmp_path: Path) -> None:
    record = rich(tmp_path / "a")
    gone = output.output(record, str(tmp_path / "b"))
    assert gone is not None and gone["notes"] == ["What the ranks printed was captured, but is not at hand."]
    record["output"]["files"] = []
    assert output.output(record, str(tmp_path / "a")) is None


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    record = rich(tmp_path)
    for name in [path for path in tmp_path.iterdir() if path.suffix == ".out"]:
        name.unlink()
        os.mkfifo(name)
    found = output.output(record, str(tmp_path))
    assert found is not None and found["lines"] == []

"""The report of one run as Markdown and as text: nothing in a record becomes markup, or moves a cursor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hpcprov.report import markdown, run, text
from report.hostile import hostile
from report.rich import DIGEST, rich

READER = MarkdownIt("commonmark").enable("table")
HARMLESS = {"text", "text_special", "code_inline", "inline", "heading", "paragraph", "bullet_list", "list_item"}
HARMLESS |= {"table", "thead", "tbody", "tr", "th", "td", "softbreak"}
MARKUP = st.lists(
    st.sampled_from(
        [
            *"`|\\!*_~#&<>[]()-+=.1 :@\n\r\t",
            "<script>",
            "<!--",
            "[a](b)",
            "![a](b)",
            "http://x",
            "1. ",
            "    ",
            "&lt;",
            "\u202e",
        ]
    ),
    max_size=12,
).map("".join)


def kinds(source: str) -> set[str]:
    """What a reader of Markdown sees in a text."""
    tokens = READER.parse(source)
    return {
        token.type.removesuffix("_open").removesuffix("_close")
        for block in tokens
        for token in [block, *(block.children or [])]
    }


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return rich(tmp_path_factory.mktemp("rich"))


def of(record: dict[str, Any]) -> dict[str, Any]:
    return run.values(record, None, {})


@given(MARKUP)
def test_nothing_that_is_told_is_markup(told: str) -> None:
    plain, code, cell = markdown.plain(told), markdown.code(told), markdown.cell(told)
    source = f"{plain}\n\n- {plain}\n\n### {plain}\n\nx {code} y\n\n| a | b |\n| --- | --- |\n| {plain} | {cell} |\n"
    assert kinds(source) <= HARMLESS
    assert READER.render(source).count("<td>") == 2


def test_the_text_of_what_failed_ends_with_what_it_printed(tmp_path: Path) -> None:
    told = text.render(run.values(rich(tmp_path), str(tmp_path), {}))
    assert "Printed at the end\n------------------\n     0 out | step 1 of rank 0\n" in told
    assert "     2 err | no convergence\n" in told


def test_a_paragraph_for_a_paper(record: dict[str, Any]) -> None:
    told = markdown.render(of(record))
    paragraph = told.split("\n")[6]
    assert paragraph.startswith(
        "The run solve (`r1`) executed `python solve.py`. Failed after 9.0 s: 3 ranks on 2 nodes"
    )
    assert f"at commit `{'3f1c' * 10}` of `https://example.org/ada/model.git` (changed since the commit" in paragraph
    assert "2 nodes with AMD EPYC 7763, 2 sockets, 128 cores, 256 threads" in paragraph
    assert f"container image `model.sif` (`sha256:{DIGEST}`, the digest of its primary partition)" in paragraph
    assert f"| `in.nc` | hdf5 | 4 MB | `hpcprov1:{DIGEST}` |" in told
    assert f"| `in.nc` | `t2m` | f4 | 721 × 1440 | `hpcprov1:{DIGEST}` |" in told
    assert kinds(told) <= HARMLESS | {"html_block"}  # the comment in its first line


def test_hostile_records(record: dict[str, Any]) -> None:
    bad = of(hostile(record))
    told, page = markdown.render(bad), text.render(bad)
    assert kinds(told) <= HARMLESS | {"html_block"} and told.count("<!--") - told.count("\\<") <= 1
    for shown in (told, page):
        assert all(character.isprintable() or character == "\n" for character in shown)


def test_the_text(record: dict[str, Any]) -> None:
    told = text.render(of(record)).split("\n")
    assert told[0] == "hpcprov report: solve (r1)" and told[2] == "Does it converge?"
    assert ["Where", "/data"] in [line.split() for line in told] and ["Tags", "case=b1"] in [
        line.split() for line in told
    ]
    assert "in.nc  hdf5  4 MB  declared as in.nc" in told and f"      hpcprov1:{DIGEST}" in told
    assert "- The run failed: rank 2 ended with status 7" in told
    assert run.values(record, None, {})["output"]["lines"] == [] and "Printed at the end" not in told
    assert max(map(len, told)) <= 100  # a digest is not broken

"""Lineage in the formats of other programs: each is read back, and nothing in a record can leave its quotes."""

from __future__ import annotations

import csv
import importlib
import io
import re

import pytest

from hpcprov.catalog.graph import Graph
from hpcprov.export import formats
from hpcprov.export.cypher import literal
from hpcprov.export.mermaid import escaped

HOSTILE = (
    'a"b',
    "a\\",
    'a\\"b\\',
    "x'); MATCH (n) DETACH DELETE n; //",
    "\\u0027}) DETACH DELETE n //",
    "</data><script>alert(1)</script>&amp;]]>",
    '"]; evil [label="',
    '")]; click n0 "javascript:alert(1)"',
    "%%{init: {'securityLevel': 'loose'}}%%",
    "#quot;`*_<br/>",
    "=HYPERLINK(1)",
    "+1,-1\r\n@SUM(A1)",
    "line\nbreak\ttab\x00\x1b[31m\u202e",
    "caf\u00e9 \udcff \U0001f30a",
    "",
)
GRAPHS = ("dot", "mermaid", "graphml", "cypher", "neo4j")


def graph_of(text: str) -> Graph:
    graph = Graph([f"data:{text}"])
    graph.add_run(text, name=text, status=text, start=text, argv=[text, text], user=text, image=text, type="command")
    graph.add_artifact(text, path=text, paths=[text], signature=text, format=text, size=2**70, field=text, fields=3)
    graph.add_artifact("two", path="/x/y.h5", size=7, storage="blake3:0123456789abcdef")
    graph.link(f"run:{text}", f"data:{text}", role="generated", join="record", path=text)
    graph.link("data:two", f"run:{text}", role="used", join="bytes", path=text)
    graph.link("data:two", f"data:{text}", role="same values", join="field", fields=[[text, ""]])
    graph.notes.append(text)
    return graph


def rendered(name: str, graph: Graph) -> formats.Content:
    return formats.render(name, formats.Source("x", [], graph))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_graph_gives_the_same_bytes(name: str) -> None:
    assert rendered(name, graph_of("a")) == rendered(name, graph_of("a"))
    assert rendered(name, Graph()) and not re.search("[\ud800-\udfff\x00]", str(rendered(name, graph_of("\udcff\0"))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot calls its parser by old names
@pytest.mark.parametrize("text", HOSTILE)
def test_dot_is_read_back(text: str) -> None:
    pydot = importlib.import_module("pydot")
    content = rendered("dot", graph_of(text))
    (graph,) = pydot.graph_from_dot_data(content)
    names = {node.get_name() for node in graph.get_nodes()}
    assert {"n0", "n1", "n2"} <= names <= {"n0", "n1", "n2", "node", "edge"}
    ends = [(edge.get_source(), edge.get_destination()) for edge in graph.get_edges()]
    assert sorted(ends) == [("n0", "n1"), ("n2", "n0"), ("n2", "n1")]
    assert {edge.get_attributes().get("style") for edge in graph.get_edges()} == {None, "dashed"}


@pytest.mark.parametrize("text", HOSTILE)
def test_graphml_is_read_back(text: str) -> None:
    networkx = importlib.import_module("networkx")
    content = rendered("graphml", graph_of(text))
    assert isinstance(content, str)
    graph = networkx.parse_graphml(content)
    assert [*graph.nodes] == ["n0", "n1", "n2"]
    assert graph.nodes["n2"]["size"] == 7 and graph.nodes["n1"]["asked"] is True and "size" not in graph.nodes["n1"]
    assert graph.nodes["n0"]["kind"] == "run" and graph.nodes["n1"]["path"] == shown(text)
    assert graph.edges["n2", "n0"]["join"] == "bytes"


@pytest.mark.parametrize("text", HOSTILE)
def test_mermaid_has_nothing_of_a_record_but_letters_and_codes(text: str) -> None:
    content = rendered("mermaid", graph_of(text))
    assert isinstance(content, str)
    label = r'"(?:[\w ,=:/.-]|#[0-9]+;|<br/>)*"'
    forms = (
        r"flowchart LR",
        r"  %% (?:[\w ,=:/.-]|#[0-9]+;)*",
        rf"  n\d+\[{label}\]",
        rf"  n\d+\[\({label}\)\]",
        rf"  n\d+ (?:-->|-\.->)(?:\|{label}\|)? n\d+",
        r"  style n\d+ stroke-width:3px",
    )
    lines = content.splitlines()
    assert [line for line in lines if not any(re.fullmatch(form, line) for form in forms)] == []
    assert len(lines) == 1 + 1 + 3 + 3 + 1


def test_mermaid_codes_stand_for_the_text() -> None:
    text = 'a.b "c" <d> & #e; `f`'
    assert escaped("1. x - 2026-11-21") == "1#46; x #45; 2026-11-21"
    assert re.sub("#([0-9]+);", lambda code: chr(int(code[1])), escaped(text)) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_neo4j_tables_are_read_back(text: str) -> None:
    files = rendered("neo4j", graph_of(text))
    assert isinstance(files, dict) and sorted(files) == ["data.csv", "links.csv", "runs.csv"]
    tables = {name: [*csv.DictReader(io.StringIO(content), strict=True)] for name, content in files.items()}
    assert all(content.count("\n") == len(tables[name]) + 1 for name, content in files.items())  # one line each
    (run,), data, links = tables["runs.csv"], tables["data.csv"], tables["links.csv"]
    assert run["id:ID"] == shown(f"run:{text}") and run[":LABEL"] == "Run"
    assert [row["size:long"] for row in data] == ["", "7"]
    nodes = {row["id:ID"] for row in (run, *data)}
    assert {row[":START_ID"] for row in links} | {row[":END_ID"] for row in links} == nodes
    assert {row[":TYPE"] for row in links} == {"USED", "GENERATED", "SAME_VALUES"}
    assert not [
        cell for rows in tables.values() for row in rows for cell in row.values() if cell.startswith(tuple("=+@"))
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_cypher_strings_hold_what_they_were_given(text: str) -> None:
    """No backslash stands before a `u`, and the script consists of the statements that were meant and no others."""
    content = rendered("cypher", graph_of(text))
    assert isinstance(content, str) and "\\u" not in content
    assert "".join(read(part) for part in literal(text).split(" + ")) == shown(text)
    statements = [line for line in content.splitlines() if not line.startswith(("//", "CREATE CONSTRAINT"))]
    bare = re.sub(r"'(?:[^'\\]|\\.)*'", "S", "\n".join(statements))
    lines = re.sub(r"S( \+ S)*", "S", bare).splitlines()
    node = r"MERGE \(n:(Run|Data) {id: S}\) SET n \+= {[\w: ,]*};"
    edge = r"MATCH \(a:\w+ {id: S}\), \(b:\w+ {id: S}\) MERGE \(a\)-\[r:[A-Z_]+\]->\(b\) SET r \+= {[\w: ,]*};"
    assert [bool(re.fullmatch(node, line)) for line in lines] == [True] * 3 + [False] * 3
    assert all(re.fullmatch(edge, line) for line in lines[3:])


def read(part: str) -> str:
    """One string of Cypher."""
    found = re.fullmatch(r"'((?:[^'\\]|\\.)*)'", part)
    assert found is not None
    return re.sub(r"\\(.)", r"\1", found[1])


def shown(text: str) -> str:
    from hpcprov.record.text import printable

    return printable(text)

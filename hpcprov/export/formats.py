"""The formats of `hpcprov export --to`: a table, and what the modules in it are called with and give back.

    content = render("prov-json", source)        # Source: runs, with their directories, and their lineage
    FORMATS["prov-json"].suffix                  ->  ".prov.json"

A format's module has one function, `render`. What it is called with stands in the table:

    takes    render's argument
    run      a Run: its `record` and the `directory` of record.json. A format that holds one run and no more
    runs     a list of Run: of a job or workflow itself, then its parts; of a path all runs of its lineage
    graph    a hpcprov.catalog.graph.Graph

It returns text, bytes, or, where the format is a directory, a dict of names in it (`/` between parts, as in a ZIP file)
to text, bytes or a Copied. It reads no clock, no environment and no file that is not beside the record: the same
records give the same bytes.
"""

from __future__ import annotations

from importlib import import_module

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from hpcprov.catalog.graph import Graph
    from hpcprov.record.model import Record


class Run:
    """A run's `record` and the `directory` that its record.json and logs lie in."""

    def __init__(self, record: Record, directory: str) -> None:
        self.record, self.directory = record, directory

    @property
    def id(self) -> str:
        return str(self.record["run"]["id"])


class Copied:
    """A file that becomes a part of a directory: the `path` of what is copied, its `size` in bytes and, where it must
    still be what was looked at, its `mtime` in ns."""

    def __init__(self, path: str, size: int, mtime: int | None = None) -> None:
        self.path, self.size, self.mtime = path, size, mtime


if TYPE_CHECKING:
    #: One file, or the files of a directory by name.
    Content: TypeAlias = str | bytes | Mapping[str, "str | bytes | Copied"]


class Source:
    """What is exported: `name` (for a file's name), `runs`, and their lineage, computed when `graph` is asked for."""

    def __init__(self, name: str, runs: list[Run], graph: Graph | None) -> None:
        self.name, self.runs, self.graph = name, runs, graph


class Format:
    """One row of the table. `options`: keyword arguments that its render takes beside the first, by their names in
    `hpcprov export`."""

    def __init__(self, module: str, takes: str, suffix: str, text: str, options: tuple[str, ...] = ()) -> None:
        self.module, self.takes, self.suffix, self.text, self.options = module, takes, suffix, text, options


#: By the name that --to takes. `module` is one of hpcprov.export.
FORMATS = {
    "rocrate": Format(
        "rocrate", "runs", ".crate.zip", "Workflow Run RO-Crate 0.5, a directory or ZIP file", ("copy", "license")
    ),
    "prov-json": Format("prov_json", "runs", ".prov.json", "W3C PROV as PROV-JSON, a bundle for each run"),
    "prov-n": Format("prov_n", "runs", ".provn", "W3C PROV in its notation for people, PROV-N"),
    "prov-o": Format("prov_o", "runs", ".prov.ttl", "W3C PROV as linked data: PROV-O in Turtle"),
    "openlineage": Format("openlineage", "runs", ".openlineage.jsonl", "OpenLineage 2-0-2 events, one a line"),
    "cyclonedx": Format("cyclonedx", "runs", ".cdx.json", "CycloneDX 1.6: the software that was used"),
    "in-toto": Format("intoto", "run", ".intoto.json", "an in-toto statement with SLSA's provenance, unsigned"),
    "in-toto-trace": Format(
        "intoto_trace", "run", ".trace.intoto.json", "an in-toto statement of what was seen of it, unsigned"
    ),
    "dsse": Format("dsse", "run", ".dsse.json", "that statement signed: what `hpcprov attest` has left"),
    "dot": Format("dot", "graph", ".dot", "a lineage for Graphviz"),
    "mermaid": Format("mermaid", "graph", ".mmd", "a lineage as a Mermaid flowchart, for Markdown pages"),
    "graphml": Format("graphml", "graph", ".graphml", "a lineage as GraphML: Gephi, yEd, Cytoscape, networkx"),
    "cypher": Format("cypher", "graph", ".cypher", "a lineage as a script for Neo4j"),
    "neo4j": Format("neo4j", "graph", ".neo4j.zip", "a lineage as CSV files for the bulk import of Neo4j"),
    "bundle": Format("bundle", "runs", ".hpcprov.zip", "records with their logs, for `hpcprov import` elsewhere"),
}


def render(name: str, source: Source, **options: Any) -> Content:
    """The content of `source` in a format. Raises HpcprovError where the format does not fit it."""
    form = FORMATS[name]
    refuse = [option for option, value in options.items() if value is not None and option not in form.options]
    if refuse:
        raise HpcprovError(f"--{refuse[0]} is not for the format {name}")
    kept = {option: options[option] for option in form.options if option in options}
    content: Content = import_module(f"hpcprov.export.{form.module}").render(_argument(name, source), **kept)
    return content


def _argument(name: str, source: Source) -> Any:
    takes = FORMATS[name].takes
    if takes == "graph":
        return source.graph
    if takes == "runs":
        return source.runs
    if len(source.runs) > 1 and source.runs[0].record["run"]["kind"] == "command":
        names = "\n".join(["one of:", *(run.id for run in source.runs[:12])])
        raise HpcprovError(f"{name} holds one run, and this is {len(source.runs)}", hint=names)
    return source.runs[0]

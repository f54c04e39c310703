"""Runs as PROV-O (https://www.w3.org/TR/prov-o/) in Turtle, for SPARQL.

    render([run])  ->  "@prefix data: <urn:hpcprov:data:> .\\n ..."

Turtle has no named graphs: the statements of all bundles stand together. A relation that has a time is there twice, as
PROV-O asks for: qualified, and as one triple, so that `?output (prov:wasGeneratedBy/prov:used)+ ?input` finds its way.
"""

from __future__ import annotations

from hpcprov.export.library import needed
from hpcprov.export.prov_document import NAMESPACES, document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.export.formats import Run

#: The property that leads to the qualified relation, the one that leads on from there, and the one that says both.
DIRECT = (
    ("qualifiedUsage", "entity", "used"),
    ("qualifiedGeneration", "activity", "wasGeneratedBy"),
    ("qualifiedAssociation", "agent", "wasAssociatedWith"),
    ("qualifiedStart", "hadActivity", "wasInformedBy"),
)


def render(runs: list[Run]) -> str:
    """The text of the graph. Raises HpcprovError when a library is missing."""
    flat = document(runs).flattened().unified()
    graph = needed("prov.serializers.provrdf").ProvRDFSerializer(flat).encode_container(flat)
    _say_directly(graph)
    for prefix, uri in NAMESPACES.items():
        graph.bind(prefix, uri)
    return str(graph.serialize(format="turtle"))


def _say_directly(graph: Any) -> None:
    from rdflib import PROV

    for qualified, onward, direct in DIRECT:
        for subject, _, relation in list(graph.triples((None, PROV[qualified], None))):
            for target in graph.objects(relation, PROV[onward]):
                graph.add((subject, PROV[direct], target))

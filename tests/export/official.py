"""OpenLineage events held against the classes that its own client generates from the official JSON Schemas.

structured(event) raises where a member is missing, unknown, or of another type, and where a facet's `_schemaURL` is not
that of the schema which the class was made from. Own facets are held against the JSON Schema that we publish.
"""

from __future__ import annotations

import enum
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

import attr
import jsonschema
from openlineage.client import event_v2, facet_v2

import hpcprov.export

OWN = json.loads((Path(hpcprov.export.__file__).parent / "schema" / "openlineage-facets-v1.json").read_text())
FACETS = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "environmentVariables": facet_v2.environment_variables_run.EnvironmentVariablesRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "tags": facet_v2.tags_run.TagsRunFacet,
    "documentation": facet_v2.documentation_job.DocumentationJobFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "sourceCodeLocation": facet_v2.source_code_location_job.SourceCodeLocationJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
    "inputStatistics": facet_v2.input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}


def structured(event: dict[str, Any]) -> Any:
    """The client's RunEvent of an event. Raises AssertionError, ValueError, TypeError or ValidationError."""
    return _as(event_v2.RunEvent, event, "event")


def _as(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            assert type(None) in inner, where
            return None
        return _as(next(one for one in inner if one is not type(None)), value, where)
    if origin is list:
        assert type(value) is list, where
        return [_as(inner[0], one, f"{where}[{k}]") for k, one in enumerate(value)]
    if origin is dict:
        assert type(value) is dict, where
        return {key: _facet(key, one, f"{where}.{key}") for key, one in value.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if attr.has(hint):
        return _instance(hint, value, where)
    assert type(value) is hint, f"{where}: {value!r} is no {hint}"
    return value


def _facet(name: str, value: dict[str, Any], where: str) -> Any:
    if not name.startswith("hpcprov_"):
        return _as(FACETS[name], value, where)
    definition = value["_schemaURL"].partition("#/$defs/")[2]
    assert value["_schemaURL"] == f"{OWN['$id']}#/$defs/{definition}"
    jsonschema.Draft202012Validator(OWN | {"$ref": f"#/$defs/{definition}"}).validate(value)
    return value


def _instance(kind: type, value: dict[str, Any], where: str) -> Any:
    assert type(value) is dict, where
    # A base class of theirs is annotated in the words of another module.
    hints = typing.get_type_hints(kind, vars(typing) | vars(sys.modules[kind.__module__]))
    known = {field.name: field for field in attr.fields(kind)}
    assert set(value) <= set(known), f"{where}: {sorted(set(value) - set(known))}"
    made = {
        known[name].alias: _as(hints[name], one, f"{where}.{name}") for name, one in value.items() if known[name].init
    }
    instance = kind(**made)
    for name in ("schemaURL", "_schemaURL"):
        if name in known:
            assert value[name] == kind._get_schema(), where  # type: ignore[attr-defined]
    return instance

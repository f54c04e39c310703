"""The RO-Crate community's validator, without a network: what is wrong with a crate at its REQUIRED level.

    violations("/tmp/run.crate", "process-run-crate")  ->  []

The validator reads the two JSON-LD contexts of a crate from the web, or offline from its cache. The cache that it gets
here holds the context that rocrate brings (that of RO-Crate 1.3, with the four terms that 1.1 has elsewhere put back),
and the terms of Workflow Run RO-Crate.
"""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import shutil
import tempfile
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the validator and its libraries find deprecated
    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter
    from requests_cache import CachedSession
    from rocrate_validator import services
    from rocrate_validator.models import Severity, ValidationSettings
    from urllib3 import HTTPResponse

BIOSCHEMAS = "https://bioschemas.org/"
IN_1_1 = {
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
}
WORKFLOW_RUN = ("ParameterConnection", "ContainerImage", "DockerImage", "SIFImage", "connection", "sourceParameter")
WORKFLOW_RUN += (
    "targetParameter",
    "environment",
    "containerImage",
    "registry",
    "tag",
    "sha256",
    "md5",
    "resourceUsage",
)


def contexts() -> dict[str, dict[str, Any]]:
    """The documents behind the addresses of a crate's contexts."""
    base = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text(encoding="utf-8"))
    terms = {name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in WORKFLOW_RUN}
    return {
        "https://w3id.org/ro/crate/1.1/context": {"@context": base["@context"] | IN_1_1},
        "https://w3id.org/ro/terms/workflow-run/context": {"@context": terms},
    }


class Shelf(BaseAdapter):
    """Answers requests from `contexts`, so that what keeps answers for later has them."""

    def send(self, request: PreparedRequest, **_: Any) -> Response:
        response = Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response.headers["Content-Type"] = "application/ld+json"
        body = json.dumps(contexts()[str(request.url)]).encode()
        response.raw = HTTPResponse(io.BytesIO(body), status=200, headers=response.headers, preload_content=False)
        return response

    def close(self) -> None:
        pass


@functools.cache
def shelf() -> str:
    """The path of a cache of the validator's that holds the contexts."""
    place = os.path.join(tempfile.mkdtemp(prefix="contexts-"), "cache")
    with CachedSession(cache_name=place, backend="sqlite", expire_after=-1) as session:
        session.mount("https://", Shelf())
        for address in contexts():
            session.get(address)
    atexit.register(shutil.rmtree, os.path.dirname(place), ignore_errors=True)
    return place


def violations(crate: Path, profile: str) -> list[str]:
    """What a profile requires and a crate does not have."""
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity=Severity.REQUIRED,
        offline=True,
        cache_path=Path(shelf()),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the validator's own use of rdflib
        result = services.validate(settings)
    return [f"{issue.check.identifier}: {issue.message} ({issue.violatingEntity})" for issue in result.get_issues()]

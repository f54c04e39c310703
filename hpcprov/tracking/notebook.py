"""Runs in a notebook: its kernel's command line tells nothing of it, so the run is told which notebook it is of.

    described(name=None, tags={})
    ->  {"name": "analysis.ipynb", "tags": {"notebook": "/home/ada/analysis.ipynb"}}    in the kernel of that notebook
    ->  {"name": None, "tags": {}}                                                      anywhere else

Jupyter's server names the notebook to the kernel that it starts, and Visual Studio Code to the notebook's own names.
What runs a notebook as a program (nbconvert, papermill) tells the kernel nothing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hpcprov.capture import redact

if TYPE_CHECKING:
    from typing import Any

SERVER = "JPY_SESSION_NAME"
EDITOR = "__vsc_ipynb_file__"
TAG = "notebook"
UNKNOWN = "notebook"


def described(*, name: str | None, tags: dict[str, str], **others: Any) -> dict[str, Any]:
    """What is told of a run, with its notebook as its name, where it has none, and as a tag."""
    if is_kernel():
        path = redact.scrub(find() or "")
        name = name or os.path.basename(path) or UNKNOWN
        tags = ({TAG: path} if path else {}) | tags
    return {"name": name, "tags": tags} | others


def is_kernel() -> bool:
    """Does this process execute the cells of a notebook?"""
    kernel = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    return kernel is not None and bool(kernel.initialized())


def find() -> str | None:
    """The path of the notebook that this process is the kernel of."""
    told = (os.environ.get(SERVER), vars(sys.modules["__main__"]).get(EDITOR))
    found = (os.path.abspath(path) for path in told if isinstance(path, str) and path)
    return next((path for path in found if os.path.isfile(path)), None)

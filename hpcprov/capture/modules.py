"""Loaded environment modules, Tcl or Lmod, with the digests of their module files; no shell and no module command runs.

    {"kind": "lmod", "version": "8.7", "path": ["/opt/modulefiles"], "loaded": [{"name": "gcc/13.2", "auto": True,
     "file": "/opt/modulefiles/gcc/13.2", "sha256": "9f86..."}]}

Order is the order of loading. `auto` (Tcl only): loaded because another module needs it.
Source: modulefile(4) and module(1) "ENVIRONMENT" of Environment Modules 5; Lmod's user guide.
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import digest_file, explain
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MODULE_FILE_LIMIT = 4 << 20
MOST_MODULES = 1000
# The first variable that is set tells the implementation; Lmod sets those of Tcl as well.
SIGNS = (("lmod", "LMOD_VERSION"), ("lmod", "LMOD_CMD"), ("tcl", "MODULES_CMD"), ("tcl", "LOADEDMODULES"))
VERSION_VARIABLES = {"lmod": "LMOD_VERSION", "tcl": "MODULE_VERSION"}
COMMAND_VARIABLES = {"lmod": "LMOD_CMD", "tcl": "MODULES_CMD"}
AUTO_TAG = "auto-loaded"


def collect(environ: Mapping[str, str]) -> dict[str, Any]:
    """The modules of an environment; kind `none` with a reason when no module system has been set up in it."""
    kind = next((kind for kind, sign in SIGNS if environ.get(sign)), None)
    if kind is None:
        return {"kind": "none", "loaded": [], "reason": "no module system is set up in the environment"}
    facts: dict[str, Any] = {"kind": kind, "path": split(environ.get("MODULEPATH"))}
    variables = {"version": VERSION_VARIABLES[kind], "command": COMMAND_VARIABLES[kind]}
    facts |= {key: environ[name] for key, name in variables.items() if environ.get(name)}
    return facts | loaded(environ)


def loaded(environ: Mapping[str, str]) -> dict[str, Any]:
    """The loaded modules in order, each with its file's digest, and a reason when names and files do not fit."""
    names, files = split(environ.get("LOADEDMODULES")), split(environ.get("_LMFILES_"))
    automatic = auto_loaded(environ.get("__MODULES_LMTAG", ""))
    entries: list[dict[str, Any]] = [{"name": name, "auto": name in automatic} for name in names[:MOST_MODULES]]
    reasons = mismatch(names, files)
    if not reasons:
        entries = [entry | module_file(path) for entry, path in zip(entries, files, strict=False)]
    if len(names) > MOST_MODULES:
        reasons.append(f"{len(names)} modules are loaded, the first {MOST_MODULES} are recorded")
    return {"loaded": entries} | ({"reason": "; ".join(reasons)} if reasons else {})


def split(text: str | None) -> list[str]:
    """A colon list without its empty entries."""
    return [part for part in (text or "").split(":") if part]


def mismatch(names: list[str], files: list[str]) -> list[str]:
    """Why names and files can not be paired; empty when they can."""
    if len(names) == len(files):
        return []
    return [f"LOADEDMODULES names {len(names)} modules and _LMFILES_ {len(files)} files: files are not recorded"]


def auto_loaded(tags: str) -> set[str]:
    """Names tagged `auto-loaded` in __MODULES_LMTAG, as in `hdf5/1.14&auto-loaded:gcc/13&nuasked&sticky`."""
    entries = [entry.split("&") for entry in split(tags)]
    return {name for name, *tags in entries if AUTO_TAG in tags}


def module_file(path: str) -> dict[str, Any]:
    """Path and digest of one module file, or why there is no digest."""
    try:
        return {"file": path, "sha256": digest_file(os.path.abspath(path), MODULE_FILE_LIMIT)[0]}
    except (OSError, HpcprovError) as error:
        return {"file": path, "reason": explain(error)}

"""Loaded environment modules, Tcl or Lmod, with the digests of their module files; no shell and no module command runs.

    {"kind": "lmod", "version": "8.7", "path": ["/opt/modulefiles"], "loaded": [{"name": "gcc/13.2", "auto": True,
     "hidden": False, "file": "/opt/modulefiles/gcc/13.2.lua", "sha256": "9f86..."}]}

Order is the order of loading. `auto`: loaded because another module loads or needs it. `hidden`: its name or version
begins with a dot, or Tcl's `module list` leaves it out.
Source: modulefile(4) and module(1) "ENVIRONMENT" of Environment Modules 4 and 5; Lmod's user guide, and the module
table that Lmod 8 keeps in the environment.
"""

from __future__ import annotations

import binascii
import os

from hpcprov.capture.reading import digest_file, explain
from hpcprov.capture.redact import scrub_word
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
# Environment Modules 5, and 4: names with their tags, and before there were tags the names of what no user asked for.
TAG_VARIABLES = ("__MODULES_LMTAG", "MODULES_LMTAG")
NOT_ASKED_VARIABLES = ("__MODULES_LMNOTUASKED", "MODULES_LMNOTUASKED")
AUTO_TAG, HIDDEN_TAG = "auto-loaded", "hidden-loaded"
# Lmod's module table: Lua text in base64, cut into pieces that are numbered from 1. A key stands in a line of its own,
# the keys of a module in alphabetical order; stackDepth is 0 where the user loaded the module.
TABLE_PIECE = "_ModuleTable{:03}_"
MOST_PIECES = 4000
TABLE_LINE = r'(?m)^(?:fullName = "(?P<name>[^"\\\n]*)"|stackDepth = (?P<depth>[0-9]{1,9})),?$'


def collect(environ: Mapping[str, str]) -> dict[str, Any]:
    """The modules of an environment; kind `none` with a reason when no module system has been set up in it."""
    kind = next((kind for kind, sign in SIGNS if environ.get(sign)), None)
    if kind is None:
        return {"kind": "none", "loaded": [], "reason": "no module system is set up in the environment"}
    facts: dict[str, Any] = {"kind": kind, "path": split(scrub_word(environ.get("MODULEPATH", "")))}
    variables = {"version": VERSION_VARIABLES[kind], "command": COMMAND_VARIABLES[kind]}
    facts |= {key: scrub_word(environ[name]) for key, name in variables.items() if environ.get(name)}
    return facts | loaded(kind, environ)


def loaded(kind: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The loaded modules in order, each with its file's digest; a reason for what could not be told."""
    names, files = split(environ.get("LOADEDMODULES")), split(environ.get("_LMFILES_"))
    unlisted = tagged(environ, HIDDEN_TAG)
    entries: list[dict[str, Any]] = [
        {"name": name, "hidden": name in unlisted or has_dot(name)} for name in names[:MOST_MODULES]
    ]
    reasons = mismatch(names, files)
    if not reasons:
        entries = [entry | module_file(path) for entry, path in zip(entries, files, strict=False)]
    automatic = loaded_by_lmod(environ) if kind == "lmod" else loaded_by_tcl(environ)
    if names and automatic is None:
        reasons.append("Lmod's module table is missing or damaged: `auto` is not told")
    elif automatic is not None:
        entries = [entry | {"auto": entry["name"] in automatic} for entry in entries]
    if len(names) > MOST_MODULES:
        reasons.append(f"{len(names)} modules are loaded, the first {MOST_MODULES} are recorded")
    entries = [entry | {"name": scrub_word(entry["name"])} for entry in entries]
    return {"loaded": entries} | ({"reason": "; ".join(reasons)} if reasons else {})


def split(text: str | None) -> list[str]:
    """A colon list without its empty entries."""
    return [part for part in (text or "").split(":") if part]


def mismatch(names: list[str], files: list[str]) -> list[str]:
    """Why names and files can not be paired; empty when they can."""
    if len(names) == len(files):
        return []
    return [f"LOADEDMODULES names {len(names)} modules and _LMFILES_ {len(files)} files: files are not recorded"]


def has_dot(name: str) -> bool:
    """Whether a part of a module's name begins with a dot, by which both systems hide it."""
    return any(part.startswith(".") for part in name.split("/"))


def loaded_by_tcl(environ: Mapping[str, str]) -> set[str]:
    """Names of the modules that Tcl's modules loaded for others."""
    not_asked = {name for variable in NOT_ASKED_VARIABLES for name in split(environ.get(variable))}
    return not_asked | tagged(environ, AUTO_TAG)


def tagged(environ: Mapping[str, str], tag: str) -> set[str]:
    """Names with this tag, as in `hdf5/1.14&auto-loaded:gcc/13&sticky`."""
    entries = [entry.split("&") for variable in TAG_VARIABLES for entry in split(environ.get(variable))]
    return {name for name, *tags in entries if tag in tags}


def loaded_by_lmod(environ: Mapping[str, str]) -> set[str] | None:
    """Names of the modules that Lmod loaded for others; None when its table does not tell."""
    table = module_table(environ)
    if table is None:
        return None
    import re  # only where there is Lmod: agents stay small

    automatic, name = set(), None
    for line in re.finditer(TABLE_LINE, table):
        if line["name"] is not None:
            name = line["name"]
        elif name is not None and int(line["depth"]) > 0:
            automatic.add(name)
    return automatic


def module_table(environ: Mapping[str, str]) -> str | None:
    """Lmod's table as text; None when it is not there or is no base64."""
    pieces = []
    for number in range(1, MOST_PIECES):
        piece = environ.get(TABLE_PIECE.format(number))
        if not piece:
            break
        pieces.append(piece)
    try:
        return binascii.a2b_base64("".join(pieces), strict_mode=True).decode("utf-8", "surrogateescape") or None
    except ValueError:  # binascii.Error is one
        return None


def module_file(path: str) -> dict[str, Any]:
    """Path and digest of one module file, or why there is no digest."""
    try:
        return {"file": path, "sha256": digest_file(os.path.abspath(path), MODULE_FILE_LIMIT)[0]}
    except (OSError, HpcprovError) as error:
        return {"file": path, "reason": explain(error)}

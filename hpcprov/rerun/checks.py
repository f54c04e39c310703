"""What is not as it was when a run was recorded: programs, code, modules, packages, image, and what the plan cannot do.

    differences(plan, environ, check)  ->  [{"kind": "input", "text": "input forcing.nc: field t2m has other values"}]

Each stands in the way of a rerun that means something, so it is refused, unless it is wanted anyway.
"""

from __future__ import annotations

import os
import re

from hpcprov.capture import git, python_packages
from hpcprov.capture.container import content
from hpcprov.capture.program import find_program
from hpcprov.capture.reading import digest_file, explain
from hpcprov.catalog.causes.software import plain, used, versions
from hpcprov.catalog.causes.surroundings import module_names
from hpcprov.catalog.causes.told import short
from hpcprov.merge.seal import verify_seal
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.inside import items, objects, part
from hpcprov.record.text import is_name
from hpcprov.rerun.modules import NotLoadable, loaded
from hpcprov.rerun.plan import REDACTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from hpcprov.rerun.plan import Plan

    #: The verdict on an artifact: what was recorded of it -> as `signature.verify.compare` gives it.
    Check = Callable[[dict[str, Any]], dict[str, Any]]
    Difference = dict[str, str]

MOST_FILES = 500
LARGEST = 1 << 30  # bytes of a program that is read
HEX = re.compile(r"[0-9a-f]{64}")
OVERWRITTEN = "this run overwrote it"


def differences(plan: Plan, environ: Mapping[str, str], check: Check, *, loads: bool = True) -> list[Difference]:
    """Everything that differs or cannot be done, in the order in which it matters. Without `loads` no module is loaded
    to see whether it can be: that runs what it names."""
    modules = (_modules, _loading) if loads else (_modules,)
    looks = (_record, _reach, _inputs(check), _programs, _code, *modules, _packages, _images)
    return [{"kind": kind, "text": text} for look in looks for kind, text in look(plan, environ)]


def _record(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "seal" in plan.record and not verify_seal(plan.record):
        yield "record", "the record was CHANGED since it was sealed"
    if any(REDACTED in word for word in plan.argv):
        yield "argument", f"a secret was not recorded: {REDACTED} stands for it in the command"
    if any(not words for words, _ in plan.others):
        yield "argument", "the command of some ranks is not known"
    if any(one["cwd"] != plan.old for one in plan.record["run"]["others"]):
        yield "argument", "some ranks had a working directory of their own"


def _reach(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path in plan.unmapped():
        yield "output", f"output {path} lies outside of the working directory: it would be overwritten"
    if plan.starter is not None and find_program(plan.starter, environ) is None:
        yield "launcher", f"{plan.starter}, which starts the {plan.size} ranks, is not on PATH"


def _inputs(check: Check) -> Callable[[Plan, Mapping[str, str]], Iterator[tuple[str, str]]]:
    def look(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for artifact in plan.inputs:
            if artifact["path"] in plan.made:
                continue
            if artifact["storage"] is None and artifact["signature"] is None:
                yield from _unhashed(artifact)
                continue
            verdict = check(artifact)
            if verdict["status"] not in ("OK", "NOT CHECKED"):
                yield "input", f"input {artifact['path']}: {_verdict(verdict)}"

    return look


def _unhashed(artifact: dict[str, Any]) -> Iterator[tuple[str, str]]:
    reason = str(artifact["reason"] or "not hashed")
    if OVERWRITTEN in reason or "removed" in reason:
        yield "input", f"input {artifact['path']} is not there as it was: {reason}"
    elif not os.path.lexists(artifact["path"]):
        yield "input", f"input {artifact['path']} is not there"


def _verdict(verdict: dict[str, Any]) -> str:
    fields = [one for one in verdict["fields"] if one["status"] != "OK"]
    told = [f"{one['path'] or 'the array'} {one['status']}" for one in fields[:3]]
    more = [f"and {len(fields) - 3} more fields"] if len(fields) > 3 else []
    return ", ".join([*told, *more]) or f"{verdict['status']}{', ' + verdict['reason'] if verdict['reason'] else ''}"


def _programs(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path, digest in list(plan.programs.items())[:MOST_FILES]:
        if path not in plan.made and (now := _digest(path)) != digest:
            yield "program", f"program {path} is not the one that ran: {_change(digest, now)}"


def _code(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    changed = []
    for path, digest in list(plan.code.items())[:MOST_FILES]:
        if path not in plan.programs and path not in plan.made and (now := _digest(path)) != digest:
            changed.append(f"script {path} is not the one that ran: {_change(digest, now)}")
    yield from (("code", text) for text in changed)
    seen = plan.record.get("observation")
    # Of a run that was seen completely the files of code are known: a commit that touched none of them is no matter.
    if not (seen and seen["complete"] and plan.code):
        yield from _commits(plan, environ)


def _commits(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    fact = model.fact(plan.record, "code")
    for place in ("script", "directory"):
        known = fact[place].get("git") if type(fact.get(place)) is dict else None
        if type(known) is not dict or type(known.get("commit")) is not str or type(known.get("root")) is not str:
            continue
        root = known["root"]
        now = git.describe(root, os.environ) if os.path.isdir(root) else {"reason": "the directory is not there"}
        if now.get("commit") != known["commit"]:
            commit = str(now.get("commit") or now.get("reason"))[:40]
            yield "code", f"{root} was at commit {known['commit'][:12]}, is at {commit}"
        elif now.get("diff") != known.get("diff"):
            yield "code", f"{root} has other changes that are not committed"
        return


def _modules(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    fact = model.fact(plan.record, "modules").get("loaded")
    for module in fact if type(fact) is list else []:
        known = module if type(module) is dict else {}
        path, digest = known.get("file"), known.get("sha256")
        if type(path) is str and type(digest) is str and (now := _digest(path)) != digest:
            yield (
                "module",
                f"module {known.get('name')}: its file {path} is not the one that was loaded: {_change(digest, now)}",
            )


def _loading(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    names = module_names(plan.record)
    if names:
        try:
            loaded(names, environ)
        except NotLoadable as error:
            yield "module", error.message


def _packages(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    recorded = versions(plan.record)
    found = (folder for fact in _software(plan) for one in objects(fact, "python") for folder in items(one, "path"))
    folders = [folder for folder in found if type(folder) is str and is_name(folder)]
    if not folders or not recorded:
        return
    now = {plain(name): version for name, version in python_packages.list_packages(folders).items()}
    read = used(plan.record) if plan.record.get("observation") else recorded.keys()
    for name in sorted(recorded.keys() & read - {"python"}):
        if recorded[name] != now.get(name):
            yield "package", f"Python package {name} was {recorded[name]}, is {now.get(name, 'not installed')}"


def _software(plan: Plan) -> list[dict[str, Any]]:
    facts = (fact.get("value") for _, fact in model.facts(plan.record, "software"))
    return [fact for fact in facts if type(fact) is dict]


def _images(plan: Plan, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for image in plan.images():
        path = image.get("path")
        if type(path) is not str or not path.startswith("/"):
            continue
        recorded = part(image["known"], "identity").get("digest")
        try:
            status = os.stat(path)
            if (status.st_size, status.st_mtime_ns) == (image.get("size"), image.get("mtime")):
                continue
            found = content.content(path, None, None).get("identity")
        except (OSError, HpcprovError) as error:
            yield "image", f"image {path}: {explain(error)}"
            continue
        now = found.get("digest") if type(found) is dict else None
        if now is None or now != recorded:
            yield "image", f"image {path} was {_named(recorded, 'another file')}, is {_named(now, 'without identity')}"


def _named(digest: Any, otherwise: str) -> str:
    return short(digest) if type(digest) is str else otherwise


def _change(before: str, now: str) -> str:
    """Two digests by their beginnings; or why there is none."""
    return f"sha256:{short(before)} -> {short(now)}" if HEX.fullmatch(now) else now


def _digest(path: str) -> str:
    """The SHA-256 of a file, or why there is none."""
    if not is_name(path):
        return "no file can have this name"
    try:
        return digest_file(path, LARGEST)[0]
    except (OSError, HpcprovError) as error:
        return explain(error)

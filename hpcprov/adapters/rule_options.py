"""What a rule's job is recorded with: options of `hpcprov exec` from its inputs, outputs, wildcards, parameters.

Standard library only: the rule wrapper imports this in whatever Python a rule runs in.

    rule_options("map", input=["a.csv"], output=["b.csv"], wildcards={"sample": "a"})
    -> ["--name=map", "--tag=rule=map", "--tag=wildcards.sample=a", "--input=a.csv", "--output=b.csv"]
"""

from __future__ import annotations

from itertools import accumulate

from hpcprov.capture.redact import scrub_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# A command line has room for 2 MiB, one argument for 128 KiB; a rule may have 100,000 inputs.
MOST_PATHS = 1000
MOST_BYTES = 1 << 18  # of all inputs, and of all outputs
MOST_TAGS = 200
MOST_TEXT = 1000
# What Snakemake derives from another resource, in other units; and its setting for the shell.
DERIVED = {"mem": "mem_mb", "mem_mib": "mem_mb", "disk": "disk_mb", "disk_mib": "disk_mb", "shell_exec": "shell_exec"}


def rule_options(
    rule: str,
    *,
    input: Iterable[Any] = (),
    output: Iterable[Any] = (),
    log: Iterable[Any] = (),
    threads: int | None = None,
    job: int | None = None,
    wildcards: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
) -> list[str]:
    """Words to stand between `hpcprov exec` and `--`. What is left out of a long list is told by a tag."""
    tags = {"rule": rule} | {
        key: str(value) for key, value in (("job", job), ("threads", threads)) if value is not None
    }
    logs = [str(path) for path in log]
    if logs:
        tags["log"] = " ".join(logs)
    asked = {key: value for key, value in (resources or {}).items() if DERIVED.get(key) not in (resources or {})}
    for word, table in (("wildcards", wildcards), ("params", params), ("resources", asked)):
        tags |= {f"{word}.{key}": text(value) for key, value in (table or {}).items() if not str(key).startswith("_")}
    paths = {"input": [str(path) for path in input], "output": [str(path) for path in output]}
    kept = {word: fitting(found) for word, found in paths.items()}
    for word, found in paths.items():
        if len(found) > len(kept[word]):
            tags[f"{word}s_left_out"] = str(len(found) - len(kept[word]))
    # The launcher scrubs tags too, but everybody on the node can read its command line.
    words = [f"--tag={scrub_word(f'{clean(key)}={cut(value)}')}" for key, value in list(tags.items())[:MOST_TAGS]]
    declared = [f"--{word}={path}" for word, found in kept.items() for path in found if is_word(path)]
    return [f"--name={cut(rule) or 'rule'}", *words, *declared]


def fitting(paths: list[str]) -> list[str]:
    """As many of the paths, from the first on, as a command line has room for."""
    ends = accumulate(len(path.encode("utf-8", "surrogateescape")) for path in paths[:MOST_PATHS])
    return paths[: sum(end <= MOST_BYTES for end in ends)]


def text(value: Any) -> str:
    """A parameter as it would stand in a command: the items of a list are joined by spaces."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return " ".join(str(item) for item in list(value)[:MOST_TEXT])
    return str(value)


def clean(key: str) -> str:
    """A key of a tag: no `=`, no NUL."""
    return key.replace("=", "_").replace("\0", "")[:100] or "_"


def cut(value: str) -> str:
    """A value that an argument may hold; it says when something is missing."""
    value = value.replace("\0", "")
    return value if len(value) <= MOST_TEXT else f"{value[:MOST_TEXT]} [{len(value) - MOST_TEXT} characters more]"


def is_word(path: str) -> bool:
    return bool(path) and "\0" not in path

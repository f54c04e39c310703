"""The rules of joining, the other way: which runs used what was made. The links of `makers`, asked from below.

    links, bare, more = find_users(lookups, versions, most=10_000, asked={"hpcprov1:cce8105d..."})

Of data that was asked for, all who used the same values count. Of what runs made only those who used just that: a copy
that one run made of a raw input has not come to all who read the input. `bare`: used versions that nobody is known to
have made, and that are what was asked for: a raw input's users. `more`: so many others were not looked at.
"""

from __future__ import annotations

from hpcprov.catalog.makers import COMMON, MOST_FIELDS, above, find_makers
from hpcprov.catalog.versions import EXECUTED, telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from hpcprov.catalog.makers import Made
    from hpcprov.catalog.versions import Lookups, Version


def find_users(
    look: Lookups, made: list[Version], most: int, *, asked: Collection[str]
) -> tuple[list[Made], list[Version], int]:
    """The links between versions and those who used them, at most so many of each kind. `asked`: the keys of data that
    was asked for."""
    found, more = _candidates(look, made, most)
    began: dict[str, str] = {}
    for version in made:
        since = version.began if version.role == "generated" else ""  # values that were used were there before
        began[version.key] = min(began.get(version.key, since), since)
    keys = {version.key for version in made}
    own = {(version.run, version.key) for version in made}

    def is_own(maker: Version) -> bool:
        return maker.key in asked or not own.isdisjoint({(maker.run, maker.key), (maker.parent, maker.key)})

    def is_later(version: Version, key: str) -> bool:
        return key in keys and not (version.ended and version.ended <= began.get(key, ""))

    links = find_makers(look, found)
    linked = {id(link.used) for link in links}
    fit = [link for link in links if is_later(link.used, link.maker.key) and is_own(link.maker)]
    found = [version for version in found if version.state != EXECUTED]
    loose = [version for version in found if id(version) not in linked and version.key in asked]
    bare = [version for version in loose if is_later(version, version.key)]
    return fit, bare, more


def _candidates(look: Lookups, made: list[Version], most: int) -> tuple[list[Version], int]:
    """Used versions that may be these, each once, and how many more there are."""
    paths = {version.path for version in made}
    asked = {
        "signature": {version.signature for version in made if version.signature is not None},
        "storage": {version.storage for version in made if version.storage is not None},
        "field": _fields(look, made),
        "path": paths | {directory for path in paths for directory in above(path)},
    }
    found: dict[tuple[str, str], Version] = {}
    more = 0
    for by, values in asked.items():
        number = sum(look.counts(by, values, "used").values()) if values else 0
        more += max(0, number - most)
        for _, version in look.found(by, values, "used", most) if number else ():
            found.setdefault((version.run, version.path), version)
    programs = look.executed(paths, most)
    more += len(programs) == most
    directories = [version.path for version in made if version.format == "directory"]
    inside = [one for path in directories for one in look.below(path, "used", most) + look.executed_below(path, most)]
    for version in programs + inside:
        found.setdefault((version.run, version.path), version)
    return list(found.values()), more


def _fields(look: Lookups, made: list[Version]) -> set[str]:
    """Signatures of fields by which others may be known to hold the same values."""
    fields = look.fields(version for version in made if version.fields)
    values = {field.signature for its in fields.values() for field in telling(its)[:MOST_FIELDS]}
    rare = look.counts("field", values, "generated") if values else {}
    return {value for value, number in rare.items() if number <= COMMON}

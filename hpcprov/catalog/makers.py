"""The rules of joining: which run made what another run used (docs/lineage.md).

    find_makers(lookups, versions)  ->  [Made(used, maker, "signature"), ...]

In this order, and the first rule that finds a maker counts: equal signatures; equal bytes; the same path with the same
moment of last change; equal fields; the same path, or a directory around or files below it, and the last run that began
before. Nobody makes what was there before him:
neither a run that began when the user had ended, nor one that made equal values elsewhere when these had been used
already, nor one that had them as an input (see copiers). Of several makers the one whose file was moved here counts,
then the one at the same path, then one that made the same bytes, then the one that began last; the others are counted.
"""

from __future__ import annotations

from hpcprov.catalog.copiers import inputs_of, is_left, is_moved, is_origin
from hpcprov.catalog.versions import telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpcprov.catalog.versions import Field, Lookups, Version

# A value that more versions have is asked for one user at a time.
HOT = 64
# A field that more versions have is an axis, a mask or nothing but zeros: it tells nothing of where data comes from.
COMMON = 16
MOST_FIELDS = 64  # of one version, compared
MOST_BELOW = 1000
MOST_AROUND = 64


class Made:
    """A link: the version that was `used`, the one that its `maker` left, how they were joined, and how many `others`
    made the same. `fields`: pairs of paths, of equal fields in both. `relation`: None, they are the same version;
    `same values`, only fields of it; `changed`, it was changed outside of any run; `holds`, the maker's is a directory
    around it; `part of`, it is a directory around the maker's."""

    __slots__ = ("fields", "join", "maker", "others", "relation", "used")

    def __init__(
        self, used: Version, maker: Version, join: str, *, relation: str | None = None, others: int = 0
    ) -> None:
        self.used, self.maker, self.join, self.relation, self.others = used, maker, join, relation, others
        self.fields: list[tuple[str, str]] = []


def find_makers(look: Lookups, used: Iterable[Version]) -> list[Made]:
    """The makers of used versions; those that nobody is known to have made are left out."""
    found: list[Made] = []
    waiting = list(used)
    for rule in (_by_signature, _by_bytes, _by_moment, _by_fields, _by_path, _by_directory):
        made = rule(look, waiting) if waiting else []
        found += made
        done = {id(link.used) for link in made}
        waiting = [version for version in waiting if id(version) not in done]
    return found


def _by_signature(look: Lookups, used: list[Version]) -> list[Made]:
    return _by_value(look, used, "signature")


def _by_bytes(look: Lookups, used: list[Version]) -> list[Made]:
    return _by_value(look, used, "storage")


def _by_value(look: Lookups, used: list[Version], by: str) -> list[Made]:
    join = "bytes" if by == "storage" else by
    ranked = _ranked(look, used, by, lambda version: getattr(version, by))
    elsewhere = [
        (getattr(version, by), version.path)
        for version, makers, _ in ranked
        if any(maker.path != version.path for maker in makers)
    ]
    seen = look.first_seen(by, elsewhere) if elsewhere else {}
    had = inputs_of(look, _far(ranked))
    made = []
    for version, makers, number in ranked:
        value = getattr(version, by)
        first = seen.get((value, version.path), "")
        fit = [
            maker
            for maker in makers
            if maker.path == version.path
            or (version.is_telling and not (first and maker.began >= first) and is_origin(version, maker, value, had))
        ]
        if fit:
            made.append(Made(version, fit[0], join, others=number - 1))
    return made


def _far(ranked: list[tuple[Version, list[Version], int]]) -> set[str]:
    """The runs that made values elsewhere, of versions that nobody made where they are."""
    return {maker.run for version, makers, _ in ranked if makers[0].path != version.path for maker in makers}


def _by_moment(look: Lookups, used: list[Version]) -> list[Made]:
    """What was not hashed, because it was written over or took too long, may be known by when it was changed last."""
    made = []
    for version, makers, _ in _ranked(look, used, "path", lambda version: version.path):
        left = next((maker for maker in makers if is_left(version, maker) and not version.differs(maker)), None)
        if left is not None:
            made.append(Made(version, left, "path"))
    return made


def _by_fields(look: Lookups, used: list[Version]) -> list[Made]:
    """Several makers may have made fields of one version."""
    fields = look.fields(version for version in used if version.fields)
    asked = {id(version): telling(fields.get(version.number, []))[:MOST_FIELDS] for version in used}
    values = {field.signature for of_one in asked.values() for field in of_one}
    rare = {value for value, count in look.counts("field", values, "generated").items() if count <= COMMON}
    candidates: dict[str, list[Version]] = {}
    for value, maker in look.found("field", rare, "generated", COMMON * len(rare)):
        candidates.setdefault(value, []).append(maker)
    paths = _paths(look, candidates)
    seen = look.first_seen("field", [(value, None) for value in candidates]) if candidates else {}
    had = inputs_of(look, {maker.run for makers in candidates.values() for maker in makers})
    made: list[Made] = []
    for version in used:
        links: dict[object, Made] = {}
        for field in asked[id(version)]:
            makers = _fitting(version, candidates.get(field.signature, ()))
            if _is_older(seen.get((field.signature, None), ""), makers):
                makers = [maker for maker in makers if maker.path == version.path]
            makers = [
                maker
                for maker in makers
                if maker.path == version.path or is_origin(version, maker, field.signature, had)
            ]
            if makers:
                link = links.setdefault(makers[0].number, Made(version, makers[0], "field", relation="same values"))
                link.others = max(link.others, len({maker.run for maker in makers}) - 1)
                link.fields.append((paths[makers[0].number, field.signature], field.path))
        made += links.values()
    return made


def _is_older(first: str, makers: list[Version]) -> bool:
    """Were values used before anybody made them? Then they are from outside."""
    return bool(first and makers) and all(maker.began > first for maker in makers)


def _paths(look: Lookups, candidates: dict[str, list[Version]]) -> dict[tuple[object, str], str]:
    """Where each candidate has the field, by its number and the field's signature."""
    versions = {version.number: version for of_one in candidates.values() for version in of_one}
    found: dict[object, list[Field]] = look.fields(versions.values()) if versions else {}
    return {(number, field.signature): field.path for number, fields in found.items() for field in fields}


def _by_path(look: Lookups, used: list[Version]) -> list[Made]:
    made = []
    for version, makers, _ in _ranked(look, used, "path", lambda version: version.path):
        # A run around another one is told to have made what the inner one changed.
        makers = [maker for maker in makers if version.digest is not None or maker.run != version.parent]
        before = [maker for maker in makers if maker.began < version.began] or makers
        if before:
            relation = "changed" if version.differs(before[0]) else None
            made.append(Made(version, before[0], "path", relation=relation))
    return made


def _by_directory(look: Lookups, used: list[Version]) -> list[Made]:
    """A directory that a run made as a whole, and a file of it that was used; or the other way round."""
    around = {directory for version in used for directory in above(version.path)}
    made_whole = look.counts("path", around, "generated") if around else {}
    made: list[Made] = []
    for version in used:
        nearest = next((one for one in above(version.path) if one in made_whole), None)
        makers = _fitting(version, look.latest("path", nearest, version.ended)) if nearest is not None else []
        if makers:
            made.append(Made(version, makers[0], "path", relation="holds"))
        elif version.format == "directory":
            newest: dict[str, Version] = {}
            for maker in look.below(version.path, "generated", MOST_BELOW):
                if _can_make(maker, version):
                    newest.setdefault(maker.path, maker)
            made += [Made(version, maker, "path", relation="part of") for maker in newest.values()]
    return made


def above(path: str) -> list[str]:
    """The directories around a path, the nearest first, no more than anybody nests; not the root."""
    found: list[str] = []
    while (cut := path.rfind("/")) > 0 and len(found) < MOST_AROUND:
        path = path[:cut]
        found.append(path)
    return found


def _ranked(
    look: Lookups, used: list[Version], by: str, value_of: Callable[[Version], str | None]
) -> list[tuple[Version, list[Version], int]]:
    """Of each version those that can have made it, the likeliest first, and how many made the same."""
    asked = [(version, value) for version in used if (value := value_of(version)) is not None]
    counts = look.counts(by, {value for _, value in asked}, "generated")
    few = {value for value, count in counts.items() if count <= HOT}
    candidates: dict[str, list[Version]] = {}
    for value, maker in look.found(by, few, "generated", HOT * len(few)):
        candidates.setdefault(value, []).append(maker)
    ranked = []
    for version, value in asked:
        makers = candidates.get(value, [])
        if counts.get(value, 0) > HOT:
            makers = look.latest(by, value, version.ended, version.path) + look.latest(by, value, version.ended)
        if fit := _fitting(version, makers):
            number = counts[value] if counts[value] > HOT else len({maker.run for maker in fit})
            ranked.append((version, fit, number))
    return ranked


def _fitting(version: Version, makers: Iterable[Version]) -> list[Version]:
    """Those that can have made it, the likeliest first. Of a run and one inside of it the inner one did."""
    fit = [maker for maker in makers if _can_make(maker, version)]
    outer = {maker.parent for maker in fit} - {None}
    return sorted((maker for maker in fit if maker.run not in outer), key=_likely(version), reverse=True)


def _can_make(maker: Version, version: Version) -> bool:
    return maker.run != version.run and not (version.ended and maker.began >= version.ended)


def _likely(version: Version) -> Callable[[Version], tuple[bool, bool, bool, bool, str, str]]:
    return lambda maker: (
        is_moved(version, maker),
        maker.path == version.path,
        maker.storage is not None and maker.storage == version.storage,
        maker.began < version.began,
        maker.began,
        maker.run,
    )

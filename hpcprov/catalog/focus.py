"""One field in a lineage: only the links that concern it, wherever the records tell which these are.

A field is followed by its signature. Who made it is the first run that left these values at that path: later ones
only kept them. Of what a maker used, the datasets that hold the same field are what it came from; where none does, the
record does not tell, so all of them are given, and a note says so.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.growth import Growth
    from hpcprov.catalog.makers import Made
    from hpcprov.catalog.versions import Lookups, Version

MOST = 64  # versions that hold one field, compared


class Focus:
    """What is followed: of each run, and of each version, the field; of others everything."""

    def __init__(self, look: Lookups, growth: Growth, field: tuple[str, str] | None) -> None:
        self.look, self.growth = look, growth
        self.name: str = field[0] if field is not None else ""
        self.signature: str | None = field[1] if field is not None else None
        self._runs: set[str] = set()

    def makers_of(self, made: list[Version]) -> list[str]:
        """The runs that made the versions that were asked for: of a field, the first that left it there."""
        first = [self.first(version) for version in made]
        self.growth.load(version.run for version in first)
        runs = []
        for version, maker in zip(made, first, strict=True):
            if self.growth.link_made(maker):
                runs.append(maker.run)
                self._runs |= {maker.run} if self.signature is not None else set()
            if maker.run != version.run:
                self._kept(maker, version)
        return runs

    def of_links(self, links: list[Made]) -> list[Made]:
        """Links to makers: those of a field, where the used version is followed for it."""
        kept = []
        for link in links:
            if link.used.number in self.growth.focused and self.signature is not None:
                if link.relation == "same values" and not self._concerns(link):
                    continue
                first = self.first(link.maker)
                if first.run != link.maker.run:
                    self._kept(first, link.maker)
                    self.growth.load([first.run])
                    link.maker, link.join, link.relation = first, "field", "same values"
                    link.fields = [(self.name, self.name)]
                self._runs.add(link.maker.run)
            kept.append(link)
        return kept

    def of_users(self, links: list[Made]) -> list[Made]:
        """Links to users: of what is followed for a field, not those by other fields."""
        if self.signature is None:
            return links
        kept = [link for link in links if link.relation != "same values" or self._concerns(link)]
        self._runs |= {link.used.run for link in kept if link.maker.number in self.growth.focused}
        return kept

    def of_runs(self, versions: list[Version]) -> list[Version]:
        """Of each run that is followed for the field, the versions that hold it; where none does, all."""
        if not self._runs:
            return versions
        fields = self.look.fields(version for version in versions if version.run in self._runs and version.fields)
        holding = {number: one.path for number, its in fields.items() for one in its if one.signature == self.signature}
        self.growth.focused |= holding
        asked = {version.run for version in versions} & self._runs
        for run in asked - {version.run for version in versions if version.number in holding}:
            self._runs.discard(run)
            if sum(version.run == run for version in versions) > 1:
                self.growth.note(
                    f"the record of {run} does not tell which of its data the field concerns: all is given"
                )
        return [version for version in versions if version.run not in self._runs or version.number in holding]

    def first(self, version: Version) -> Version:
        """The first version at a path that holds the field."""
        if self.signature is None:
            return version
        found = self.look.found("field", [self.signature], "generated", MOST)
        same = [one for _, one in found if one.path == version.path and one.began <= version.began]
        return min(same, key=lambda one: (one.began, one.run), default=version)

    def _kept(self, first: Version, version: Version) -> None:
        """Say that a later run left the field as it was."""
        source, target = self.growth.add_version(first), self.growth.add_version(version)
        if source is not None and target is not None and source != target:
            self.growth.graph.link(source, target, role="same values", join="field", fields=[[self.name, self.name]])
        self.growth.note(f"{version.run} kept the field as {first.run} had left it")

    def _concerns(self, link: Made) -> bool:
        fields = self.look.fields([link.used])
        wanted = {one.path for its in fields.values() for one in its if one.signature == self.signature}
        return any(path in wanted for _, path in link.fields)

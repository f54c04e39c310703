"""What was seen of one node's job: bytes of event areas in, bodies of log events out.

    seen = Observed(cwd="/home/ada/run", environ=os.environ)
    seen.feed(0, data, 0)        ->  bytes that have been read
    list(seen.events(final=True))  ->  [{"event": "program", "entries": [...]}, {"event": "access", ...},
                                      {"event": "observation", "value": {...}}]

Nothing that an area holds makes it raise; what it keeps is bounded.
"""

from __future__ import annotations

from itertools import islice

from hpcprov.capture.observed import area
from hpcprov.capture.observed.accesses import Accesses
from hpcprov.capture.observed.classes import Places
from hpcprov.capture.observed.declared import Declared
from hpcprov.capture.observed.index import Index
from hpcprov.capture.observed.mounts import Mounts
from hpcprov.capture.observed.programs import Programs
from hpcprov.capture.observed.questions import Questions
from hpcprov.capture.observed.telling import Telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

LATEST = 1 << 62  # ns
HIGHEST_RANK = 1 << 31
PER_EVENT = {"program": 100, "access": 200}
MOST_VIEWS = 256
MOST_REASONS = 20


class Observed:
    """The files and programs of one node, from all of its event areas."""

    def __init__(
        self,
        *,
        cwd: str,
        environ: Mapping[str, str],
        questions: Questions | None = None,
        declared: Iterable[str] = (),
        mountinfo: bytes = b"",
        begin: int = 0,
        how: str = "preload",
    ) -> None:
        """`declared`: absolute paths and patterns; `mountinfo`: the agent's own; `begin`: of the job, ns."""
        asked = questions or Questions()
        self.how = how
        self.programs = Programs()
        self.index = Index(Places(cwd=cwd, environ=environ), asked, Declared(declared))
        self.accesses = Accesses(self.index, begin=begin)
        self.telling = Telling(self.index, self.programs)
        self.questions, self.mountinfo = asked, mountinfo
        self.views: dict[int, Mounts] = {}  # instance -> the mounts that it sees
        self.losses: dict[int, tuple[int, int]] = {}
        self.reasons: list[str] = []
        self.skipped = 0
        self.told: dict[str, Any] | None = None

    # In

    def feed(self, area_index: int, data: bytes, position: int, *, final: bool = False, settled: int = 0) -> int:
        """Take what stands in an area from `position` on; the number of bytes that are done with.

        Stops at a record that is still being written. `settled`: the position before which nobody writes any more, and
        `final`: nobody writes at all: what is unfinished there is passed over.
        """
        scan = area.Scan(bytes(data), settled=len(data) if final else min(max(settled - position, 0), len(data)))
        base = area_index << 32
        seats, known, access = self.programs.seats, self.index.known, self.accesses.access
        for kind, flags, instance, pid, moment, a, b, text in scan:
            if not 0 < moment < LATEST:
                self.skipped += 1
            elif kind == area.ACCESS:
                path = text[: text.find(b"\0")]
                if base + instance in self.views:
                    path = self.outside(base + instance, path)
                if path in known and known[path] is None:
                    continue
                if not flags & area.CUT:
                    row, bit = seats.get(base + instance) or self.seat(base, instance, pid)
                    access(path, flags, a, b if b < LATEST else 0, moment=moment, bit=bit, row=row)
            else:
                self.take(kind, flags, area_index, base + instance, pid, moment, a, b, text)
        self.skipped += scan.skipped
        return scan.end

    def seat(self, base: int, instance: int, pid: int) -> tuple[int, int]:
        """As `Programs.seat`; where no program did it, `pid` is the rank that was started with it."""
        if instance:
            return self.programs.seat(base + instance)
        return 0, self.programs.rank_bit(pid) if pid < HIGHEST_RANK else 0

    def take(
        self, kind: int, flags: int, area_index: int, instance: int, pid: int, moment: int, a: int, b: int, text: bytes
    ) -> None:
        """Any record but an access."""
        row, bit = self.programs.seat(instance)
        if kind == area.PROGRAM:
            self.begin(area_index, instance, pid, moment, a, b, text)
        elif kind == area.END:
            bit = bit or self.programs.rank_bits.get(pid, 0)  # a launcher tells of its rank's application
            self.programs.end(area_index, bit, a >> 32, moment, a & 0xFFFFFFFF)
        elif kind == area.NOT_RUN:
            self.programs.not_run(instance, area_index, bit, pid)
        elif kind == area.MOUNTS:
            self.see(instance, text.partition(b"\0")[0])
        elif not flags & area.CUT:
            self.change(kind, flags, instance, text, moment=moment, bit=bit, row=row)

    def change(self, kind: int, flags: int, instance: int, text: bytes, *, moment: int, bit: int, row: int) -> None:
        """A record of names that change."""
        names = [self.outside(instance, name) for name in text.split(b"\0", 2)[:2]]
        if not names[0].startswith(b"/"):
            return
        if kind == area.UNLINK:
            self.accesses.unlink(names[0], flags, moment=moment, bit=bit, row=row)
        elif len(names) < 2 or not names[1].startswith(b"/"):
            return
        elif kind == area.RENAME:
            self.accesses.rename(names[0], names[1], flags, moment=moment, bit=bit, row=row)
        elif kind == area.LINK:
            self.accesses.link(names[0], names[1], flags, moment=moment, bit=bit, row=row)

    def begin(self, area_index: int, instance: int, pid: int, moment: int, a: int, b: int, text: bytes) -> None:
        """A program begins."""
        parent, rank = a & 0xFFFFFFFF, a >> 32
        if rank >= HIGHEST_RANK:
            self.skipped += 1
            return
        above = (area_index << 32) + parent if parent else 0
        if instance not in self.views and above in self.views and len(self.views) < 100 * MOST_VIEWS:
            self.views[instance] = self.views[above]
        if instance in self.views:
            places = text.split(b"\0", 2)
            text = b"\0".join([*(self.outside(instance, place) for place in places[:2]), *places[2:]])
        self.programs.begin(
            instance=instance, parent=above, rank=rank, pid=pid, blind=b & 0xFFFFFFFF, moment=moment, words=b >> 32,
            text=text, area=area_index,
        )  # fmt: skip

    def see(self, instance: int, text: bytes) -> None:
        """A program told what is mounted where it is."""
        if len({id(view) for view in self.views.values()}) < MOST_VIEWS:
            self.views[instance] = Mounts(text, self.mountinfo)
        else:
            self.doubt("files of some containers are named as inside: too many mount namespaces")

    def outside(self, instance: int, path: bytes) -> bytes:
        """A path as this node calls it."""
        view = self.views.get(instance)
        if view is None:
            return path
        return view.outside(path.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def lose(self, area_index: int, *, lost: int, cut: int) -> None:
        """What an area's header says of records that did not fit."""
        self.losses[area_index] = (lost, cut)

    def doubt(self, reason: str) -> None:
        """Say why what was seen may not be all."""
        if reason not in self.reasons and len(self.reasons) < MOST_REASONS:
            self.reasons.append(reason)

    # Out

    def events(self, final: bool = False) -> Iterator[dict[str, Any]]:
        """The bodies of the events that tell what is new since the last call, made one at a time."""
        yield from chunks("program", self.programs.entries(self.questions))
        yield from chunks("access", self.telling.entries(final=final))
        value = self.observation()
        if value != self.told:
            self.told = value
            yield {"event": "observation", "value": value}

    def observation(self) -> dict[str, Any]:
        """What is told of a node as a whole."""
        lost = sum(lost for lost, _ in self.losses.values())
        cut = sum(cut for _, cut in self.losses.values())
        reasons = [*self.reasons]
        if self.programs.blind and self.how != "notify":
            reasons.append(f"{self.programs.blind} programs could not be looked into")
        if self.programs.uncounted:
            reasons.append(f"{self.programs.uncounted} programs more ran that are not told of")
        if self.skipped:
            reasons.append(f"{self.skipped} pieces of the event area held no whole record")
        counts = {
            "how": self.how,
            "lost": lost,
            "cut": cut,
            "complete": not (lost or cut or reasons),
            "reasons": reasons,
        }
        return counts | self.telling.observation()


def chunks(kind: str, entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Entries as events of a bounded size."""
    left = iter(entries)
    while piece := list(islice(left, PER_EVENT[kind])):
        yield {"event": kind, "entries": piece}

"""The programs of a node, as a tree of rows: equal programs of many ranks or loops are one row with a count.

    programs = Programs()
    programs.begin(instance=7, parent=0, rank=3, pid=811, blind=0, moment=5, words=3,
                   text=b"/bin/cp\\0/run\\0cp\\0a\\0b\\0")
    list(programs.entries(Questions()))
    -> [{"id": 7, "parent": 0, "path": "/bin/cp", "argv": ["cp", "a", "b"], "cwd": "/run", "count": 1,
         "ranks": [[3, 3]], "began": 5, "ended": None, "exits": {}, "sha256": None, "blind": None}]

Above MOST_ROWS different ones programs are only counted by their file.
"""

from __future__ import annotations

from itertools import islice

from hpcprov.capture.redact import scrub_argv
from hpcprov.record import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.capture.observed.questions import Questions

BLIND = (None, "static", "set-id", "other abi", "sanitizer", "go", "launcher", "unreadable", "off", "container")
MOST_ROWS = 1000
MOST_COUNTED = 1000
MOST_INSTANCES = 32768  # that are told apart at a time; older ones are forgotten
MOST_RANKS = 4096
MOST_WORDS, MOST_BYTES = 200, 4096  # of a command line


class Row:
    """Equal programs: of one parent row, file, command line and working directory."""

    __slots__ = (
        "argv", "began", "blind", "changed", "count", "cwd", "ended", "exits", "number", "parent", "path", "ranks",
        "running", "sha256",
    )  # fmt: skip

    def __init__(self, number: int, parent: int, blind: int, strings: list[str]) -> None:
        self.number, self.parent, self.blind = number, parent, blind
        self.path, self.cwd = strings[0], strings[1]
        self.argv = scrub_argv(strings[2:])
        self.count = self.running = self.ranks = 0
        self.began = self.ended = 0
        self.exits: dict[str, int] = {}
        self.sha256: str | None = None
        self.changed = True


class Programs:
    """All programs of one node's areas."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.by_text: dict[tuple[int, int, int], Row] = {}
        self.seats: dict[int, tuple[int, int]] = {}  # instance -> (row or 0, bit of the rank)
        self.running: dict[tuple[int, int, int], Row] = {}  # area, bit of the rank, pid
        self.counted: dict[tuple[str, int], int] = {}
        self.uncounted = 0
        self.rank_bits: dict[int, int] = {}
        self.blind = 0  # programs that could not be looked into

    def begin(
        self,
        *,
        instance: int,
        parent: int,
        rank: int,
        pid: int,
        blind: int,
        moment: int,
        words: int,
        text: bytes,
        area: int = 0,
    ) -> Row | None:
        """Take a program that begins: its row, or None where it is only counted. `words`: of its command line."""
        bit = self.rank_bit(rank)
        above = self.seats.get(parent, (0, 0))[0]
        row = self.row(instance, above, blind, strings_of(text, words))
        bounded(self.seats, MOST_INSTANCES)
        self.seats[instance] = (row.number if row else 0, bit)
        if blind and blind != BLIND.index("launcher"):
            self.blind += 1
        self.end(area, bit, pid, moment, None)  # a program that executes another one in its place has ended
        if row is None:
            return None
        row.count += 1
        row.running += 1
        row.ranks |= bit
        row.began = min(row.began or moment, moment)
        row.changed = True
        bounded(self.running, MOST_INSTANCES)
        self.running[area, bit, pid] = row
        return row

    def row(self, instance: int, parent: int, blind: int, parts: list[bytes]) -> Row | None:
        """The row of equal programs, a new one while there is room."""
        key = (parent, blind, hash(tuple(parts)))
        if key in self.by_text:
            return self.by_text[key]
        strings = shortened(parts)
        if len(self.rows) >= MOST_ROWS:
            self.count(strings[0], blind)
            return None
        self.by_text[key] = self.rows[instance] = Row(instance, parent, blind, strings)
        return self.rows[instance]

    def count(self, path: str, blind: int) -> None:
        """A program that gets no row."""
        key = (path, blind)
        if key in self.counted or len(self.counted) < MOST_COUNTED:
            self.counted[key] = self.counted.get(key, 0) + 1
        else:
            self.uncounted += 1

    def end(self, area: int, bit: int, pid: int, moment: int, status: int | None) -> None:
        """A process has ended with what wait(2) says of it; None when nobody knows."""
        row = self.running.pop((area, bit, pid), None)
        if row is None:
            return
        row.running -= 1
        row.ended = max(row.ended, moment)
        row.changed = True
        if status is not None:
            word = str(exit_code(status))
            row.exits[word] = row.exits.get(word, 0) + 1

    def not_run(self, instance: int, area: int, bit: int, pid: int) -> None:
        """The program whose beginning was announced could not be executed."""
        row = self.rows.get(self.seats.pop(instance, (0, 0))[0])
        if row is None or self.running.pop((area, bit, pid), None) is None:
            return
        row.count -= 1
        row.running -= 1
        row.changed = True
        if row.blind:
            self.blind -= 1

    def rank_bit(self, rank: int) -> int:
        """The bit that stands for a rank; 0 for one beyond the limit."""
        if rank not in self.rank_bits:
            if len(self.rank_bits) >= MOST_RANKS:
                return 0
            self.rank_bits[rank] = 1 << len(self.rank_bits)
        return self.rank_bits[rank]

    def ranges(self, bits: int) -> list[list[int]]:
        return ranges.ranges(rank for rank, bit in self.rank_bits.items() if bits & bit)

    def scripts(self) -> list[tuple[list[str], str]]:
        """Command lines with their working directories."""
        return [(row.argv, row.cwd) for row in self.rows.values()]

    def entries(self, questions: Questions) -> list[dict[str, Any]]:
        """The rows that have changed since they were told, in order of their numbers."""
        for row in self.rows.values():
            if row.sha256 is None and row.path and (digest := questions.digest(row.path)):
                row.sha256, row.changed = digest, True
        told = [row for _, row in sorted(self.rows.items()) if row.changed]
        for row in told:
            row.changed = False
        return [self.entry(row) for row in told]

    def entry(self, row: Row) -> dict[str, Any]:
        return {
            "id": row.number,
            "parent": row.parent,
            "path": row.path,
            "argv": row.argv,
            "cwd": row.cwd,
            "count": row.count,
            "ranks": self.ranges(row.ranks),
            "began": row.began,
            "ended": None if row.running else row.ended or None,
            "exits": dict(sorted(row.exits.items())),
            "sha256": row.sha256,
            "blind": blind_word(row.blind),
        }


def blind_word(blind: int) -> str | None:
    return BLIND[blind] if blind < len(BLIND) else "unreadable"


def strings_of(text: bytes, words: int) -> list[bytes]:
    """The strings of a program's record: its file, its working directory and the words of its command line."""
    parts = text.split(b"\0", min(words, MOST_WORDS) + 2)[: min(words, MOST_WORDS) + 2]
    return parts + [b""] * (2 - len(parts))


def shortened(parts: list[bytes]) -> list[str]:
    """The strings as text, of a command line no more than is recorded."""
    found, left = [], MOST_BYTES
    for part in parts[2:]:
        if left <= 0:
            found.append("...")
            break
        found.append(decoded(part[:left]))
        left -= len(part)
    return [decoded(parts[0][:MOST_BYTES]), decoded(parts[1][:MOST_BYTES]), *found]


def decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def exit_code(status: int) -> int:
    """An exit code, or minus the signal that ended the process."""
    return -(status & 127) if status & 127 else status >> 8 & 255


def bounded(table: dict[Any, Any], most: int) -> None:
    """Forget the older half of a table that is full."""
    if len(table) >= most:
        for key in list(islice(table, most // 2)):
            del table[key]

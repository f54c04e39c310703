"""The programs of a node, as a tree of rows: equal programs of many ranks or loops are one row with a count.

    programs = Programs()
    programs.begin(instance=7, parent=0, rank=3, pid=811, blind=0, moment=5, words=3,
                   text=b"/bin/cp\\0/run\\0cp\\0a\\0b\\0")
    list(programs.entries(Questions()))
    -> [{"id": 7, "parent": 0, "path": "/bin/cp", "argv": ["cp", "a", "b"], "cwd": "/run", "count": 1,
         "ranks": [[3, 3]], "began": 5, "ended": None, "exits": {}, "sha256": None, "blind": None}]

A program that executes another one in its place has the end of its process as well, with whatever status that ends.
Above MOST_ROWS different ones programs are only counted by their file.
"""

from __future__ import annotations

from itertools import islice

from hpcprov.capture.redact import scrub_argv
from hpcprov.record import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

    from hpcprov.capture.observed.questions import Questions

    Seat = tuple[int, int]
    # What a process runs: instance, row; the rows of what it ran before; the program before it.
    Life = tuple[int, "Row | None", tuple["Row", ...], "Life | None"]

BLIND = (None, "static", "set-id", "other abi", "sanitizer", "go", "launcher", "unreadable", "off", "container")
MOST_ROWS = 1000
MOST_COUNTED = 1000
MOST_INSTANCES = 16384  # that are told apart at a time; older ones are forgotten
MOST_ENDED = 4096
MOST_RANKS = 4096
MOST_REPLACED = 16  # programs that a process ran one after the other, whose end is known
NOBODY = (0, 0)
UNKNOWN = "unknown"  # the file of a program that could not look at itself, without a command line
MOST_WORDS, MOST_BYTES = 200, 4096  # of a command line


class Row:
    """Equal programs: of one parent row, file, command line and working directory."""

    __slots__ = (
        "argv", "began", "blind", "changed", "count", "cwd", "ended", "exits", "number", "parent", "path", "ranks",
        "running", "sha256",
    )  # fmt: skip

    def __init__(self, number: int, parent: int, blind: int, strings: list[str]) -> None:
        self.number, self.parent, self.blind = number, parent, blind
        self.path, self.cwd = strings[0] or "".join(strings[2:3]) or UNKNOWN, strings[1]
        self.argv = scrub_argv(strings[2:])
        self.count = self.running = self.ranks = 0
        self.began = self.ended = 0
        self.exits: dict[str, int] = {}
        self.sha256: str | None = None
        self.changed = True

    def exit(self, word: str) -> None:
        """Count how one of them ended."""
        self.exits[word] = self.exits.get(word, 0) + 1
        self.changed = True


class Programs:
    """All programs of one node's areas."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.by_text: dict[tuple[int, int, int], Row] = {}
        self.seats: dict[int, Seat] = {}  # of programs that may still be running, by instance
        self.ended: dict[int, Seat] = {}  # of those that ended lately: what they left behind may go on
        self.running: dict[tuple[int, int, int], Life] = {}  # by area, bit of the rank, pid
        self.counted: dict[tuple[str, int], int] = {}
        self.uncounted = 0
        self.rank_bits: dict[int, int] = {}
        self.blind = 0  # programs that could not be looked into

    def seat(self, instance: int) -> Seat:
        """The row (0: none) and the bit of the rank of a program; zeros where it is not known any more."""
        return self.seats.get(instance) or self.ended.get(instance) or NOBODY

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
    ) -> None:
        """Take a program that begins. `words`: of its command line; `text`: the strings of its record."""
        bit = self.rank_bit(rank)
        row = self.row(instance, self.seat(parent)[0], blind, strings_of(text, words))
        bounded(self.seats, MOST_INSTANCES, self.rows)
        bounded(self.running, MOST_INSTANCES)
        self.seats[instance] = (row.number if row else 0, bit)
        self.blind += is_dark(blind)
        before = self.end(area, bit, pid, moment, None)  # a program that executes another one in its place has ended
        replaced = before[2] + (before[1],) if before and before[1] and before[0] == parent else ()
        self.running[area, bit, pid] = (instance, row, replaced[-MOST_REPLACED:], before)
        if row is not None:
            row.count += 1
            row.running += 1
            row.ranks |= bit
            row.began = min(row.began or moment, moment)
            row.changed = True

    def end(self, area: int, bit: int, pid: int, moment: int, status: int | None) -> Life | None:
        """A process has ended with what wait(2) says of it, None when nobody knows; what it was running."""
        life = self.running.pop((area, bit, pid), None)
        if life is None:
            return None
        instance, row, replaced, _ = life
        if instance in self.seats:
            bounded(self.ended, MOST_ENDED)
            self.ended[instance] = self.seats.pop(instance)
        if row is not None:
            row.running -= 1
            row.ended = max(row.ended, moment)
            row.changed = True
        if status is not None:
            for one in (*replaced, row) if row is not None else replaced:
                one.exit(str(exit_code(status)))
        return instance, row, replaced, None

    def not_run(self, instance: int, area: int, bit: int, pid: int) -> None:
        """The program whose beginning was announced could not be executed: the one before it goes on."""
        life = self.running.get((area, bit, pid))
        if life is None or life[0] != instance:
            return
        _, row, _, before = life
        del self.running[area, bit, pid]
        self.seats.pop(instance, None)
        if row is not None:
            row.count -= 1
            row.running -= 1
            row.changed = True
            self.blind -= is_dark(row.blind)
        if before is not None:
            self.running[area, bit, pid] = before
            self.seats[before[0]] = self.seat(before[0])
            if before[1] is not None:
                before[1].running += 1

    def row(self, instance: int, parent: int, blind: int, parts: list[bytes]) -> Row | None:
        """The row of equal programs, a new one while there is room."""
        key = (parent, blind, hash(tuple(parts)))
        if key in self.by_text:
            return self.by_text[key]
        strings = shortened(parts)
        if len(self.rows) >= MOST_ROWS:
            self.count(strings[0] or UNKNOWN, blind)
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
            if row.sha256 is None and row.path.startswith("/") and (digest := questions.digest(row.path)):
                row.sha256, row.changed = digest, True
        told = [row for _, row in sorted(self.rows.items()) if row.changed and row.count]
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


def is_dark(blind: int) -> bool:
    """Whether what a program does is told by nobody; a launcher's run has a record of its own."""
    return blind not in (0, BLIND.index("launcher"))


def bounded(table: dict[Any, Any], most: int, keep: Container[int] = ()) -> None:
    """Forget the older half of a table that is full, but for what is to be kept."""
    if len(table) >= most:
        for key in list(islice(table, most // 2)):
            if key not in keep:
                del table[key]

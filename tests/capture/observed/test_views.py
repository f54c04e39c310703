"""Programs that see another file system: what they and their children touch has the node's names."""

from __future__ import annotations

from hpcprov.capture.observed import Observed, area
from tests.capture.observed.records import BEGIN, CWD, ENVIRON, READ, WRITE, Disk, access, program, record

OUTSIDE = b"20 1 254:0 / / rw - ext4 /dev/vda rw\n"
INSIDE = b"44 66 0:90 / / ro - overlay overlay ro\n45 44 254:0 /home/ada/run /w rw - ext4 /dev/vda rw\n"


def told(*records: bytes) -> dict[str, list[dict[str, object]]]:
    """Entries by event."""
    seen = Observed(cwd=CWD, environ=ENVIRON, questions=Disk(), mountinfo=OUTSIDE, begin=BEGIN)
    data = b"".join(records)
    assert seen.feed(0, data, 0, final=True) == len(data)
    found: dict[str, list[dict[str, object]]] = {}
    for event in seen.events(final=True):
        found.setdefault(event["event"], []).extend(event.get("entries", [event.get("value")]))
    return found


def mounts(instance: int, text: bytes = INSIDE) -> bytes:
    return record(area.MOUNTS, text, instance=instance)


def test_files_and_programs_have_the_names_of_outside() -> None:
    found = told(
        program(1, b"apptainer"),
        mounts(2),
        program(2, b"sh", parent=1),
        program(3, b"cat", parent=2),
        access(b"/w/in.csv", READ, 4, BEGIN - 1, instance=3),
        access(b"/w/out.csv", WRITE, instance=3),
        access(b"/opt/model/table.csv", READ, 9, 1, instance=3),
        record(area.RENAME, b"/w/out.csv", b"/w/final.csv", instance=3),
    )
    assert [one["path"] for one in found["program"]] == [
        "/usr/bin/apptainer",
        "image:/usr/bin/sh",
        "image:/usr/bin/cat",
    ]
    assert [one["sha256"] for one in found["program"]][1:] == [None, None]
    names = {one["path"]: one["from"] for one in found["access"]}
    assert names == {f"{CWD}/in.csv": None, f"{CWD}/final.csv": f"{CWD}/out.csv"}


def test_others_are_not_concerned() -> None:
    found = told(program(1), mounts(2), program(2, parent=1), access(b"/w/x.csv", READ, 4, 1, instance=1))
    assert [one["path"] for one in found["access"]] == ["/w/x.csv"]


def test_mounts_that_say_nothing() -> None:
    found = told(mounts(1, b"\xff 1 2\n"), program(1), access(b"/data/x.csv", READ, 4, 1))
    assert "access" not in found and found["program"][0]["path"] == "image:/usr/bin/app"


def test_many_views_are_bounded() -> None:
    many = b"".join(mounts(number, INSIDE + b"%d" % number) + program(number) for number in range(1, 3000))
    assert told(many)["program"]

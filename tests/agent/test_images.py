"""Which images ran: read once, then known by a look at the file's times; honest about what could not be had."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent import image_cache, image_child, images
from hpcprov.agent.journal import Journal
from hpcprov.capture.container import oci
from hpcprov.capture.container.image import describe
from hpcprov.record import frame
from hpcprov.record.errors import UnreadableData

OLD = time.time() - 100
NOW = time.time_ns()
HOUR = 3600 * 10**9


def an_image(path: Path, content: bytes = b"hsqs" + bytes(1000)) -> dict[str, Any]:
    """A squashfs image, as far as anybody looks at one, and the container that it makes."""
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))
    return {"runtime": "ch-run", "how": "argv", "image": path.name} | describe(str(path))


def events(*containers: dict[str, Any], node: str = "n1", time: int = 5) -> list[dict[str, Any]]:
    return [
        {"event": "start", "time": NOW, "argv": ["ch-run", "x"]},
        {
            "event": "fact",
            "kind": "container",
            "time": NOW + time,
            "node": node,
            "value": {"containers": list(containers)},
        },
    ]


def found(told: list[dict[str, Any]], cache: Path, *, reason: str | None = None, seconds: float = 60) -> list[Any]:
    return images.found(images.images_of(told), str(cache), reason=reason, seconds=seconds)


def settled(path: Path) -> None:
    """Wait until a file is old enough for its times to tell of any change."""
    while time.time_ns() - os.stat(path).st_ctime_ns < 2_100_000_000:
        time.sleep(0.1)


#: Prints which of two files the process opened.
SPY = """
import json, sys
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from hpcprov.agent import images
told, cache = json.loads(sys.argv[1]), sys.argv[2]
print(json.dumps([images.found(images.images_of(told), cache, reason=None, seconds=60), opened]))
"""


def test_the_second_time_nothing_is_read(tmp_path: Path) -> None:
    told = events(an_image(tmp_path / "x.sqfs"))
    settled(tmp_path / "x.sqfs")
    (first,) = found(told, tmp_path / "cache")
    assert first["how"] == "full" and first["identity"]["digest"] == first["storage"]["digest"]
    command = [sys.executable, "-c", SPY, json.dumps(told), str(tmp_path / "cache")]
    answer, opened = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert answer == [first | {"how": "cached"}]
    assert not [path for path in opened if path.startswith(str(tmp_path / "x.sqfs"))]
    assert [path for path in opened if path.startswith(str(tmp_path / "cache"))]


def test_a_young_file_is_read_again(tmp_path: Path) -> None:
    """However long this takes: its time is ahead of now, and the run's further ahead."""
    container = an_image(tmp_path / "x.sqfs")
    os.utime(tmp_path / "x.sqfs", ns=(NOW + HOUR, NOW + HOUR))
    told = events(container | describe(str(tmp_path / "x.sqfs")), time=2 * HOUR)[1:]
    assert [found(told, tmp_path / "cache")[0]["how"] for _ in range(2)] == ["full", "full"]


def test_an_image_that_was_changed(tmp_path: Path) -> None:
    told = events(an_image(tmp_path / "x.sqfs"))
    an_image(tmp_path / "x.sqfs", b"hsqs" + bytes(1001))
    (fact,) = found(told, tmp_path / "cache")
    assert fact["identity"] is None and fact["reason"] == image_child.CHANGED_SINCE


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_image_that_is_newer_than_its_run(tmp_path: Path, kind: str) -> None:
    """Its state was looked at after the change: only the times tell."""
    image = tmp_path / "image"
    if kind == "folder":
        image.mkdir()
    (image / "a" if kind == "folder" else image).write_text("a")
    container = {"runtime": "ch-run", "how": "argv", "image": "image"} | describe(str(image))
    now = time.time_ns()
    for began, reason in ((now + 10**9, None), (now - 10**9, image_child.CHANGED_SINCE)):
        (fact,) = found(events(container, time=began - NOW)[1:], tmp_path / "cache")
        assert fact.get("reason") == reason


def test_clocks_are_compared_where_that_can_be(tmp_path: Path) -> None:
    assert image_cache.clock_ahead(str(tmp_path), os.stat(tmp_path).st_dev) == 0
    assert image_cache.clock_ahead(str(tmp_path), os.stat("/proc").st_dev) is None
    assert image_cache.clock_ahead("/proc/nowhere", 1) is None and image_cache.clock_ahead(None, 1) is None
    assert os.listdir(tmp_path) == []


def test_a_folder_with_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_child, "MOST_ENTRIES", 3)
    for name in "abcd":
        (tmp_path / name).write_text("a")
    fact = image_child.identified({"path": str(tmp_path)}, None, None)
    assert fact == {"identity": None, "reason": "a directory with more than 3 entries"}


def test_time_that_is_too_short(tmp_path: Path) -> None:
    container = an_image(tmp_path / "x.sqfs")
    with open(tmp_path / "x.sqfs", "r+b") as file:
        file.truncate(50 << 30)
    os.utime(tmp_path / "x.sqfs", (OLD, OLD))
    told = events(container | describe(str(tmp_path / "x.sqfs")))
    began = time.monotonic()
    (fact,) = found(told, tmp_path / "cache", seconds=1)
    assert fact["identity"] is None and fact["reason"] == "time" and time.monotonic() - began < 100
    assert found(told, tmp_path / "cache", seconds=-1)[0]["reason"] == "time"


def test_hashing_that_was_put_off(tmp_path: Path) -> None:
    (fact,) = found(events(an_image(tmp_path / "x.sqfs")), tmp_path / "cache", reason="later: x")
    assert fact == {"image": "x.sqfs", "path": str(tmp_path / "x.sqfs"), "identity": None, "reason": "later: x"}
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/nowhere/x.sqfs", "its file cannot be seen from here: No such file or directory"), (None, images.NOT_A_PATH)],
)
def test_images_out_of_reach(tmp_path: Path, path: str | None, reason: str) -> None:
    container = {"runtime": "shifter", "how": "inside", "image": "x"} | (describe(path) if path else {})
    assert found(events(container), tmp_path)[0]["reason"] == reason


@pytest.mark.parametrize("content", [b"x" * 32 + b"SIF_MAGIC\0" + b"01\0", b"x" * 32 + b"SIF_MAGIC\0" + b"\xff" * 200])
def test_a_damaged_image_says_why(tmp_path: Path, content: bytes) -> None:
    (fact,) = found(events(an_image(tmp_path / "x.sif", content)), tmp_path / "cache")
    assert fact["identity"] is None and "SIF" in fact["reason"] and fact["storage"]["digest"]


def test_an_archive_that_wants_all_memory(tmp_path: Path) -> None:
    """A header that says that 2 GiB of names follow."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 2 << 30
    container = an_image(tmp_path / "x.tar", member.tobuf(format=tarfile.USTAR_FORMAT))
    with open(tmp_path / "x.tar", "r+b") as file:
        file.truncate(2 << 30)
    os.utime(tmp_path / "x.tar", (OLD, OLD))
    told = events(container | describe(str(tmp_path / "x.tar")) | {"image": "oci-archive:x.tar"})
    (fact,) = found(told, tmp_path / "cache", seconds=20)
    assert fact["identity"] is None and "2147483648 bytes" in fact["reason"]
    # `hpcprov image show` reads in its own process.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableData, match="2147483648 bytes"):
        oci.identity(str(tmp_path / "x.tar"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 19


def test_nodes_that_saw_different_files(tmp_path: Path) -> None:
    one = an_image(tmp_path / "x.sqfs")
    told = events(one) + events(one | {"size": 3}, node="n2")[1:] + events(one, node="n3")[1:]
    (fact,) = found(told, tmp_path / "cache")
    assert fact["identity"] and fact["other_on"] == ["n2"]


def test_nodes_number_devices_and_keep_copies_each_in_its_own_way(tmp_path: Path) -> None:
    one = an_image(tmp_path / "x.sqfs")
    assert found(events(one | {"device": 99}), tmp_path / "cache")[0]["identity"]
    told = events(one | {"inode": 99}, node="n0") + events(one, node="n1")[1:]
    assert [images.images_of(told, node=name)[0]["state"]["inode"] for name in ("n0", "n1", None)] == [
        99,
        one["inode"],
        99,
    ]
    journal = Journal(str(tmp_path / "log"), "n1")
    images.tell(str(tmp_path / "c"), told, journal=journal, reason=None, seconds=60)
    (event,) = frame.scan((tmp_path / "log").read_bytes())
    assert event["value"]["images"][0]["identity"]


def test_an_image_that_this_node_does_not_have(tmp_path: Path) -> None:
    one = an_image(tmp_path / "x.sqfs")
    (tmp_path / "x.sqfs").unlink()
    (fact,) = found(events(one), tmp_path / "cache")
    assert fact["reason"] == images.NOT_SEEN.format("No such file or directory")


def test_the_latest_fact_of_a_node_counts(tmp_path: Path) -> None:
    one = an_image(tmp_path / "x.sqfs")
    assert len(images.images_of(events(one | {"path": "/old"}, time=2) + events(one, time=9))) == 1
    assert images.images_of(events(one | {"path": "/old"}, time=9) + events(one, time=2))[0]["path"] == "/old"


@pytest.mark.parametrize("value", [None, 3, [], {}, {"containers": 3}, {"containers": [3, {}, {"image": 3}]}])
def test_facts_of_any_shape(value: Any) -> None:
    told = [
        {"event": "fact", "kind": "container", "time": 5, "node": "n", "value": value},
        {"event": "x", "time": None},
    ]
    assert images.images_of(told) == []


def test_many_images_are_bounded() -> None:
    many = [{"runtime": "shifter", "image": f"x{k}"} for k in range(100)]
    assert len(images.images_of(events(*many))) == images.MOST


def test_strange_names_and_long_labels(tmp_path: Path) -> None:
    name = os.fsdecode(b"a \xff\n'$(x)")
    told = [an_image(tmp_path / f"{name}{k}") | {"labels": {"x": "y" * 100_000}} for k in range(images.MOST)]
    facts = found(events(*told), tmp_path / "cache")
    assert len(facts) == images.MOST and all(fact["identity"] for fact in facts)


def test_the_fact(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "log"), "n1")
    images.tell(str(tmp_path / "c"), [{"event": "start", "time": 1}], journal=journal, reason=None, seconds=9)
    assert (tmp_path / "log").read_bytes() == b""
    told = events(an_image(tmp_path / "x.sqfs"))
    images.tell(str(tmp_path / "c"), told, journal=journal, reason=None, seconds=60)
    (event,) = frame.scan((tmp_path / "log").read_bytes())
    assert event["kind"] == "image" and event["value"]["images"][0]["format"] == "squashfs"

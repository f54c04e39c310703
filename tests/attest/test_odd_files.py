"""What lies where an attestation should: links, pipes, directories, hostile files. Nothing hangs or is followed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from attest.conftest import Call, Key
from hpcprov.attest import beside, intact
from hpcprov.attest.envelope import Envelope
from hpcprov.commands import verify_record
from hpcprov.record.layout import Store


def as_link(path: str) -> None:
    os.symlink("/etc/passwd", path)


def as_pipe(path: str) -> None:
    os.mkfifo(path)


def as_directory(path: str) -> None:
    os.mkdir(path)


def as_nothing(path: str) -> None:
    Path(path).touch()


def as_nested(path: str) -> None:
    Path(path).write_bytes(b"[" * 1_000_000)


def as_text(path: str) -> None:
    Path(path).write_bytes(b"\x1b]0;owned\x07\xff\x00")


def as_statement_of_anything(path: str) -> None:
    for payload in (b"", b"[]", b'{"predicate":{"buildDefinition":{"internalParameters":{"revision":1e999}}}}'):
        Path(path).write_bytes(Envelope(payload, [("\x1b[31m", "x")]).encoded())


@pytest.mark.parametrize(
    "put",
    [as_link, as_pipe, as_directory, as_nothing, as_nested, as_text, as_statement_of_anything],
    ids=lambda put: put.__name__,
)
def test_it_is_no_attestation(
    call: Call, store: Store, place: str, keys: dict[str, Key], signers: Path, put: object
) -> None:
    put(os.path.join(place, "record.sig"))  # type: ignore[operator]
    verdict = verify_record.check(store, place, allowed=str(signers))
    assert verdict["status"] == "NOT ATTESTED" and "Errno" not in json.dumps(verdict)
    status, out, _ = call("show", "r1")
    assert status == 0 and "attested   " in out and "\x1b" not in out and "passwd" not in out
    status, _, err = call("attest", "r1", "--key", str(keys["ada"].path))
    if put is as_directory:
        assert status == 2 and "Is a directory" in err
    else:
        assert status == 0 and verify_record.check(store, place, allowed=str(signers))["status"] == "OK"
    assert not os.path.exists("/etc/passwd.1") and Path("/etc/passwd").read_bytes()[:5] == b"root:"


def test_a_record_in_another_place(store: Store, place: str) -> None:
    other = os.path.join(os.path.dirname(place), "r7")
    os.rename(place, other)
    assert intact.problems(other, *intact.read(other)) == ["this is the record of 'r1', in the place of 'r7'"]


def test_other_spellings_of_a_record(store: Store, place: str) -> None:
    path = Path(place, "record.json")
    record, data = intact.read(place)
    for text in (json.dumps(record), json.dumps(record, indent=1), data.decode()[:-1], data.decode() + " "):
        path.write_text(text)
        (said,) = intact.problems(place, *intact.read(place))
        assert said == "record.json says what was sealed, in other bytes: it was written anew"
    path.write_bytes(b'{"revision":9,' + data[1:])
    assert "in other bytes" in intact.problems(place, *intact.read(place))[0]


def test_what_has_no_canonical_form_is_folded_otherwise(place: str) -> None:
    record, _ = intact.read(place)
    for value in (float("inf"), nested(5000)):
        assert intact.folded_otherwise(place, record | {"facts": {"x": value}}) == ["facts"]


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def test_large_logs_are_not_read_unless_somebody_asks(store: Store, place: str) -> None:
    with open(os.path.join(place, "n1.100-4999000.0.log"), "r+b") as file:
        file.write(b"x")
    record, data = intact.read(place)
    assert intact.problems(place, record, data, most=10) == []
    assert intact.problems(place, record, data) == ["log n1.100-4999000.0.log has changed"]


def test_hostile_text_of_signatures(place: str, signers: Path) -> None:
    whole = Envelope(b"{}", [("SHA256:x", "-----BEGIN SSH SIGNATURE-----\n\x1b[31m\n-----END SSH SIGNATURE-----\n")])
    names, wrong, unknown = beside.signers(whole, str(signers))
    assert (names, unknown) == ([], []) and wrong == ["its signature is not one of SSH"]

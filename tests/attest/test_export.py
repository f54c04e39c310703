"""`hpcprov export --to in-toto` and `--to dsse`."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path

from attest.conftest import Call, Key
from attest.test_statement import accepted
from hpcprov.attest import intact
from hpcprov.attest.statement import encoded


def test_the_statement(call: Call, place: str) -> None:
    status, out, err = call("export", "r1", "--to", "in-toto")
    assert (status, err) == (0, "") and out.encode() == encoded(*intact.read(place)) + b"\n"
    accepted(out.encode())


def test_the_envelope(call: Call, place: str, keys: dict[str, Key]) -> None:
    status, out, err = call("export", "r1", "--to", "dsse")
    assert (status, out) == (2, "") and "r1 is not attested" in err and "hpcprov attest r1" in err
    call("attest", "r1", "--key", str(keys["ada"].path))
    status, out, _ = call("export", "r1", "--to", "dsse")
    assert status == 0 and out == Path(place, "record.sig").read_text()
    accepted(b64decode(json.loads(out)["payload"]))
    os.rename(os.path.join(place, "record.sig"), os.path.join(place, "record.5.sig"))
    assert call("export", "r1", "--to", "dsse")[0] == 2

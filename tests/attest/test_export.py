"""`hpcprov export --to in-toto` and `--to dsse`."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path

from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from attest.conftest import Call, Key
from attest.test_statement import accepted
from hpcprov.attest import intact
from hpcprov.attest.statement import encoded
from hpcprov.export.formats import Run
from hpcprov.export.intoto_trace import render

GOLDEN = Path(__file__).parents[1] / "merge/golden"


def test_the_statement(call: Call, place: str) -> None:
    status, out, err = call("export", "r1", "--to", "in-toto")
    assert (status, err) == (0, "") and out.encode() == encoded(*intact.read(place)) + b"\n"
    accepted(out.encode())


def test_the_trace_of_an_observed_run() -> None:
    golden = json.loads((GOLDEN / "observed/record.golden.json").read_text(encoding="utf-8"))
    value = json.loads(render(Run(golden, "/nowhere")))
    found = statement_pb2.Statement()
    json_format.Parse(json.dumps(value), found)
    Statement.copy_from_pb(found).validate()
    log = value["predicate"]["monitorLog"]
    assert [one["processBinary"] for one in log["process"]] == [
        one["path"] for one in golden["observation"]["programs"]
    ]
    seen = [one for role in ("used", "generated") for one in golden["artifacts"][role] if one["observed"]]
    assert [one["annotations"]["access"] for one in log["fileAccess"]] == [one["observed"]["access"] for one in seen]
    assert seen and all(one.get("digest") or one["uri"].startswith("file:///") for one in log["fileAccess"])
    for path in ("/data/\udcff \n", "\ud800", "x" * 9999):
        for one in seen:
            one |= {"path": path, "storage": None, "signature": None}
        json_format.Parse(render(Run(golden, "/nowhere")), statement_pb2.Statement())


def test_there_is_no_trace_of_what_was_not_observed(call: Call, place: str) -> None:
    status, out, err = call("export", "r1", "--to", "in-toto-trace")
    assert (status, out) == (2, "") and "r1 was not observed" in err and "--to in-toto" in err


def test_the_envelope(call: Call, place: str, keys: dict[str, Key]) -> None:
    status, out, err = call("export", "r1", "--to", "dsse")
    assert (status, out) == (2, "") and "r1 is not attested" in err and "hpcprov attest r1" in err
    call("attest", "r1", "--key", str(keys["ada"].path))
    status, out, _ = call("export", "r1", "--to", "dsse")
    assert status == 0 and out == Path(place, "record.sig").read_text()
    accepted(b64decode(json.loads(out)["payload"]))
    os.rename(os.path.join(place, "record.sig"), os.path.join(place, "record.5.sig"))
    assert call("export", "r1", "--to", "dsse")[0] == 2

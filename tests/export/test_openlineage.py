"""OpenLineage: every event fits the official client's classes; sending survives what a network does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema
import pytest

from hpcprov.export.formats import Run
from hpcprov.export.openlineage import render, run_uuid
from hpcprov.export.post import TOKEN, post
from hpcprov.record.errors import HpcprovError
from tests.export.official import structured
from tests.export.records import a_record


def lines(*records: dict[str, Any]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in render([Run(record, "/nowhere") for record in records]).splitlines()]
    for event in found:
        structured(event)
    return found


def test_a_completed_run_starts_and_completes() -> None:
    start, complete = lines(a_record())
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"] == run_uuid(a_record()["run"]["id"])
    assert start["eventTime"] <= complete["eventTime"]
    assert start["outputs"] == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [("failed", "FAIL"), ("signalled", "FAIL"), ("node lost", "FAIL"), ("timed out", "FAIL"), ("cancelled", "ABORT")],
)
def test_how_a_run_ended(status: str, kind: str) -> None:
    cause = {"text": "rank 3 ended with status 1"}
    event = lines(a_record(status=status, cause=cause))[-1]
    assert event["eventType"] == kind
    assert event["run"]["facets"]["errorMessage"]["message"] == cause["text"]


def test_a_run_that_goes_on_has_only_started() -> None:
    record = a_record(status="running", end=None)
    record.pop("seal", None)
    assert [event["eventType"] for event in lines(record)] == ["START"]


def test_values_in_memory_are_no_files() -> None:
    record = a_record()
    record["artifacts"]["generated"][0]["path"] = "memory:load()#df0065889b4f"
    output = lines(record)[-1]["outputs"][0]
    assert (output["namespace"], output["name"]) == ("memory", "memory:load()#df0065889b4f")


def test_data_is_named_by_its_path_and_its_signature() -> None:
    record = a_record()
    made = record["artifacts"]["generated"][0]
    output = lines(record)[-1]["outputs"][0]
    assert (output["namespace"], output["name"]) == ("file", made["path"])
    assert output["facets"]["version"]["datasetVersion"] == made["signature"]["digest"]
    fields = [field["name"] for field in output["facets"]["schema"]["fields"]]
    assert fields == [field["path"] for field in made["signature"]["fields"]]


def test_a_part_names_its_workflow() -> None:
    alone = {"job": None, "workflow": None, "array": None}
    whole = a_record(id="20260101T000000Z-whole", kind="workflow", name="flood", part_of=alone)
    part = a_record(part_of=alone | {"workflow": "20260101T000000Z-whole"})
    parents = [event["run"]["facets"]["parent"] for event in lines(whole, part) if "parent" in event["run"]["facets"]]
    assert {parent["job"]["name"] for parent in parents} == {"flood"}
    assert {parent["run"]["runId"] for parent in parents} == {run_uuid("20260101T000000Z-whole")}


def test_names_that_are_not_utf8_stay_readable_text() -> None:
    record = a_record(argv=["caf\udce9", "\x1b[31m"], name="a\udcffb")
    event = lines(record)[0]
    assert event["job"]["name"] == "a\\udcffb"
    json.dumps(event, ensure_ascii=False).encode()


def test_what_is_known_of_nothing_gives_no_event() -> None:
    assert lines(a_record(start=None, end=None, last_heard=None)) == []


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = event
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return event


@pytest.mark.parametrize(
    "path",
    [("job",), ("run", "runId"), ("run", "facets", "hpcprov_run", "id"), ("job", "facets", "jobType", "integration")],
    ids=".".join,
)
def test_the_official_classes_refuse_what_lacks_a_member(path: tuple[str, ...]) -> None:
    with pytest.raises((KeyError, TypeError, jsonschema.ValidationError)):
        structured(without(lines(a_record())[0], *path))


class Receiver(ThreadingHTTPServer):
    """A web server on loopback that keeps what it was sent, and answers with each of `answers` in turn, then 201."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[int] = []
        self.taken: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.silent = False
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.silent:
            self.server.over.wait(20)
            return
        status = self.server.answers.pop(0) if self.server.answers else 201
        if status == 201:
            self.server.taken.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def text() -> str:
    return render([Run(a_record(), "/nowhere")])


def test_events_are_sent_in_order_with_the_token(receiver: Receiver) -> None:
    assert post(text(), receiver.url, environ={TOKEN: "s3cret"}) == 2
    assert [event["eventType"] for _, _, event in receiver.taken] == ["START", "COMPLETE"]
    path, headers, event = receiver.taken[0]
    assert path == "/api/v1/lineage"
    assert headers["Authorization"] == "Bearer s3cret"
    structured(event)


def test_a_path_of_its_own_is_kept(receiver: Receiver) -> None:
    post(text(), f"{receiver.url}/gateway/events?team=a", environ={})
    assert receiver.taken[0][0] == "/gateway/events?team=a"
    assert "Authorization" not in receiver.taken[0][1]


def test_a_busy_receiver_is_asked_again(receiver: Receiver) -> None:
    receiver.answers = [503, 429]
    assert post(text(), receiver.url, environ={}) == 2


@pytest.mark.parametrize(("status", "hint"), [(422, "again"), (401, TOKEN)])
def test_a_refusal_says_how_far_it_came(receiver: Receiver, status: int, hint: str) -> None:
    receiver.answers = [201, status]
    with pytest.raises(HpcprovError, match=f"answered {status}.*1 of 2 events") as error:
        post(text(), receiver.url, environ={})
    assert hint in (error.value.hint or "")
    assert len(receiver.taken) == 1


def test_a_receiver_that_never_answers_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.export.post.TRIES", 0)
    receiver.silent = True
    with pytest.raises(HpcprovError, match="0 of 2 events"):
        post(text(), receiver.url, environ={}, timeout=0.2)
    receiver.over.set()


def test_nobody_listens(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.export.post.TRIES", 0)
    with Receiver() as gone:
        url = gone.url
    with pytest.raises(HpcprovError, match="no connection; 0 of 2"):
        post(text(), url, environ={})


@pytest.mark.parametrize("url", ["", "lineage.example.org", "file:///etc/passwd", "http://", "http://[::1", "ftp://a"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(HpcprovError, match="is not an address"):
        post("{}\n", url, environ={})


def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.export.post.TRIES", 0)
    with Receiver() as gone:
        url = gone.url.replace("//", "//ada:hunter2@") + "/x?key=hunter3"
    with pytest.raises(HpcprovError) as error:
        post("{}\n", url, environ={})
    assert "hunter" not in error.value.message

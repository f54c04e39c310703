"""Runs as a document of W3C PROV (https://www.w3.org/TR/prov-dm/): what PROV-JSON, PROV-N and PROV-O are written from.

    document([run]).get_provn()  ->  "document prefix run <urn:hpcprov:run:> ... bundle record:x ..."

    run                          activity run:<id>, in a bundle record:<id> of its own
    who started it, hpcprov      agents; the command line is the plan of the association
    artifact                     entity data:<version> (see versions); with fields also a collection
    field                        entity data:<signature>, a member of every collection that holds these values
    read, written                used, wasGeneratedBy, with the first read and the last write where they were observed
    part of, started again       wasInformedBy; an exec within an exec: wasStartedBy
    step of a Python program     activity run:<id>.step.<number>, which the run started, with what it used and made
    equal values made again      alternateOf

That an output was derived from an input is not said: a run that used one and made the other may have had it from
elsewhere. Names are digests or plain words and so valid in every syntax; paths and commands are attributes.
"""

from __future__ import annotations

from hpcprov.export.steps import steps_of
from hpcprov.export.versions import Versions
from hpcprov.export.wording import local, seconds, told
from hpcprov.record import model
from hpcprov.record.inside import inner, objects
from hpcprov.record.moment import iso
from hpcprov.record.wording import extents, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from prov.model import ProvBundle, ProvDocument

    from hpcprov.export.formats import Run
    from hpcprov.record.model import Record

NAMESPACES = {
    "run": "urn:hpcprov:run:",
    "record": "urn:hpcprov:record:",
    "data": "urn:hpcprov:data:",
    "agent": "urn:hpcprov:agent:",
    "hpcprov": "urn:hpcprov:terms:",
}
SCRIPT = {"script": "path", "sha256": "sha256"}


def document(runs: list[Run]) -> ProvDocument:
    """The document of some runs, in their order. Raises HpcprovError when the library is missing."""
    from hpcprov.export.library import needed

    whole: ProvDocument = needed("prov.model").ProvDocument()
    for prefix, uri in NAMESPACES.items():
        whole.add_namespace(prefix, uri)
    records = list({run.id: run.record for run in runs}.values())
    versions = Versions(records)
    for maker in sorted({_recorder(record) for record in records}):
        whole.agent(maker, _told({"prov:type": "prov:SoftwareAgent", "prov:label": maker.partition(":")[2]}))
    for record in records:
        _describe_bundle(whole, record)
        _fill(whole.bundle(f"record:{local(record['run']['id'])}"), record, versions)
    for version, first in versions.equals:
        whole.alternate(f"data:{version}", f"data:{first}")
    return whole


def _read_at(run: dict[str, Any], artifact: dict[str, Any]) -> str | None:
    """When a run was first seen to open what it used."""
    return _within(run, (artifact.get("observed") or {}).get("first"))


def _made_at(run: dict[str, Any], artifact: dict[str, Any]) -> str | None:
    """When what a run generated was complete: its last change, else when it was last opened to write."""
    mtime = artifact.get("mtime")
    changed = iso(mtime) if type(mtime) is int and 0 <= mtime < 1 << 63 else None
    return _within(run, changed) or _within(run, (artifact.get("observed") or {}).get("last"))


def _within(run: dict[str, Any], moment: str | None) -> str | None:
    """A moment that lies in a run, as PROV-CONSTRAINTS 33 and 34 want: the clocks of files are coarser than others."""
    known, began, ended = seconds(moment), seconds(run["start"]), seconds(run["end"])
    if known is None or (began is not None and known < began) or (ended is not None and known > ended):
        return None
    return known


def _describe_bundle(whole: ProvDocument, record: Record) -> None:
    name, maker = f"record:{local(record['run']['id'])}", _recorder(record)
    seal = record.get("seal", {}).get("record")
    facts = {"prov:type": "prov:Bundle", "hpcprov:revision": record["revision"], "hpcprov:seal": seal}
    whole.entity(name, _told(facts))
    whole.wasAttributedTo(name, maker)


def _fill(bundle: ProvBundle, record: Record, versions: Versions) -> None:
    run = record["run"]
    name = f"run:{local(run['id'])}"
    bundle.activity(name, seconds(run["start"]), seconds(run["end"]), _told(activity(record)))
    _associate(bundle, name, record)
    made: set[str] = set()
    for role in ("used", "generated"):
        for number, artifact in enumerate(record["artifacts"][role]):
            version = f"data:{versions.name(record, role, artifact)}"
            _describe(bundle, version, artifact)
            if role == "used":
                bundle.used(name, version, _read_at(run, artifact), f"{name}.used.{number}")
            elif version not in made:  # PROV-CONSTRAINTS 24: an activity generates an entity once
                made.add(version)
                bundle.wasGeneratedBy(version, name, _made_at(run, artifact), f"{name}.generated.{number}")
    for image, facts in images(record):
        bundle.entity(f"data:{image}", _told(facts))
        bundle.used(name, f"data:{image}", None, f"{name}.{image}")
    _join(bundle, name, record)
    _add_steps(bundle, name, record, versions)


def activity(record: Record) -> dict[str, Any]:
    """The attributes of a run: name, and None or text or a number, or a list of these."""
    run = record["run"]
    return {
        "prov:type": f"hpcprov:{run['kind']}",
        "prov:label": run["name"] or (words(run["argv"]) if run["argv"] else run["id"]),
        "hpcprov:status": run["status"],
        "hpcprov:cause": run["cause"] and run["cause"]["text"],
        "hpcprov:command": run["argv"] and words(run["argv"]),
        "hpcprov:directory": run["cwd"],
        "hpcprov:note": run["note"],
        "hpcprov:tag": [f"{key}={value}" for key, value in sorted(run["tags"].items())],
        "hpcprov:ranks": record["ranks"]["count"],
        "hpcprov:node": sorted({node["node"] for node in record["nodes"]}),
        "hpcprov:job": model.job_id(record),
    }


def images(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """The container images that a run used, by name, with their attributes."""
    told_once = set()
    found = [one for _, entry in model.facts(record, "image") for one in objects(entry, "value", "images")]
    for image in found:
        digest = inner(image, "identity", "digest") or inner(image, "storage", "digest")
        name = local(str(digest or image.get("image")).replace(":", "-", 1))
        if name not in told_once:
            told_once.add(name)
            facts = {"prov:label": image.get("image"), "prov:atLocation": image.get("path"), "hpcprov:digest": digest}
            yield name, {"prov:type": "hpcprov:image", "hpcprov:format": image.get("format")} | facts


def _add_steps(bundle: ProvBundle, run: str, record: Record, versions: Versions) -> None:
    """Steps of a Python program: activities that their run, or the step around them, started."""
    for step in steps_of(record):
        name, began = f"{run}.step.{step.number}", seconds(step.facts["began"])
        members = ("function", "code", "status", "error", "count")
        kind = {"prov:type": "hpcprov:step", "prov:label": step.facts["name"]}
        facts = {f"hpcprov:{member}": step.facts.get(member) for member in members}
        bundle.activity(name, began, seconds(step.facts["ended"]), _told(kind | facts))
        around = run if step.around is None else f"{run}.step.{step.around}"
        bundle.wasStartedBy(name, None, around, began)
        for role, artifact in step.data("generated"):
            bundle.wasGeneratedBy(f"data:{versions.name(record, role, artifact)}", name)
        for role, artifact in step.data("used"):
            bundle.used(name, f"data:{versions.name(record, role, artifact)}")


def _associate(bundle: ProvBundle, name: str, record: Record) -> None:
    user, maker, plan = record["run"]["user"], _recorder(record), f"{name}.plan"
    who = user["name"] or (f"uid {user['uid']}" if user["uid"] is not None else None)
    if record["run"]["argv"]:
        code = model.fact(record, "code")
        facts = {
            "prov:value": words(record["run"]["argv"]),
            "hpcprov:commit": inner(code, "directory", "git", "commit"),
        }
        facts |= {f"hpcprov:{key}": inner(code, "script", member) for key, member in SCRIPT.items()}
        bundle.entity(plan, _told({"prov:type": "prov:Plan"} | facts))
    if who is not None:
        person = f"agent:{local(f'user-{who}')}"
        bundle.agent(person, _told({"prov:type": "prov:Person", "prov:label": who, "hpcprov:uid": user["uid"]}))
        bundle.wasAssociatedWith(name, person, plan if record["run"]["argv"] else None, f"{name}.user")
    bundle.agent(maker, _told({"prov:type": "prov:SoftwareAgent"}))
    bundle.wasAssociatedWith(name, maker, None, f"{name}.recorder", _told({"prov:role": "recorder"}))


def _recorder(record: Record) -> str:
    return f"agent:{local('hpcprov-' + str(record['run'].get('hpcprov') or 'unknown'))}"


def _describe(bundle: ProvBundle, version: str, artifact: dict[str, Any]) -> None:
    signature = artifact["signature"]
    fields = signature["fields"] if signature else []
    facts = {member: artifact.get(member) for member in ("format", "size", "files", "state", "reason")}
    facts |= {"signature": signature and signature["digest"]}
    facts |= {"storage": artifact["storage"] and artifact["storage"]["digest"]}
    attributes = {f"hpcprov:{key}": value for key, value in facts.items()}
    kind = "prov:Collection" if fields else None
    label = artifact["path"].rpartition("/")[2]
    place = {"prov:type": kind, "prov:label": label, "prov:atLocation": artifact["path"]}
    bundle.entity(version, _told(place | attributes))
    for field in fields:
        member = f"data:{local(field['signature'].replace(':', '-', 1))}"
        if member != version:
            known = {"hpcprov:field": field["path"], "hpcprov:dtype": field["type"], "hpcprov:shape": _shape(field)}
            bundle.entity(
                member, _told({"prov:type": "hpcprov:field", "hpcprov:signature": field["signature"]} | known)
            )
            bundle.hadMember(version, member)


def _shape(field: dict[str, Any]) -> str | None:
    return None if field["shape"] is None else extents(field["shape"])


def _join(bundle: ProvBundle, name: str, record: Record) -> None:
    run = record["run"]
    for other in (run["part_of"]["job"], run["part_of"]["workflow"], run["previous"], _again(run)):
        if other is not None:
            bundle.wasInformedBy(name, f"run:{local(other)}")
    if run["parent"]:
        bundle.wasStartedBy(name, None, f"run:{local(run['parent']['run'])}", seconds(run["start"]))


def _again(run: dict[str, Any]) -> str | None:
    """The run that this one repeats."""
    known = run.get("rerun_of")
    return known if type(known) is str else None


def _told(attributes: dict[str, Any]) -> list[tuple[str, Any]]:
    """Attributes as the library takes them: those that are known, text made printable."""
    pairs = [(key, one) for key, value in attributes.items() for one in (value if type(value) is list else [value])]
    return [(key, _kind(one) if key == "prov:type" else _value(one)) for key, one in pairs if one is not None]


def _kind(name: str) -> Any:
    """A type is a name in a namespace, not a text."""
    from prov.model import PROV, Namespace

    prefix, _, rest = name.partition(":")
    return (PROV if prefix == "prov" else Namespace(prefix, NAMESPACES[prefix]))[local(rest)]


def _value(value: Any) -> Any:
    return value if type(value) is int and abs(value) < 1 << 63 else told(value)

"""`hpcprov image` on hand-made images, in a store with runs. With Apptainer: tests/cluster/test_image.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from image import build
from merge.build import Launch

from hpcprov.capture.container import sif, sif_content
from hpcprov.record import model
from hpcprov.record.layout import Store

from .conftest import Call, publish

PRIMARY = build.sha(b"squash" * 1000)


@pytest.fixture
def image(tmp_path: Path) -> str:
    things = build.plain({"org.label-schema.usage.apptainer.version": "1.4.5", "evil\x1b[31m": "\u202e"})
    return build.written(tmp_path, build.image([*things, build.signature(things)]))


@pytest.fixture
def plain(tmp_path: Path) -> str:
    return build.written(tmp_path, build.image(build.plain()), "plain.sif")


def labels_of(path: str) -> Any:
    with sif.opened(path) as image:
        return sif_content.labels(image)["labels"]


def fact(images: Any) -> Launch:
    return Launch().start().exit().agent().fact("image", {"images": images})


def test_show(call: Call, image: str) -> None:
    status, out, err = call("image", "show", image)
    assert status == 0 and err == ""
    for text in (PRIMARY, "with apptainer 1.4.5 from docker debian:12", "objects 1, 2, 3 as signed", "From: debian:12"):
        assert text in out
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[31m" in out


def test_show_says_what_was_changed_since_it_was_signed(call: Call, image: str) -> None:
    data = bytearray(Path(image).read_bytes())
    data[32768 + 50] ^= 1
    Path(image).write_bytes(data)
    assert "object 3 CHANGED since" in call("image", "show", image)[1]


def test_show_as_json(call: Call, image: str) -> None:
    status, out, _ = call("image", "show", image, "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["identity"] == {"digest": PRIMARY, "of": "primary partition", "others": []}
    assert facts["built"]["from"] == "debian:12" and facts["definition"] == build.DEFINITION_TEXT.decode()
    assert facts["signatures"][0]["objects"] == [1, 2, 3] and len(facts["objects"]) == 4


def test_show_of_an_image_without_a_root(call: Call, tmp_path: Path) -> None:
    path = build.written(tmp_path, build.image([build.partition(b"x", build.DATA)]))
    out = call("image", "show", path)[1]
    assert "has no primary partition" in out and "the image keeps none" in out


def test_show_of_a_folder(call: Call, tmp_path: Path) -> None:
    own = tmp_path / "sandbox" / ".singularity.d"
    own.mkdir(parents=True)
    (own / "labels.json").write_text('{"maker": "Ada\\u001b[31m"}')
    out = call("image", "show", "sandbox")[1]
    assert "directory" in out and "blake3:" in out and "maker: Ada\\x1b[31m" in out
    facts = json.loads(call("image", "show", "sandbox", "--json")[1])
    assert facts["identity"]["of"] == "directory tree" and facts["path"] == "sandbox"


@pytest.mark.parametrize(
    "words", [["show", "none.sif"], ["show", "/etc/passwd"], ["show", "/dev/null"], ["used-by", "none.sif"]]
)
def test_what_is_no_image(call: Call, words: list[str]) -> None:
    status, out, err = call("image", *words)
    assert status == 2 and out == "" and words[1] in err


@pytest.mark.parametrize(
    "words",
    [
        [], ["label"], ["label", "plain.sif"], ["label", "plain.sif", "--label", "a"], ["label", "--label", "a=b"],
        ["label", "plain.sif", "--label", "a=b", "--group", "0"],
        ["label", "plain.sif", "--label", "a=b", "--key", "k"],
        ["label", "plain.sif", "--label", "a=b", "--group", "x"], ["label", "plain.sif", "--from-run", "none"],
        ["label", "plain.sif", "--from-git"], ["label", "plain.sif", "--label", "a=b", "--output", "plain.sif"],
        ["label", "--def", "none.def", "--label", "a=b"], ["nothing"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_refusals(call: Call, plain: str, words: list[str]) -> None:
    before = Path(plain).read_bytes()
    status, out, err = call("image", *words)
    assert status == 2 and out == "" and err.startswith("hpcprov image: ")
    assert Path(plain).read_bytes() == before


def test_label_from_everything(call: Call, plain: str, store: Store, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    publish(store, "build-1", Launch().start(argv=["apptainer", "build", "plain.sif", "x.def"]).exit())
    status, _, err = call("image", "label", plain, "--from-git", "--from-run", "build-1", "--label", "a=override")
    assert (status, err) == (0, "")
    found = labels_of(plain)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert found["org.opencontainers.image.revision"] == head
    assert found["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert found["io.hpcprov.run"] == "build-1" and found["io.hpcprov.record"].startswith("sha256:")
    assert found["io.hpcprov.command"] == "apptainer build plain.sif x.def" and found["a"] == "override"
    assert call("image", "label", plain, "--label", "a=override")[1].strip().endswith("has these labels already")


def test_a_run_that_used_an_image_did_not_build_it(call: Call, plain: str, store: Store) -> None:
    used = [{"path": plain, "identity": {"digest": PRIMARY, "of": "x"}}]
    publish(store, "user", fact(used))
    tested = {"role": "generated", "path": plain, "state": "missing"}
    publish(store, "builder", fact(used).add("artifact", 1, **tested))
    before = Path(plain).read_bytes()
    status, _, err = call("image", "label", plain, "--from-run", "user")
    assert status == 2 and "the run user used" in err and "did not build it" in err
    assert Path(plain).read_bytes() == before
    assert call("image", "label", plain, "--from-run", "builder")[0] == 0
    assert labels_of(plain)["io.hpcprov.run"] == "builder"


def test_label_definition_and_image(call: Call, plain: str, tmp_path: Path) -> None:
    definition = tmp_path / "x.def"
    definition.write_bytes(build.DEFINITION_TEXT + b"%post\n  printf '\xff'\n")
    status, out, _ = call("image", "label", plain, "--def", str(definition), "--label", "a=b c")
    assert status == 0 and len(out.splitlines()) == 2
    assert labels_of(plain) == {"a": "b c"}
    assert definition.read_bytes() == build.DEFINITION_TEXT + b"%post\n  printf '\xff'\n\n%labels\n    a b c\n"


def test_a_signed_image_is_refused_with_two_ways_out(call: Call, image: str) -> None:
    before = Path(image).read_bytes()
    status, _, err = call("image", "label", image, "--label", "a=b")
    assert status == 2 and "--resign" in err and "--group 2" in err and Path(image).read_bytes() == before
    status, _, err = call("image", "label", image, "--label", "a=b", "--group", "2")
    assert status == 0 and "apptainer sign --group-id 2" in err
    assert labels_of(image)["a"] == "b"
    assert "objects 1, 2, 3 as signed" in call("image", "show", image)[1]


def test_resign_without_apptainer(call: Call, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    before = Path(image).read_bytes()
    status, _, err = call("image", "label", image, "--label", "a=b", "--resign")
    assert status == 2 and "needs Apptainer or Singularity" in err
    assert Path(image).read_bytes() == before and not list(Path(image).parent.glob(".hpcprov-label*"))


def test_resign_of_an_image_that_is_not_signed(call: Call, plain: str) -> None:
    status, _, err = call("image", "label", plain, "--label", "a=b", "--resign")
    assert status == 0 and "had nothing to do" in err


def test_used_by(call: Call, plain: str, store: Store) -> None:
    publish(store, "same", fact([{"path": "/elsewhere/y.sif", "identity": {"digest": PRIMARY, "of": "x"}}]))
    publish(store, "other", fact([{"path": "/z.sif", "identity": {"digest": "sha256:" + "0" * 64, "of": "x"}}]))
    publish(store, "unknown", fact([{"path": plain, "identity": None, "reason": "time"}]))
    others = [{"digest": "sha256:" + "1" * 64, "of": "overlay partition", "id": 4}]
    publish(store, "overlay", fact([{"path": plain, "identity": {"digest": PRIMARY, "of": "x", "others": others}}]))
    status, out, err = call("image", "used-by", plain)
    assert status == 0
    assert {line.split()[0] for line in out.splitlines()[1:]} == {"same", "overlay"}
    assert "overlay or data partitions in the image: overlay" in err and "not found out: unknown" in err
    for asked in (plain, PRIMARY):
        found = json.loads(call("image", "used-by", asked, "--json")[1])
        assert {run["id"]: run["image"]["path"] for run in found} == {"same": "/elsewhere/y.sif", "overlay": plain}


def test_used_by_reads_no_record_that_is_indexed(
    call: Call, plain: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, "same", fact([{"path": "/elsewhere/y.sif", "identity": {"digest": PRIMARY, "of": "x"}}]))
    publish(store, "unknown", fact([{"path": plain, "identity": None}, {"path": "/a", "identity": {"digest": 5}}]))
    first = call("image", "used-by", plain)
    monkeypatch.setattr(model, "parse", None)
    assert call("image", "used-by", plain) == first and "same" in first[1] and "unknown" in first[2]


def test_used_by_nobody(call: Call, plain: str) -> None:
    assert call("image", "used-by", plain)[:2] == (0, "no runs\n")


@pytest.mark.parametrize(
    "value",
    [None, 1, [], {}, {"images": None}, {"images": [1, None, {}]}, {"images": [{"identity": 3, "path": 5}]},
     {"images": {"digest": PRIMARY}}, {"images": [{"identity": {"digest": [PRIMARY]}}]}],
    ids=range(9),
)  # fmt: skip
def test_facts_of_others_are_not_believed(call: Call, store: Store, value: Any) -> None:
    publish(store, "a", fact([]))
    publish(store, "b", Launch().start().exit().agent().fact("image", value))
    status, out, err = call("image", "used-by", PRIMARY)
    assert (status, out, err) == (0, "no runs\n", "")

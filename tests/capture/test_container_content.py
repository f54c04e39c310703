"""What is in an image: OCI layouts and archives, formats, what runtimes answer; damaged and hostile ones."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture import machines
from hpcprov.capture.container import asking, content, inner, oci, reference, seen
from hpcprov.record.errors import HpcprovError, UnreadableData

CONFIG = json.dumps({"config": {"Labels": {"version": "1.2"}}}).encode()


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def blob_name(raw: bytes) -> str:
    return f"blobs/sha256/{digest(raw)[7:]}"


def layout(*tags: str | None, config: bytes = CONFIG) -> dict[str, bytes]:
    """The files of an OCI image layout with one image under each of these names."""
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest(config)}, "layers": []}).encode()
    entries = [
        {"digest": digest(manifest)} | ({"annotations": {oci.REF_NAME: tag}} if tag is not None else {}) for tag in tags
    ]
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"manifests": entries}).encode(),
        blob_name(manifest): manifest,
        blob_name(config): config,
    }


def archive(path: Path, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as tar:
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return str(path)


def folder(path: Path, files: dict[str, bytes]) -> str:
    for name, raw in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    return str(path)


@pytest.mark.parametrize("make", [archive, folder])
def test_a_layout(tmp_path: Path, make: Any) -> None:
    found = oci.identity(make(tmp_path / "image", layout(None)))
    assert found["of"] == "OCI manifest" and found["config"] == digest(CONFIG)
    assert found["labels"] == {"version": "1.2"}
    whole = content.content(str(tmp_path / "image"), None, None)
    assert whole["identity"] == {key: found[key] for key in ("digest", "of", "config")}


@pytest.mark.parametrize(
    ("tags", "tag", "works"),
    [
        (("a", "b"), "b", True),
        (("a", "b"), None, False),
        (("a", "b"), "c", False),
        (("a",), "c", True),
        ((), None, False),
    ],
)
def test_which_image_of_several(tmp_path: Path, tags: tuple[str, ...], tag: str | None, works: bool) -> None:
    path = archive(tmp_path / "x.tar", layout(*tags))
    if works:
        assert oci.identity(path, tag)["config"] == digest(CONFIG)
    else:
        with pytest.raises(UnreadableData, match="does not say which"):
            oci.identity(path, tag)


def test_an_index_of_platforms(tmp_path: Path) -> None:
    inner_index = json.dumps({"manifests": []}).encode()
    index = json.dumps({"manifests": [{"digest": digest(inner_index), "mediaType": oci.INDEXES[0]}]}).encode()
    path = folder(tmp_path, {"index.json": index, "oci-layout": b"{}", blob_name(inner_index): inner_index})
    assert oci.identity(path) == {"digest": digest(inner_index), "of": "OCI index"}


def test_an_archive_of_docker_save(tmp_path: Path) -> None:
    files = {"abc.json": CONFIG, "manifest.json": json.dumps([{"Config": "abc.json", "RepoTags": ["x:1"]}]).encode()}
    found = oci.identity(archive(tmp_path / "x.tar", files))
    assert found["digest"] == found["config"] == digest(CONFIG) and found["of"] == "OCI configuration"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"index.json": b"[]"},
        {"index.json": b"{"},
        {"index.json": b'{"manifests": 3}'},
        {"index.json": b'{"manifests": [{"digest": 3}]}'},
        {"index.json": b'{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}'},
        {"index.json": b'{"manifests": [{"digest": "sha256:' + b"0" * 64 + b'"}]}'},
        {"index.json": b"[" * 100_000},
        {"manifest.json": b"{}"},
        {"manifest.json": b'[{"Config": "../../etc/passwd"}]'},
        {"manifest.json": b'[{"Config": 3}]'},
        layout(None) | {blob_name(CONFIG): b"something else"},
        {"index.json": b" " * (oci.DOCUMENT_LIMIT + 1)},
    ],
)
@pytest.mark.parametrize("make", [archive, folder])
def test_damaged_archives_are_errors_that_say_why(tmp_path: Path, make: Any, files: dict[str, bytes]) -> None:
    (tmp_path / "folder").mkdir()
    path = make(tmp_path / ("folder" if make is folder else "x.tar"), files)
    with pytest.raises((HpcprovError, OSError)) as caught:
        oci.identity(path)
    assert str(caught.value)


def test_an_archive_cut_anywhere(tmp_path: Path) -> None:
    whole = Path(archive(tmp_path / "x.tar", layout("a"))).read_bytes()
    cut = tmp_path / "cut.tar"
    for end in range(0, 4096, 97):
        cut.write_bytes(whole[:end])
        try:
            assert oci.identity(str(cut))["config"] == digest(CONFIG)
        except (HpcprovError, OSError) as error:
            assert str(error)


@given(st.binary(max_size=2048), st.integers(0, 4000))
def test_an_archive_with_bytes_changed(raw: bytes, place: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in layout("a").items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    whole = bytearray(buffer.getvalue())
    whole[place : place + len(raw)] = raw
    path = f"/tmp/hpcprov-{os.getpid()}.tar"
    try:
        Path(path).write_bytes(whole)
        oci.identity(path)
    except (HpcprovError, OSError) as error:
        assert str(error)
    finally:
        os.unlink(path)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"hsqs" + bytes(600), "squashfs"),
        (b"\0" * 257 + b"ustar\0" + bytes(300), "archive"),
        (b"", "file"),
        (b"x" * 32 + b"SIF_MAGIC\0", "sif"),
    ],
)
def test_formats(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "x").write_bytes(head)
    assert content.format_of(str(tmp_path / "x")) == kind


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(HpcprovError, match="not a regular file"):
        content.content(str(tmp_path / "x"), None, None)


PODMAN = {"Id": "a" * 64, "Digest": "sha256:" + "b" * 64, "Labels": {"k": "v"}}
DOCKER = {"Id": "sha256:" + "a" * 64, "RepoDigests": ["x@sha256:" + "c" * 64], "Config": {"Labels": {"k": "v"}}}


@pytest.mark.parametrize(
    ("facts", "manifest"),
    [(PODMAN, "b"), (DOCKER, "c"), ({"Id": "a" * 64}, None), (DOCKER | {"RepoDigests": []}, None)],
)
def test_what_engines_answer(facts: dict[str, Any], manifest: str | None) -> None:
    found = asking.parse_inspect(json.dumps([facts]).encode(), "podman")["identity"]
    assert found["config"] == "sha256:" + "a" * 64
    assert found["digest"] == "sha256:" + (manifest or "a") * 64
    assert found["of"] == ("OCI manifest" if manifest else "OCI configuration")


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b"[3]", b'[{"Id": "x"}]', b"[" * 100_000, b"\xff"])
def test_answers_that_are_none(answer: bytes) -> None:
    with pytest.raises(UnreadableData, match="podman image inspect"):
        asking.parse_inspect(answer, "podman")


def test_only_engines_are_asked() -> None:
    with pytest.raises(UnreadableData, match="no program to ask"):
        asking.inspected(["rm", "-rf", "/"], "x", {})


@pytest.mark.parametrize(
    ("text", "files", "path", "tag"),
    [
        ("oci-archive:x.tar", ["x.tar"], "x.tar", None),
        ("oci-archive:x.tar:v1", ["x.tar"], "x.tar", "v1"),
        ("oci-archive:a:b.tar:v1", ["a:b.tar"], "a:b.tar", "v1"),
        ("docker-archive://x.tar", ["x.tar"], "x.tar", None),
        ("docker-archive:x.tar:name:v1", ["x.tar"], "x.tar", "name:v1"),
        ("oci:gone:v1", [], "gone", None),
    ],
)
def test_archives_and_their_tags(tmp_path: Path, text: str, files: list[str], path: str, tag: str | None) -> None:
    machines.write(tmp_path, dict.fromkeys(files, ""))
    assert reference.archive(text, str(tmp_path)) == str(tmp_path / path)
    assert reference.tag(text, str(tmp_path)) == tag


def test_labels_inside_are_read_from_the_image_alone(tmp_path: Path) -> None:
    secret = {"a": "b"}
    (tmp_path / "secret.json").write_text(json.dumps(secret))
    root = tmp_path / "root"
    machines.write(root, {".singularity.d/labels.json": f"-> {tmp_path}/secret.json"})
    assert inner.inner("apptainer", str(root)) == {}
    (root / ".singularity.d/labels.json").unlink()
    labels = {"url": "https://ada:hunter2@example.org/", "n": 3, "k": "v" * 5000}
    machines.write(root, {".singularity.d/labels.json": json.dumps(labels)})
    found = inner.inner("apptainer", str(root))["labels"]
    assert "hunter2" not in found["url"] and "n" not in found and len(found["k"]) == inner.LONGEST


TOLD = {"runtime": "apptainer", "how": "argv", "image": "docker://x", "transport": "docker"}
SEEN = {"runtime": "apptainer", "how": "seen", "sign": "file", "image": "/c/x", "path": "/c/x", "device": 1, "inode": 2}


def test_what_was_told_and_what_was_seen() -> None:
    (one,) = seen.joined([TOLD], [SEEN])
    assert one["image"] == "docker://x" and one["path"] == "/c/x" and one["confirmed"] is True and one["how"] == "argv"
    file = {"runtime": "apptainer", "how": "argv", "image": "x.sif", "path": "/d/x.sif", "device": 1, "inode": 2}
    assert seen.joined([file], [SEEN]) == [file | {"confirmed": True}]
    assert seen.joined([file | {"inode": 3}], [SEEN]) == [file | {"inode": 3}, SEEN]
    assert seen.joined([], [SEEN]) == [SEEN]


def test_an_image_that_was_unpacked() -> None:
    assert seen.is_temporary("/tmp/rootfs-3668816988/root") and not seen.is_temporary("/data/root")
    file = {"runtime": "apptainer", "how": "argv", "image": "d/x.sif", "path": "/d/x.sif", "device": 1, "inode": 2}
    bare = {"runtime": "apptainer", "how": "seen", "sign": "file", "image": "x.sif", "reason": seen.UNPACKED}
    assert seen.joined([file], [bare]) == [file | {"confirmed": True}]
    assert seen.joined([], [bare]) == [bare]


def test_a_container_is_looked_at_until_it_tells_its_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime enters the image before it sets its variables."""
    told = [None, {"image": "unknown"}, {"image": "/x.sif"}, {"image": "/never/asked"}]
    monkeypatch.setattr(seen, "namespace", lambda pid: "ours" if pid == "self" else f"mnt:{pid}")
    monkeypatch.setattr(seen, "seen", lambda pid: told.pop(0))
    watch = seen.Watch()
    for known in ([], [{"image": "unknown"}], [{"image": "/x.sif"}], [{"image": "/x.sif"}]):
        watch.look([7])
        assert watch.containers == known
    assert len(told) == 1


def test_our_own_processes_are_in_no_other_container() -> None:
    watch = seen.Watch()
    watch.look([os.getpid(), 1, 0, 2**22 - 1])
    assert watch.containers == []


def test_what_an_engine_says_is_bounded_and_holds_no_secrets(tmp_path: Path) -> None:
    labels = {f"k{number}": "x" for number in range(1000)} | {"a": "token=abc", "b": "y" * 100_000, "c": 3}
    facts = [{"Digest": f"sha256:{'a' * 64}", "Labels": labels}]
    kept = asking.parse_inspect(json.dumps(facts).encode(), "podman")["labels"]
    assert len(kept) <= inner.MOST_LABELS and kept["a"] == "token=***" and len(kept["b"]) <= inner.LONGEST
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\necho 'Error: https://ada:hunter2@registry.example/ does not answer' >&2\nexit 1\n")
    podman.chmod(0o755)
    with pytest.raises(HpcprovError, match="does not answer") as failure:
        asking.inspected([str(podman), "run", "debian"], "debian", {})
    assert "hunter2" not in failure.value.message


def test_only_known_programs_are_asked_for_instances() -> None:
    for argv in ([], ["rm", "-rf", "/"]):
        with pytest.raises(HpcprovError, match="no program to ask"):
            asking.instance_image(argv, "instance://x", {})

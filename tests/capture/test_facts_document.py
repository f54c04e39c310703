"""docs/facts.md names every key that a fact of this machine has."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from image import build

from capture.test_scheduler import HET, LSF, PBS, SLURM
from capture.test_slurm import said, starts
from hpcprov.agent import images
from hpcprov.capture import code, container, gpu, host, modules, sampler, scheduler, scontrol, software, user
from hpcprov.capture.container.image import describe

DOCUMENT = (Path(__file__).parents[2] / "docs" / "facts.md").read_text()
CHECKOUT = str(Path(__file__).parents[2])


def keys(value: Any) -> Iterator[str]:
    """Every key in a fact, however deep."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from keys(item)
    if isinstance(value, dict):
        yield from (key for key in value if not key.isupper() and "VISIBLE" not in key)


def section(name: str) -> str:
    """The text below one heading, and the rules for all kinds."""
    parts = re.split(r"^## (\w+)\n", DOCUMENT, flags=re.MULTILINE)
    return parts[0] + dict(zip(parts[1::2], parts[2::2], strict=True))[name]


def resources() -> dict[str, Any]:
    watch = sampler.Sampler([os.getpid()])
    watch.sample()
    return watch.summary()


def image() -> list[dict[str, Any]]:
    """A signed SIF image with an overlay, of which one of two nodes saw another version."""
    things = [*build.plain(), build.partition(b"overlay", build.OVERLAY)]
    things.append(build.signature(things))
    with tempfile.TemporaryDirectory() as folder:
        path = build.written(Path(folder), build.image(things))
        told = {"image": path, "runtime": "apptainer"} | describe(path)
        facts = ((node, {"containers": [told | {"size": size}]}) for node, size in (("a", told["size"]), ("b", 0)))
        events = [{"kind": "container", "time": time.time_ns(), "node": node, "value": value} for node, value in facts]
        (found,) = images.found(images.images_of(events), None, reason=None, seconds=60)
    assert {"other_on", "identity", "uuid", "signatures"} <= set(found)
    return [found | {"labels": {}}]  # whose keys are anybody's


FACTS: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("host", host.collect),
    ("user", lambda: user.collect({"USER": "ada"})),
    ("scheduler", lambda: [scheduler.collect(environ) for environ in (SLURM, PBS, LSF, HET)]),
    ("job", lambda: [scontrol.job(said("scontrol-array"), "23"), *starts("cancelled", "6"), *starts("het", "16")]),
    ("modules", lambda: modules.collect({"LMOD_VERSION": "8", "LOADEDMODULES": "a", "_LMFILES_": __file__})),
    ("container", lambda: container.collect({}, ["apptainer", "run", __file__], "/")),
    ("image", image),
    ("code", lambda: code.collect([sys.executable, __file__], CHECKOUT, os.environ)),
    ("software", lambda: software.finish(software.snapshot(os.getpid()))),
    ("gpu", lambda: gpu.parse_nvidia("0, NVIDIA H200, GPU-1, 143771, 00000000:1B:00.0, 550.54.15")),
    ("resources", resources),
)


@pytest.mark.parametrize(("name", "fact"), FACTS, ids=[name for name, _ in FACTS])
def test_every_key_is_documented(name: str, fact: Callable[[], Any]) -> None:
    found = set(keys(fact()))
    assert len(found) > 3
    assert {key for key in found if f"`{key}`" not in section(name) and f'"{key}"' not in section(name)} == set()

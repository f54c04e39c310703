"""GPUs: captured answers of the vendors' programs, and programs that misbehave."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from require import require

from hpcprov.capture import gpu
from hpcprov.record.errors import HpcprovError

NVIDIA = """\
0, NVIDIA A100-SXM4-40GB, GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77, 40960, 00000000:07:00.0, 535.104.05
1, NVIDIA A100-SXM4-40GB, GPU-80ac9a35-c3d3-2a88-8b80-fd5a0a5cd3f4, [N/A], 00000000:0A:00.0, 535.104.05
"""
ROCM = {
    "card1": {"Unique ID": "0x2", "VRAM Total Memory (B)": "68702699520", "Card series": "AMD INSTINCT MI250X"},
    "card0": {"Unique ID": "0x1", "VRAM Total Memory (B)": "N/A", "Card Series": "AMD INSTINCT MI250X"},
    "system": {"Driver version": "6.3.6"},
}


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which this shell script answers to `name`."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_nvidia() -> None:
    facts = gpu.parse_nvidia(NVIDIA)
    assert facts["vendor"] == "nvidia" and facts["driver"] == "535.104.05"
    assert facts["devices"] == [
        {
            "index": 0,
            "name": "NVIDIA A100-SXM4-40GB",
            "uuid": "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77",
            "memory": 40960 << 20,
            "bus": "00000000:07:00.0",
        },
        {
            "index": 1,
            "name": "NVIDIA A100-SXM4-40GB",
            "uuid": "GPU-80ac9a35-c3d3-2a88-8b80-fd5a0a5cd3f4",
            "memory": "unknown",
            "bus": "00000000:0A:00.0",
        },
    ]


def test_rocm() -> None:
    facts = gpu.parse_rocm(json.dumps(ROCM))
    assert facts["driver"] == "6.3.6" and [device["memory"] for device in facts["devices"]] == ["unknown", 68702699520]


@pytest.mark.parametrize("text", ["", "\n", "No devices were found\n", "a,b\n", NVIDIA + "x\n"])
def test_nvidia_complaints(text: str) -> None:
    with pytest.raises(HpcprovError, match="nvidia-smi: "):
        gpu.parse_nvidia(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"card0": 3}', '{"system": 3}', "[" * 100000])
def test_rocm_complaints(text: str) -> None:
    with pytest.raises(HpcprovError, match="rocm-smi: "):
        gpu.parse_rocm(text)


@given(st.text())
def test_any_answer(text: str) -> None:
    for _, _, parse in gpu.VENDORS:
        try:
            json.dumps(parse(text))
        except HpcprovError:
            continue


def test_no_program(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}
    assert gpu.collect(environ) == {
        "devices": [],
        "reason": "neither nvidia-smi nor rocm-smi is on PATH",
        "visible": {"CUDA_VISIBLE_DEVICES": "0,1"},
    }


def test_an_answer(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(NVIDIA)
    facts = gpu.collect(program(tmp_path, "nvidia-smi", f'echo "$@" > {tmp_path}/args; cat {tmp_path}/answer'))
    assert len(facts["devices"]) == 2
    assert (tmp_path / "args").read_text().split() == list(gpu.NVIDIA_QUERY)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'NVIDIA-SMI has failed' >&2; exit 9", "nvidia-smi: NVIDIA-SMI has failed"),
        ("echo No devices were found", "nvidia-smi: No devices were found"),
        ("sleep 300", "did not answer within 0.5 s"),
    ],
)
def test_programs_that_fail(tmp_path: Path, script: str, reason: str) -> None:
    timeout = 0.5 if "0.5 s" in reason else 60
    facts = gpu.collect(program(tmp_path, "nvidia-smi", script), timeout=timeout)
    assert facts["devices"] == [] and reason in facts["reason"]


def test_the_second_vendor_is_asked_when_the_first_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(json.dumps(ROCM))
    program(tmp_path, "nvidia-smi", "exit 6")
    facts = gpu.collect(program(tmp_path, "rocm-smi", f"cat {tmp_path}/answer"))
    assert facts["vendor"] == "amd" and len(facts["devices"]) == 2


def test_no_foreign_code_is_loaded_into_the_program(tmp_path: Path) -> None:
    environ = program(tmp_path, "nvidia-smi", f"env > {tmp_path}/env") | {"LD_PRELOAD": "/evil.so", "LC_ALL": "de_DE"}
    gpu.collect(environ)
    text = (tmp_path / "env").read_text()
    assert "evil" not in text and "LC_ALL=C\n" in text


def test_a_real_gpu() -> None:
    require("gpu", shutil.which("nvidia-smi"))
    facts: dict[str, Any] = gpu.collect(os.environ, timeout=60)
    assert facts["devices"] and facts["devices"][0]["uuid"].startswith("GPU-")

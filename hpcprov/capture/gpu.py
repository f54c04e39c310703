"""Graphics processors of a node, as the vendor's own program tells them.

    {"vendor": "nvidia", "driver": "550.54.15", "devices": [{"index": 0, "name": "NVIDIA H200", "uuid": "GPU-6c9f...",
      "memory": 150754820096, "bus": "00000000:1B:00.0"}], "visible": {"CUDA_VISIBLE_DEVICES": "0"}}

Only fields that every nvidia-smi of the last ten years knows are asked for: one unknown field fails the whole query.
"""

from __future__ import annotations

from hpcprov.capture.program import ask, find_program
from hpcprov.capture.reading import is_integer
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TIMEOUT = 5.0
MIB = 1 << 20
UNWANTED = ("LD_PRELOAD", "LD_AUDIT")
VISIBLE = (
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS",
)  # fmt: skip
NVIDIA_FIELDS = ("index", "name", "uuid", "memory.total", "pci.bus_id", "driver_version")
NVIDIA_QUERY = (f"--query-gpu={','.join(NVIDIA_FIELDS)}", "--format=csv,noheader,nounits")
ROCM_QUERY = ("--showproductname", "--showuniqueid", "--showmeminfo", "vram", "--showdriverversion", "--json")


def collect(environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> dict[str, Any]:
    """The GPUs of this node; no devices and a reason without any. `timeout`: seconds for each vendor's program."""
    visible = {name: environ[name] for name in VISIBLE if name in environ}
    return find_devices(environ, timeout) | ({"visible": visible} if visible else {})


def find_devices(environ: Mapping[str, str], timeout: float) -> dict[str, Any]:
    """What the first vendor's program that finds a device says."""
    reasons = []
    for program, query, parse in VENDORS:
        path = find_program(program, environ)
        try:
            if path is not None:
                output = ask([path, *query], environ=clean(environ), timeout=timeout)
                return parse(output.decode("utf-8", "replace"))
        except HpcprovError as error:
            reasons.append(str(error))
    return {"devices": [], "reason": "; ".join(reasons) or "neither nvidia-smi nor rocm-smi is on PATH"}


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what changes the language or loads other code."""
    return {name: value for name, value in environ.items() if name not in UNWANTED} | {"LC_ALL": "C"}


def parse_nvidia(text: str) -> dict[str, Any]:
    """The comma separated lines of nvidia-smi. Raises HpcprovError when they are anything else, as a complaint."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    if not rows or any(len(row) != len(NVIDIA_FIELDS) for row in rows):
        raise HpcprovError(f"nvidia-smi: {text.strip()[:200] or 'no device'}")
    return {"vendor": "nvidia", "driver": rows[0][5], "devices": [nvidia_device(row) for row in rows]}


def nvidia_device(row: list[str]) -> dict[str, Any]:
    """One device from its cells, in the order of NVIDIA_FIELDS; `memory` in bytes."""
    index, name, uuid, memory, bus, _ = row
    size = int(memory) * MIB if is_integer(memory) else "unknown"
    return {"index": int(index) if is_integer(index) else index, "name": name, "uuid": uuid, "memory": size, "bus": bus}


def parse_rocm(text: str) -> dict[str, Any]:
    """The JSON of rocm-smi: `{"card0": {...}, "system": {"Driver version": ...}}`. Raises HpcprovError."""
    import json

    try:
        table = json.loads(text)
        cards = {key: value for key, value in table.items() if key.startswith("card") and isinstance(value, dict)}
        driver = table.get("system", {}).get("Driver version", "unknown")
    except (ValueError, AttributeError, RecursionError) as error:
        raise HpcprovError(f"rocm-smi: {text.strip()[:200]}") from error
    if not cards:
        raise HpcprovError("rocm-smi: no device")
    return {"vendor": "amd", "driver": str(driver), "devices": [rocm_device(key, cards[key]) for key in sorted(cards)]}


def rocm_device(key: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """One device; `memory` in bytes."""
    memory, number = str(card.get("VRAM Total Memory (B)", "")), key.removeprefix("card")
    return {
        "index": int(number) if is_integer(number) else number,
        "name": str(card.get("Card series", card.get("Card Series", "unknown"))),
        "uuid": str(card.get("Unique ID", "unknown")),
        "memory": int(memory) if is_integer(memory) else "unknown",
    }


VENDORS = (("nvidia-smi", NVIDIA_QUERY, parse_nvidia), ("rocm-smi", ROCM_QUERY, parse_rocm))

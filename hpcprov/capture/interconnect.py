"""Network devices of a node from sysfs: InfiniBand and its kin, Slingshot, Omni-Path, Ethernet.

    {"infiniband": [{"name": "mlx5_0", "driver": "mlx5_core", "ports": [{"port": 1, "state": "ACTIVE",
      "rate": "200 Gb/sec (4X HDR)", "link": "InfiniBand"}]}],
     "network": [{"name": "eth0", "state": "up", "speed": 25000, "driver": "ena", "mtu": 9001}], "virtual": 2}

AWS EFA registers below infiniband with the driver `efa`. Addresses (MAC, GID, IP) are not recorded.
Source: Documentation/ABI/stable/sysfs-class-infiniband and ABI/testing/sysfs-class-net of the Linux kernel.
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import list_names, read_line, read_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_DEVICES = 64
# Classes of fabrics that have no or another entry below infiniband: HPE Slingshot, Cornelis Omni-Path, Bull BXI.
FABRIC_CLASSES = ("cxi", "hfi1", "bxi")
DEVICE_FILES = (("board", "board_id"), ("firmware", "fw_ver"), ("type", "hca_type"))
PORT_FILES = (("state", "state"), ("physical_state", "phys_state"), ("rate", "rate"), ("link", "link_layer"))


def devices(root: str, who: str = "self") -> dict[str, Any]:
    """Every interconnect device of the node; empty lists when it has none."""
    classes = os.path.join(root, "sys/class")
    facts: dict[str, Any] = {"infiniband": infiniband(os.path.join(classes, "infiniband"))}
    fabrics = [fabric(classes, kind, name) for kind in FABRIC_CLASSES for name in names(os.path.join(classes, kind))]
    return facts | ({"fabric": fabrics} if fabrics else {}) | network(os.path.join(classes, "net"))


def names(folder: str) -> list[str]:
    """At most 64 device names of a class."""
    return list_names(folder)[:MOST_DEVICES]


def infiniband(folder: str) -> list[dict[str, Any]]:
    """The verbs devices with their ports."""
    return [{"name": name} | verbs_device(os.path.join(folder, name)) for name in names(folder)]


def verbs_device(path: str) -> dict[str, Any]:
    """One verbs device: driver, board, firmware, ports."""
    ports = [{"port": int(name)} | port(os.path.join(path, "ports", name)) for name in numbers(path)]
    return driver(path) | texts(path, DEVICE_FILES) | {"ports": ports}


def numbers(path: str) -> list[str]:
    """Names of the ports of a verbs device."""
    return sorted((name for name in names(os.path.join(path, "ports")) if name.isdecimal()), key=int)


def port(path: str) -> dict[str, Any]:
    """One port; `4: ACTIVE` of sysfs becomes `ACTIVE`."""
    facts = texts(path, PORT_FILES)
    return {key: value.partition(": ")[2] or value if "state" in key else value for key, value in facts.items()}


def texts(path: str, table: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Facts that are the first lines of files in a folder; those that are not there are left out."""
    return {key: text for key, name in table if (text := read_line(os.path.join(path, name)))}


def driver(path: str) -> dict[str, str]:
    """The kernel driver behind a device."""
    try:
        return {"driver": os.path.basename(os.readlink(os.path.join(path, "device/driver")))}
    except OSError:
        return {}


def fabric(classes: str, kind: str, name: str) -> dict[str, Any]:
    """One device of a fabric class."""
    return {"class": kind, "name": name} | driver(os.path.join(classes, kind, name))


def network(folder: str) -> dict[str, Any]:
    """Interfaces with hardware behind them, and the number of others (bridges, tunnels), the loopback excepted."""
    every = [name for name in list_names(folder) if name != "lo" and os.path.isdir(os.path.join(folder, name))]
    real = [name for name in every if os.path.exists(os.path.join(folder, name, "device"))]
    cards = [{"name": name} | interface(os.path.join(folder, name)) for name in real[:MOST_DEVICES]]
    return {"network": cards, "virtual": len(every) - len(real)}


def interface(path: str) -> dict[str, Any]:
    """One interface: state, MTU (bytes), speed (Mbit/s; absent when the driver does not know it), driver."""
    speed, mtu = read_number(os.path.join(path, "speed")), read_number(os.path.join(path, "mtu"))
    facts: dict[str, Any] = texts(path, (("state", "operstate"),)) | driver(path)
    # A virtual or unplugged card reports -1 or, through an unsigned cast, 4294967295.
    facts |= {"speed": speed} if speed is not None and 0 < speed < 0xFFFFFFFF else {}
    return facts | ({"mtu": mtu} if mtu is not None else {})

"""Interconnect devices on captured sysfs trees."""

from __future__ import annotations

from pathlib import Path

from capture import machines
from hpcprov.capture import interconnect


def test_infiniband(tmp_path: Path) -> None:
    facts = interconnect.devices(machines.write(tmp_path, machines.INFINIBAND))
    down = {"state": "DOWN"}
    assert facts["infiniband"] == [
        {
            "name": "mlx5_0",
            "driver": "mlx5_core",
            "board": "MT_0000000223",
            "firmware": "20.31.1014",
            "type": "MT4123",
            "ports": [
                {
                    "port": 1,
                    "state": "ACTIVE",
                    "physical_state": "LinkUp",
                    "rate": "200 Gb/sec (4X HDR)",
                    "link": "InfiniBand",
                },
                {"port": 2} | down,
                {"port": 10} | down,
            ],
        }
    ]


def test_network_cards_and_what_is_only_software(tmp_path: Path) -> None:
    facts = interconnect.devices(machines.write(tmp_path, machines.NETWORK))
    assert facts["network"] == [
        {"name": "eth0", "state": "up", "driver": "ena", "speed": 25000, "mtu": 9000},
        {"name": "eth1", "state": "down"},
    ]
    assert facts["virtual"] == 2


def test_no_address_is_told(tmp_path: Path) -> None:
    assert "52:54" not in str(interconnect.devices(machines.write(tmp_path, machines.NETWORK)))


def test_slingshot(tmp_path: Path) -> None:
    facts = interconnect.devices(machines.write(tmp_path, machines.SLINGSHOT))
    assert facts["fabric"] == [
        {"class": "cxi", "name": "cxi0", "driver": "cxi_core"},
        {"class": "cxi", "name": "cxi1"},
    ]


def test_nothing_at_all(tmp_path: Path) -> None:
    assert interconnect.devices(str(tmp_path)) == {"infiniband": [], "network": [], "virtual": 0}


def test_many_devices_are_bounded(tmp_path: Path) -> None:
    files = {f"sys/class/infiniband/mlx5_{number}/fw_ver": "1\n" for number in range(100)}
    found = interconnect.devices(machines.write(tmp_path, files))["infiniband"]
    assert len(found) == interconnect.MOST_DEVICES


def test_this_machine() -> None:
    facts = interconnect.devices("/")
    assert all(card["name"] != "lo" for card in facts["network"])
    assert facts["virtual"] >= 0

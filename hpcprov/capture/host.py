"""The node: processor, memory, kernel, operating system, virtualization; its network and limits in modules beside this.

Everything is read below a root folder, so that a captured tree of another machine's files gives that machine's facts.
A section that could not be had holds `{"reason": ...}`. Example (shortened):

    {"hostname": "n1", "architecture": "x86_64", "cpu": {"model": "AMD EPYC 7763", "sockets": 2, "cores": 128,
     "threads": 256, "affinity": {"list": "0-3", "count": 4}, "isa": ["avx2", "fma"]},
     "memory": {"total": 270144507904}}
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import explain, list_names, read_line, read_text
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

KIB = 1024
# The first processors are enough for the model, and reading all of /proc/cpuinfo interrupts every processor.
CPUINFO_LIMIT = 16384
# Keys of /proc/cpuinfo that name the model: x86, POWER, s390, RISC-V, ARM.
MODEL_KEYS = ("model name", "cpu", "vendor_id", "uarch", "Processor", "CPU part")
VENDOR_KEYS = ("vendor_id", "CPU implementer", "mvendorid")
FLAG_KEYS = ("flags", "Features", "isa")
# Instruction sets that change how floating point results round or vectorize.
ISA = (
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "asimd", "asimdhp", "sve", "sve2", "bf16",
)  # fmt: skip
OS_KEYS = ("PRETTY_NAME", "ID", "VERSION_ID")
# Text that a hypervisor leaves in the DMI vendor or product name, or in the kernel's version.
HYPERVISORS = (
    ("KVM", "kvm"), ("QEMU", "qemu"), ("VMware", "vmware"), ("VirtualBox", "virtualbox"), ("Xen", "xen"),
    ("Amazon EC2", "amazon"), ("Google Compute Engine", "google"), ("Virtual Machine", "hyper-v"),
    ("OpenStack", "openstack"), ("microsoft", "wsl"), ("Firecracker", "firecracker"),
)  # fmt: skip


def collect(root: str = "/", *, pid: int | None = None) -> dict[str, Any]:
    """All facts about this node as a process sees it: `pid`, else the caller."""
    uname = os.uname()
    facts: dict[str, Any] = {"hostname": uname.nodename, "architecture": uname.machine}
    who = "self" if pid is None else str(pid)
    return facts | {name: attempt(section, root, who) for name, section in sections().items()}


def sections() -> dict[str, Callable[[str, str], object]]:
    """The sections of the fact: name -> function of (root folder, process)."""
    from hpcprov.capture import cgroup, interconnect

    return {
        "cpu": cpu,
        "memory": memory,
        "kernel": kernel,
        "os": operating_system,
        "machine": machine,
        "interconnect": interconnect.devices,
        "cgroup": cgroup.limits,
        "boot_id": boot_id,
    }


def attempt(section: Callable[[str, str], object], root: str, who: str) -> object:
    """One section, or why it could not be had."""
    try:
        return section(root, who)
    except (OSError, HpcprovError) as error:
        return {"reason": explain(error)}


def cpu(root: str, who: str) -> dict[str, Any]:
    """Model, counts, affinity of the process and notable instruction sets. Raises OSError."""
    first = parse_cpuinfo(read_text(os.path.join(root, "proc/cpuinfo"), CPUINFO_LIMIT))
    folder = os.path.join(root, "sys/devices/system/cpu")
    facts: dict[str, Any] = {"model": pick(first, MODEL_KEYS), "vendor": pick(first, VENDOR_KEYS)}
    facts |= topology(folder) or count_processors(read_text(os.path.join(root, "proc/cpuinfo")))
    facts["affinity"] = affinity(read_text(os.path.join(root, "proc", who, "status")))
    facts["isa"] = [name for name in ISA if name in pick(first, FLAG_KEYS).split()]
    governor = read_line(os.path.join(folder, "cpu0/cpufreq/scaling_governor"))
    return facts | ({"governor": governor} if governor else {})


def parse_cpuinfo(text: str) -> dict[str, str]:
    """Keys and values of the first processor (and, for ARM and POWER, of the trailing summary) in /proc/cpuinfo."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            facts.setdefault(key.strip(), value.strip())
    return facts


def pick(facts: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """The value of the first key that is there, else `unknown`."""
    return next((facts[key] for key in keys if key in facts), "unknown")


def topology(folder: str) -> dict[str, Any]:
    """Sockets, cores and hardware threads online, from sysfs; empty when it does not tell."""
    threads = [name for name in list_names(folder) if name[:3] == "cpu" and name[3:].isdigit()]
    paths = [os.path.join(folder, name, "topology") for name in threads]
    cores = {line for path in paths if (line := read_line(os.path.join(path, "thread_siblings_list")))}
    sockets = {line for path in paths if (line := read_line(os.path.join(path, "physical_package_id")))}
    online = read_line(os.path.join(folder, "online"))
    if not cores or not online:
        return {}
    return {"sockets": len(sockets), "cores": len(cores), "threads": len(parse_list(online))}


def count_processors(text: str) -> dict[str, Any]:
    """The same from all of /proc/cpuinfo, for kernels and sandboxes without a topology in sysfs."""
    blocks = [parse_cpuinfo(block) for block in text.split("\n\n")]
    blocks = [block for block in blocks if "processor" in block]
    cores = {(block.get("physical id", "0"), block.get("core id", block["processor"])) for block in blocks}
    return {"sockets": len({socket for socket, _ in cores}), "cores": len(cores), "threads": len(blocks)}


def affinity(status: str) -> dict[str, Any]:
    """The processors that a process may use, from /proc/PID/status."""
    return processor_list(parse_cpuinfo(status).get("Cpus_allowed_list", ""))


def processor_list(text: str) -> dict[str, Any]:
    """A kernel list like `0-3,8` and how many processors it names."""
    return {"list": text, "count": len(parse_list(text))} if text else {"reason": "the kernel does not tell"}


def parse_list(text: str) -> set[int]:
    """The numbers of a kernel list: `0-3,8` -> {0, 1, 2, 3, 8}; empty for anything else than such a list.

    Source: "List format" of the Linux cpuset(7) manual page.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        if not low.isdecimal() or not (high or low).isdecimal() or int(high or low) > 1 << 20:
            return set()
        numbers |= set(range(int(low), int(high or low) + 1))
    return numbers


def memory(root: str, who: str) -> dict[str, Any]:
    """Total memory and swap (bytes), huge pages. Raises OSError."""
    table = parse_cpuinfo(read_text(os.path.join(root, "proc/meminfo")))
    facts: dict[str, Any] = {"total": kib(table.get("MemTotal")), "swap": kib(table.get("SwapTotal"))}
    facts["hugepages"] = {"count": count(table.get("HugePages_Total")), "size": kib(table.get("Hugepagesize"))}
    policy = read_line(os.path.join(root, "sys/kernel/mm/transparent_hugepage/enabled")) or ""
    if "[" in policy:
        facts["transparent_hugepages"] = policy.partition("[")[2].partition("]")[0]
    return facts


def kib(text: str | None) -> int | str:
    """Bytes of a /proc/meminfo value such as `24731708 kB`, else `unknown`."""
    number = (text or "").split(" ")[0]
    return int(number) * KIB if number.isdecimal() else "unknown"


def count(text: str | None) -> int | str:
    """A plain number of /proc/meminfo, else `unknown`."""
    return int(text) if text is not None and text.isdecimal() else "unknown"


def kernel(root: str, who: str) -> dict[str, str]:
    """Name, release and build of the running kernel, as uname(2) gives them."""
    folder = os.path.join(root, "proc/sys/kernel")
    names = {"name": "ostype", "release": "osrelease", "version": "version"}
    return {key: read_line(os.path.join(folder, name)) or "unknown" for key, name in names.items()}


def operating_system(root: str, who: str) -> dict[str, str]:
    """Name, identifier and version of the distribution, from os-release(5). Raises OSError when it has none."""
    try:
        text = read_text(os.path.join(root, "etc/os-release"))
    except FileNotFoundError:
        text = read_text(os.path.join(root, "usr/lib/os-release"))
    table = parse_os_release(text)
    return {key.lower(): table.get(key, "unknown") for key in OS_KEYS}


def parse_os_release(text: str) -> dict[str, str]:
    """Assignments of an os-release file, quotes and backslashes removed as a shell would."""
    import shlex

    table = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            try:
                table[key] = "".join(shlex.split(value))
            except ValueError:
                table[key] = value
    return table


def machine(root: str, who: str) -> dict[str, Any]:
    """Vendor and product of the machine, and a hint at the hypervisor when it is a virtual one."""
    folder = os.path.join(root, "sys/class/dmi/id")
    names = {"vendor": "sys_vendor", "product": "product_name"}
    facts = {key: read_line(os.path.join(folder, name)) for key, name in names.items()}
    flags = pick(parse_cpuinfo(read_text(os.path.join(root, "proc/cpuinfo"), CPUINFO_LIMIT)), FLAG_KEYS)
    traces = [*facts.values(), read_line(os.path.join(root, "sys/hypervisor/type")), kernel(root, who)["release"]]
    hint = next((name for text, name in HYPERVISORS if any(text in trace for trace in traces if trace)), None)
    known = {key: value for key, value in facts.items() if value}
    return known | {"virtual": bool(hint) or "hypervisor" in flags.split()} | ({"hypervisor": hint} if hint else {})


def boot_id(root: str, who: str) -> str:
    """The kernel's random identifier of this boot. Raises OSError."""
    return read_text(os.path.join(root, "proc/sys/kernel/random/boot_id"), 256).strip()

"""Files of real machines, written below a folder: what the kernel shows on nodes that this one is not."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, files: dict[str, str]) -> str:
    """Write these files below `root`; a value that begins with `-> ` makes a symbolic link. The root, as text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(root)


def cpu_tree(sockets: int, cores: int, threads: int) -> dict[str, str]:
    """The topology of a node with `threads` hardware threads on each of `cores` cores of each socket."""
    total, files = sockets * cores * threads, {}
    for number in range(total):
        core = number % (sockets * cores)
        siblings = ",".join(str(core + thread * sockets * cores) for thread in range(threads))
        folder = f"sys/devices/system/cpu/cpu{number}/topology"
        files[f"{folder}/thread_siblings_list"] = siblings + "\n"
        files[f"{folder}/physical_package_id"] = f"{core // cores}\n"
    return files | {"sys/devices/system/cpu/online": f"0-{total - 1}\n", "sys/devices/system/cpu/cpufreq/boost": "1\n"}


EPYC = {
    "proc/cpuinfo": (
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n"
        "model name\t: AMD EPYC 7763 64-Core Processor\nstepping\t: 1\nphysical id\t: 0\nsiblings\t: 128\n"
        "core id\t\t: 0\ncpu cores\t: 64\nflags\t\t: fpu vme sse4_2 avx fma avx2 sha_ni\nbogomips\t: 4890.88\n\n"
        "processor\t: 1\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7763 64-Core Processor\n"
        "physical id\t: 0\ncore id\t\t: 1\nflags\t\t: fpu vme sse4_2 avx fma avx2 sha_ni\n\n"
    ),
    "proc/meminfo": (
        "MemTotal:       263814952 kB\nMemFree:        250041156 kB\nMemAvailable:   249213112 kB\n"
        "SwapTotal:             0 kB\n"
        "HugePages_Total:      16\nHugePages_Free:       16\nHugepagesize:       2048 kB\n"
    ),
    "proc/self/status": (
        "Name:\tbash\nUmask:\t0022\nCpus_allowed:\t0000000f\nCpus_allowed_list:\t0-3,128\nMems_allowed_list:\t0\n"
    ),
    "proc/sys/kernel/ostype": "Linux\n",
    "proc/sys/kernel/osrelease": "5.14.21-150500.55.97_13.0.78-cray_shasta_c\n",
    "proc/sys/kernel/version": "#1 SMP Wed Feb 12 12:00:00 UTC 2025\n",
    "proc/sys/kernel/random/boot_id": "6f1c2ac5-5d2d-4f39-a8d6-9ab7ce8e2a1b\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/class/dmi/id/sys_vendor": "HPE\n",
    "sys/class/dmi/id/product_name": "HPE Cray EX425\n",
    "etc/os-release": (
        'NAME="SLES"\nVERSION="15-SP5"\nVERSION_ID="15.5"\nPRETTY_NAME="SUSE Linux Enterprise Server 15 SP5"\n'
        'ID="sles"\n# comment\nANSI_COLOR="0;32"\nBROKEN="no end\n'
    ),
}

GRACE = {
    "proc/cpuinfo": (
        "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd aes asimdhp sve sve2 bf16\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 0\n\n"
    ),
    "proc/self/status": "Cpus_allowed_list:\t0-71\n",
}

POWER9 = {
    "proc/cpuinfo": (
        "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.000000MHz\n\n"
        "processor\t: 1\ncpu\t\t: POWER9, altivec supported\n\n"
        "timebase\t: 512000000\nplatform\t: PowerNV\nmodel\t\t: 8335-GTX\n"
    ),
    "proc/self/status": "",
}

INFINIBAND = {
    "sys/class/infiniband/mlx5_0/board_id": "MT_0000000223\n",
    "sys/class/infiniband/mlx5_0/fw_ver": "20.31.1014\n",
    "sys/class/infiniband/mlx5_0/hca_type": "MT4123\n",
    "sys/class/infiniband/mlx5_0/device/driver": "-> ../../../../bus/pci/drivers/mlx5_core",
    "sys/class/infiniband/mlx5_0/ports/1/state": "4: ACTIVE\n",
    "sys/class/infiniband/mlx5_0/ports/1/phys_state": "5: LinkUp\n",
    "sys/class/infiniband/mlx5_0/ports/1/rate": "200 Gb/sec (4X HDR)\n",
    "sys/class/infiniband/mlx5_0/ports/1/link_layer": "InfiniBand\n",
    "sys/class/infiniband/mlx5_0/ports/10/state": "1: DOWN\n",
    "sys/class/infiniband/mlx5_0/ports/2/state": "1: DOWN\n",
    "sys/class/infiniband/mlx5_0/ports/notaport/state": "1: DOWN\n",
}

NETWORK = {
    "sys/class/net/lo/mtu": "65536\n",
    "sys/class/net/bonding_masters": "bond0\n",
    "sys/class/net/eth0/operstate": "up\n",
    "sys/class/net/eth0/speed": "25000\n",
    "sys/class/net/eth0/mtu": "9000\n",
    "sys/class/net/eth0/address": "52:54:00:12:34:56\n",
    "sys/class/net/eth0/device/driver": "-> ../../../bus/pci/drivers/ena",
    "sys/class/net/eth1/operstate": "down\n",
    "sys/class/net/eth1/speed": "-1\n",
    "sys/class/net/eth1/device/vendor": "0x15b3\n",
    "sys/class/net/docker0/operstate": "down\n",
    "sys/class/net/veth12ab/operstate": "up\n",
}

SLINGSHOT = {"sys/class/cxi/cxi0/device/driver": "-> ../../../../bus/pci/drivers/cxi_core", "sys/class/cxi/cxi1/x": ""}

# A Slurm step under systemd, version 2, as `cat /proc/PID/cgroup` and mountinfo show it.
V2_GROUP = "/system.slice/slurmstepd.scope/job_7/step_0/user/task_0"
CGROUP_V2 = {
    "proc/self/cgroup": f"0::{V2_GROUP}\n",
    "proc/self/mountinfo": (
        "24 30 0:22 / /proc rw,nosuid - proc proc rw\n"
        "35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    ),
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "sys/fs/cgroup/system.slice/memory.max": "max\n",
    "sys/fs/cgroup/system.slice/cpu.max": "max 100000\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.max": "2147483648\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.current": "1073741824\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.stat": "anon 1000\ninactive_file 4096\nactive_file 7\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.swap.max": "0\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/cpu.max": "250000 100000\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/memory.max": "4294967296\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/cpu.max": "400000 100000\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/cpuset.cpus.effective": "0-1,128-129\n",
    "sys/fs/cgroup" + V2_GROUP + "/memory.max": "max\n",
    "sys/fs/cgroup" + V2_GROUP + "/pids.max": "4096\n",
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable:   8388608 kB\n",
}

# The same under version 1 (Slurm 20 on CentOS 7).
V1_GROUP = "/slurm/uid_1000/job_42/step_batch"
CGROUP_V1 = {
    "proc/self/cgroup": (
        f"11:memory:{V1_GROUP}/task_0\n10:cpuacct,cpu:/\n9:cpuset:{V1_GROUP}\n8:pids:/system.slice/slurmd.service\n"
        "1:name=systemd:/system.slice/slurmd.service\n"
    ),
    "proc/self/mountinfo": (
        "30 25 0:26 / /sys/fs/cgroup/memory rw,relatime shared:15 - cgroup cgroup rw,memory\n"
        "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpuacct,cpu\n"
        "32 25 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
        "33 25 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
        "34 25 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\nbroken line\n"
    ),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    f"sys/fs/cgroup/memory{V1_GROUP}/memory.limit_in_bytes": "8589934592\n",
    f"sys/fs/cgroup/memory{V1_GROUP}/memory.usage_in_bytes": "8589934000\n",
    f"sys/fs/cgroup/memory{V1_GROUP}/memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n",
    f"sys/fs/cgroup/memory{V1_GROUP}/memory.memsw.limit_in_bytes": "8589934592\n",
    f"sys/fs/cgroup/memory{V1_GROUP}/task_0/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpuset/cpuset.cpus": "0-63\n",
    f"sys/fs/cgroup/cpuset{V1_GROUP}/cpuset.cpus": "4-7\n",
    "sys/fs/cgroup/pids/system.slice/slurmd.service/pids.max": "max\n",
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable:   8388608 kB\n",
}

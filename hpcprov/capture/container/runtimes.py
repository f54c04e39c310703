"""Command lines of container runtimes, as tables: actions, flags that take a value, where the image stands.

Where most flags take values (docker, podman) the table lists those that do not. Example:

    RUNTIMES["apptainer"]["flags"]("--bind") is True
    operand(["-B", "/a:/b", "x.sif", "app"], RUNTIMES["apptainer"]["flags"]) == 2
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    Flags = Callable[[str], bool]

    class Runtime(TypedDict):
        """How one runtime is called. `files`: image operands are `always` paths, paths `maybe`, or never (empty).

        `needed`: without one of the image flags it starts no container."""

        actions: tuple[str, ...]
        global_flags: Flags
        flags: Flags
        image_flags: tuple[str, ...]
        files: str
        needed: bool


def valued(names: str) -> Flags:
    """Flags that take a value are these."""
    return frozenset(names.split()).__contains__


def plain(names: str) -> Flags:
    """Flags that take no value are these, all others do."""
    known = frozenset(names.split())
    return lambda name: name not in known


APPTAINER_VALUED = """
    --add-caps --app --apply-cgroups --authfile -B --bind --blkio-weight --blkio-weight-device --cpu-shares --cpus
    --cpuset-cpus --cpuset-mems --cwd --pwd --dns --docker-host --drop-caps --env --env-file --fusemount -H --home
    --hostname --memory --memory-reservation --memory-swap --mount --netns-path --network --network-args --no-mount
    -o --overlay --pem-path --pids-limit -S --scratch --security -W --workdir --pid-file -s --shell --cdi-dirs --device
    --data --runscript-timeout --dmtcp-launch --dmtcp-restart
"""
DOCKER_PLAIN = """
    -d --detach --disable-content-trust --env-host --help --http-proxy --init -i --interactive --no-healthcheck
    --no-hostname --no-hosts --oom-kill-disable --passwd --privileged -P --publish-all -q --quiet --read-only
    --read-only-tmpfs --replace --rm --rmi --rootfs --sig-proxy --tls-verify -t --tty --unsetenv-all --use-api-socket
"""
SRUN_PLAIN = """
    --bcast -E --preserve-env --exact --exclusive --external -H --hold -h --help --usage -I --immediate --interactive
    -K --kill-on-bad-exit -k --no-kill -l --label --contiguous --compress -O --overcommit --oom-kill-step --overlap
    --pty -Q --quiet --quit-on-interrupt --reboot -s --oversubscribe --send-libs --share --spread-job --stepmgr
    --test-only -u --unbuffered --use-min-nodes -V --version -v --verbose --whole -X --disable-status --x11 -Z
    --no-allocate --multi-prog --nice --propagate --resv-ports
    --container-mount-home --no-container-mount-home --container-readonly --container-writable
    --container-remap-root --no-container-remap-root --container-entrypoint --no-container-entrypoint
"""
DOCKER_GLOBAL_PLAIN = "-D --debug --tls --tlsverify -v --version --help -r --remote --syslog --noout --transient-store"

APPTAINER: Runtime = {
    "actions": ("exec", "run", "shell", "test", "instance start", "instance run"),
    "global_flags": valued("-c --config"),
    "flags": valued(APPTAINER_VALUED),
    "image_flags": (),
    "files": "always",
    "needed": False,
}
DOCKER: Runtime = {
    "actions": ("run", "create", "container run", "container create"),
    "global_flags": plain(DOCKER_GLOBAL_PLAIN),
    "flags": plain(DOCKER_PLAIN),
    "image_flags": (),
    "files": "",
    "needed": False,
}
CH_RUN: Runtime = {
    "actions": (),
    "global_flags": valued(""),
    "flags": valued(
        "-b --bind -c --cd -g --gid -u --uid -m --mount -s --storage --unset-env --join-ct --join-pid --join-tag"
        " --feature"
    ),
    "image_flags": (),
    "files": "maybe",
    "needed": False,
}
SHIFTER: Runtime = {
    "actions": (),
    "global_flags": valued(""),
    "flags": valued("-i --image -V --volume -w --workdir -e --env --env-file -E --entrypoint -m --module --imagetype"),
    "image_flags": ("-i", "--image"),
    "files": "",
    "needed": False,
}
SARUS: Runtime = {
    "actions": ("run",),
    "global_flags": valued(""),
    "flags": valued("--mount --entrypoint -e --env -w --workdir --device --mpi-type -n --name --annotation"),
    "image_flags": (),
    "files": "",
    "needed": False,
}
ENROOT: Runtime = {
    "actions": ("start",),
    "global_flags": valued(""),
    "flags": valued("-c --conf --rc -e --env -m --mount"),
    "image_flags": (),
    "files": "maybe",
    "needed": False,
}
# Slurm and its plugins take the image as a flag of srun: pyxis (enroot) --container-image, Slurm itself --container.
PYXIS: Runtime = {
    "actions": (),
    "global_flags": valued(""),
    "flags": plain(SRUN_PLAIN),
    "image_flags": ("--container-image",),
    "files": "maybe",
    "needed": True,
}
SLURM: Runtime = PYXIS | {"image_flags": ("--container",), "files": "always"}
RUNTIMES: dict[str, Runtime] = {
    "apptainer": APPTAINER,
    "singularity": APPTAINER,
    "docker": DOCKER,
    "podman": DOCKER,
    "nerdctl": DOCKER,
    "ch-run": CH_RUN,
    "shifter": SHIFTER,
    "sarus": SARUS,
    "enroot": ENROOT,
}
# What srun itself may start, by the name of the runtime.
SRUN: dict[str, Runtime] = {"pyxis": PYXIS, "slurm": SLURM}


def operand(args: list[str], flags: Flags) -> int:
    """Index of the first argument that is neither a flag nor a flag's value; the length when there is none."""
    index = 0
    while index < len(args):
        argument = args[index]
        if argument == "--":
            return index + 1
        if argument == "-" or not argument.startswith("-"):
            return index
        index += 1 + takes_next(argument, flags)
    return len(args)


def takes_next(argument: str, flags: Flags) -> bool:
    """Whether a flag, or a group of short ones such as `-CeW`, has its value in the next argument."""
    if argument.startswith("--"):
        return "=" not in argument and flags(argument)
    for place, letter in enumerate(argument[1:], 1):
        if letter == "=":
            return False
        if flags("-" + letter):
            return place == len(argument) - 1
    return False


def flag_value(args: list[str], names: tuple[str, ...]) -> str | None:
    """The last value given to one of these flags, as `--image=X`, `--image X` or `-i X`."""
    found = None
    for place, argument in enumerate(args):
        name, equals, value = argument.partition("=")
        if name in names:
            found = value if equals else next(iter(args[place + 1 : place + 2]), None)
    return found

"""Command lines of container runtimes, as tables: actions, flags that take a value, where the image stands.

Where most flags take values (docker, podman) the table lists those that do not. Example:

    RUNTIMES["apptainer"]["flags"]("--bind") is True
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    Flags = Callable[[str], bool]

    class Runtime(TypedDict):
        """How one runtime is called. `files`: image operands are `always` paths, paths `maybe`, or never (empty)."""

        actions: tuple[str, ...]
        global_flags: Flags
        flags: Flags
        image_flags: tuple[str, ...]
        files: str


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
DOCKER_GLOBAL_PLAIN = "-D --debug --tls --tlsverify -v --version --help -r --remote --syslog --noout --transient-store"

APPTAINER: Runtime = {
    "actions": ("exec", "run", "shell", "test", "instance start", "instance run"),
    "global_flags": valued("-c --config"),
    "flags": valued(APPTAINER_VALUED),
    "image_flags": (),
    "files": "always",
}
DOCKER: Runtime = {
    "actions": ("run", "create", "container run", "container create"),
    "global_flags": plain(DOCKER_GLOBAL_PLAIN),
    "flags": plain(DOCKER_PLAIN),
    "image_flags": (),
    "files": "",
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
}
SHIFTER: Runtime = {
    "actions": (),
    "global_flags": valued(""),
    "flags": valued("-i --image -V --volume -w --workdir -e --env --env-file -E --entrypoint -m --module --imagetype"),
    "image_flags": ("-i", "--image"),
    "files": "",
}
SARUS: Runtime = {
    "actions": ("run",),
    "global_flags": valued(""),
    "flags": valued("--mount --entrypoint -e --env -w --workdir --device --mpi-type -n --name --annotation"),
    "image_flags": (),
    "files": "",
}
ENROOT: Runtime = {
    "actions": ("start",),
    "global_flags": valued(""),
    "flags": valued("-c --conf --rc -e --env -m --mount"),
    "image_flags": (),
    "files": "maybe",
}
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

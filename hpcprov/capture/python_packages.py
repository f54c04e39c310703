"""The distributions installed for a Python interpreter that is running, found from outside, without running any of it.

Its search path is rebuilt from what the kernel tells about the process (command, environment, mapped files), pyvenv.cfg
and path files; each distribution is then a folder name there. Example:

    {"executable": "/home/ada/.venv/bin/python", "version": "3.12",
     "path": ["/home/ada/.venv/lib/python3.12/site-packages"],
     "packages": [["numpy", "2.1.0"], ["zarr", "3.0.1"]]}

Sources: Python's `site` module (rules for site-packages and .pth), PEP 376, 405, 427, 503; Debian's Python policy.
"""

from __future__ import annotations

import os
import re

from hpcprov.capture.reading import list_names, read_bytes, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

MOST_PACKAGES = 5000
MOST_PATH_FILES = 100
MOST_FOLDERS = 100
METADATA_LIMIT = 16384
# Below a prefix, in the order of sys.path: everywhere, Fedora and SUSE, Debian.
SITES = (
    "lib/python{0}/site-packages",
    "lib64/python{0}/site-packages",
    "local/lib/python{0}/dist-packages",
    "lib/python3/dist-packages",
)
USED_VARIABLES = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "VIRTUAL_ENV")
VERSION = re.compile(r"python(3\.\d+t?)(?=/|\.so|$)")
SITE = re.compile(r"^(.*?/(?:site|dist)-packages)/")
DISTRIBUTION = re.compile(r"^(?P<name>[^-]+)(?:-(?P<version>[^-]+))?(?:-py3?\.?\d*)?\.(?:dist-info|egg-info)$")


def is_python(executable: str, mapped: Iterable[str]) -> bool:
    """Whether a process runs Python: by the name of its executable, or because it has mapped libpython."""
    if re.fullmatch(r"(python|pypy)[0-9.t]*", os.path.basename(executable)):
        return True
    return any(os.path.basename(path).startswith("libpython3") for path in mapped)


def evidence(pid: int, executable: str, mapped: Iterable[str]) -> dict[str, Any]:
    """What the kernel tells about a Python process: pure input of `search_path`. Raises OSError."""
    words = read_bytes(f"/proc/{pid}/cmdline").split(b"\0")
    variables = (pair.partition(b"=")[::2] for pair in read_bytes(f"/proc/{pid}/environ").split(b"\0"))
    environ = {os.fsdecode(name): os.fsdecode(value) for name, value in variables}
    return {
        "executable": executable,
        "command": os.fsdecode(words[0]),
        "cwd": os.readlink(f"/proc/{pid}/cwd"),
        "environ": {name: environ[name] for name in USED_VARIABLES if environ.get(name)},
        "mapped": sorted(mapped),
    }


def describe(facts: Mapping[str, Any], root: str = "") -> dict[str, Any]:
    """The interpreter of a process and its distributions. `root`: folder below which its files lie."""
    command, version = find_command(facts, root), find_version(facts, root)
    folders = [folder for folder in search_path(facts, root) if os.path.isdir(root + folder)]
    packages = list_packages(folders, root)
    found: dict[str, Any] = {"executable": command, "version": version or "unknown", "path": folders}
    found["packages"] = [[name, packages[name]] for name in sorted(packages)[:MOST_PACKAGES]]
    if len(packages) > MOST_PACKAGES:
        found["reason"] = f"{len(packages)} packages are installed, the first {MOST_PACKAGES} are recorded"
    return found


def find_command(facts: Mapping[str, Any], root: str) -> str:
    """The path by which the interpreter was called, symbolic links kept: it leads to the virtual environment."""
    command, cwd = facts["command"], facts["cwd"]
    folders = [""] if "/" in command else facts["environ"].get("PATH", "").split(":")
    paths = [os.path.normpath(os.path.join(cwd, folder, command)) for folder in folders]
    return next((path for path in paths if command and os.path.isfile(root + path)), facts["executable"])


def find_version(facts: Mapping[str, Any], root: str) -> str | None:
    """`3.12`, from the executable's name, mapped files, or the only library folder below the prefix."""
    for text in (facts["executable"], *facts["mapped"]):
        if match := VERSION.search(text):
            return match[1]
    library = os.path.join(parent(facts["executable"]), "lib")
    names = {match[1] for name in list_names(root + library) if (match := VERSION.fullmatch(name))}
    return names.pop() if len(names) == 1 else None


def parent(path: str) -> str:
    """The prefix of an executable: two levels up."""
    return os.path.dirname(os.path.dirname(path))


def search_path(facts: Mapping[str, Any], root: str = "") -> list[str]:
    """Folders in which the interpreter looks for distributions, in order; some may not exist."""
    version, environ, cwd = find_version(facts, root) or "3", facts["environ"], facts["cwd"]
    folders = [os.path.join(cwd, entry) for entry in environ.get("PYTHONPATH", "").split(":") if entry]
    prefix, settings = virtual_environment(find_command(facts, root), root)
    if prefix:
        folders += sites(prefix, version)
    if not prefix or settings.get("include-system-site-packages", "").lower() == "true":
        folders += user_sites(environ, version)
        folders += sites(environ.get("PYTHONHOME", "").split(":")[0] or parent(facts["executable"]), version)
    folders += [match[1] for path in facts["mapped"] if (match := SITE.match(path))]
    folders = unique(os.path.normpath(folder) for folder in folders)[:MOST_FOLDERS]
    return unique([*folders, *(extra for folder in folders for extra in path_files(folder, root))])[:MOST_FOLDERS]


def unique(paths: Iterable[str]) -> list[str]:
    """The paths without repetitions, in order."""
    return list(dict.fromkeys(paths))


def sites(prefix: str, version: str) -> list[str]:
    """The folders for distributions below a prefix."""
    return [os.path.join(prefix, name.format(version)) for name in SITES]


def user_sites(environ: Mapping[str, str], version: str) -> list[str]:
    """The user's own folder for distributions, unless it is switched off."""
    base = environ.get("PYTHONUSERBASE") or (os.path.join(environ["HOME"], ".local") if "HOME" in environ else "")
    return [os.path.join(base, SITES[0].format(version))] if base and not environ.get("PYTHONNOUSERSITE") else []


def virtual_environment(command: str, root: str) -> tuple[str | None, dict[str, str]]:
    """The virtual environment that an interpreter belongs to, and its settings; None when it belongs to none."""
    for folder in (os.path.dirname(command), parent(command)):
        try:
            return folder, parse_settings(read_text(root + os.path.join(folder, "pyvenv.cfg")))
        except OSError:
            continue
    return None, {}


def parse_settings(text: str) -> dict[str, str]:
    """`key = value` lines of pyvenv.cfg."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def path_files(folder: str, root: str) -> Iterator[str]:
    """Folders that the .pth files of a folder add; their `import` lines are not followed."""
    for name in [name for name in list_names(root + folder) if name.endswith(".pth")][:MOST_PATH_FILES]:
        try:
            lines = read_text(os.path.join(root + folder, name), METADATA_LIMIT).splitlines()
        except OSError:
            continue
        for line in lines:
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                yield os.path.normpath(os.path.join(folder, line.rstrip()))


def list_packages(folders: Iterable[str], root: str = "") -> dict[str, str]:
    """Version by normalized name (PEP 503) of the distributions in folders; the first wins, as in sys.path."""
    packages: dict[str, str] = {}
    for folder in folders:
        for entry in list_names(root + folder):
            if match := DISTRIBUTION.match(entry):
                name = re.sub(r"[-_.]+", "-", match["name"]).lower()
                if name not in packages:
                    packages[name] = match["version"] or metadata_version(os.path.join(root + folder, entry))
    return packages


def metadata_version(path: str) -> str:
    """The version inside an egg-info file or folder, or a dist-info folder, whose name does not tell it."""
    for name in ("PKG-INFO", "METADATA", ""):
        try:
            text = read_text(os.path.join(path, name) if name else path, METADATA_LIMIT)
        except OSError:
            continue
        found = re.search(r"^Version:[ \t]*(\S+)", text, re.MULTILINE)
        return found[1] if found else "unknown"
    return "unknown"

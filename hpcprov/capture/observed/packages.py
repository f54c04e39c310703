"""Which package of software a path belongs to, by how package managers name their directories.

    Names({}).of_library(b"/venv/lib/python3.12/site-packages/numpy/core/")
    -> ("python package", "/venv/lib/python3.12/site-packages", "numpy", None)

A package is (kind, prefix, name, version); versions of Python packages are looked up when all is over (`versions`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpcprov.capture.observed.questions import Questions

    Package = tuple[str, str, str, str | None]

MOST_UNLIKE = 200  # distributions of one directory that are not called as what they install
PYTHON, R, NODE, JULIA = "python package", "R package", "node package", "julia package"
R_OF_USER = b"-library/"
# A directory of packages and the kind of what is in it.
LIBRARIES = (
    (b"/site-packages/", PYTHON), (b"/dist-packages/", PYTHON), (b"/node_modules/", NODE), (b"/R/library/", R),
    (b"/R/site-library/", R), (R_OF_USER, R), (b"/.julia/packages/", JULIA), (b"/.julia/compiled/", JULIA),
)  # fmt: skip


class Names:
    """Names of packages in one job's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        loaded = (name for name in environ.get("LOADEDMODULES", "").split(":") if "/" in name)
        self.modules = {f"/{name}/".encode("utf-8", "surrogateescape"): name for name in loaded}

    def of_library(self, path: bytes) -> Package | None:
        """The package in an interpreter's library, or the interpreter's own library; None for other directories."""
        for mark, kind in LIBRARIES:
            place = path.find(mark)
            if place >= 0:
                start = place + len(mark)
                if mark == R_OF_USER:  # R's version comes between
                    start = path.find(b"/", start) + 1 or len(path)
                return in_library(path, start, kind)
        place = path.find(b"/lib/python")
        if place >= 0 and path[place + 11 : place + 12].isdigit():
            version = path[place + 11 :].partition(b"/")[0]
            return "python", text(path[:place]), "python", text(version)
        return None

    def of_prefix(self, path: bytes, prefixes: tuple[bytes, ...]) -> Package:
        """The package below a prefix for software: a loaded module, a Spack or EasyBuild tree, else the directory."""
        for mark, name in self.modules.items():
            place = path.find(mark)
            if place >= 0:
                return "module", text(path[: place + len(mark) - 1]), *name_and_version(name)
        return spack(path) or easybuild(path) or store_path(path) or plain(path, prefixes)


def in_library(path: bytes, start: int, kind: str) -> Package:
    """`.../site-packages/numpy/core/` -> numpy; what lies at the top, or only describes packages, has no name."""
    name, _, rest = path[start:].partition(b"/")
    if name.endswith((b".dist-info", b".egg-info")) or name == b"__pycache__":
        name = b""
    if name.startswith(b"@"):
        name += b"/" + rest.partition(b"/")[0]
    return kind, text(path[: start - 1]), text(name), None


def installation(path: bytes) -> bytes | None:
    """The prefix that an interpreter's library lies in: `/venv/` of `/venv/lib/python3.12/site-packages/`."""
    for mark in (b"/lib/python", b"/lib64/python", b"/lib/R/"):
        place = path.find(mark)
        if place > 0:
            return path[: place + 1]
    return None


def spack(path: bytes) -> Package | None:
    """`/opt/spack/opt/spack/linux-x/gcc-12/hdf5-1.14.3-<hash>/lib/`: name, version and a hash of 32 letters."""
    parts = path.split(b"/")
    for index, part in enumerate(parts):
        words = part.rsplit(b"-", 2)
        if len(words) == 3 and len(words[2]) == 32 and words[2].isalnum():
            return "spack", text(b"/".join(parts[: index + 1])), text(words[0]), text(words[1])
    return None


def easybuild(path: bytes) -> Package | None:
    """`/apps/software/HDF5/1.14.0-gompi-2023a/lib/`."""
    top, mark, rest = path.partition(b"/software/")
    parts = rest.split(b"/")
    if not mark or len(parts) < 3 or not parts[1][:1].isdigit():
        return None
    return "easybuild", text(top + mark + b"/".join(parts[:2])), text(parts[0]), text(parts[1])


def store_path(path: bytes) -> Package | None:
    """`/nix/store/<hash>-hdf5-1.14.3/lib/`, Guix alike."""
    if not path.startswith((b"/nix/store/", b"/gnu/store/")):
        return None
    name = path.split(b"/")[3]
    words = name.partition(b"-")[2].rsplit(b"-", 1)
    version = text(words[1]) if len(words) == 2 and words[1][:1].isdigit() else None
    return "nix" if path.startswith(b"/nix") else "guix", text(path[:11] + name), text(words[0] or name), version


def plain(path: bytes, prefixes: tuple[bytes, ...]) -> Package:
    """The longest known prefix, or the first directory below the place where software is installed."""
    known = max((prefix for prefix in prefixes if path.startswith(prefix)), key=len, default=b"")
    top = known.rstrip(b"/") or b"/".join(path.split(b"/")[: 4 if path.startswith(b"/usr/") else 3])
    return "directory", text(top), text(top.rpartition(b"/")[2]), None


def name_and_version(module: str) -> tuple[str, str | None]:
    """`hdf5/1.14.3` -> name, version."""
    name, _, version = module.rpartition("/")
    return name, version or None


def text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def versions(folder: str, questions: Questions) -> dict[str, tuple[str, str]]:
    """Of a site-packages directory: what is imported -> (distribution, version)."""
    names = questions.names(folder)
    tops = {imported(name.removesuffix(".py")) for name in names}
    found: dict[str, tuple[str, str]] = {}
    unlike = []
    for entry in names:
        name, version = distribution(entry)
        if name and version:
            found.setdefault(imported(name), (name, version))
            if imported(name) not in tops:
                unlike.append((entry, name, version))
    for entry, name, version in unlike[:MOST_UNLIKE]:
        for top in installed_tops(f"{folder}/{entry}", questions):
            found.setdefault(imported(top), (name, version))
    return found


def installed_tops(folder: str, questions: Questions) -> set[str]:
    """What a distribution that is called otherwise installs: the first parts of the paths in its RECORD."""
    lines = questions.text(f"{folder}/RECORD").splitlines()
    return {line.partition(",")[0].partition("/")[0].removesuffix(".py") for line in lines}


def distribution(entry: str) -> tuple[str | None, str | None]:
    """`numpy-2.1.0.dist-info` -> ("numpy", "2.1.0")."""
    for ending in (".dist-info", ".egg-info"):
        if entry.endswith(ending):
            words = entry.removesuffix(ending).split("-")
            return (words[0], words[1]) if len(words) > 1 else (None, None)
    return None, None


def imported(name: str) -> str:
    """How a distribution's or module's name is compared: `Scikit-Learn`, `scikit_learn` -> scikit_learn."""
    return name.lower().replace("-", "_").replace(".", "_")
